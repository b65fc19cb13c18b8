import threading

import grpc
import numpy as np
import pytest

from serving.errors import InvalidArgumentError
from serving.grpc_server import channel_arguments, server_arguments
from serving.server import ModelServer
from tests.serving.asking import Grpc

IDLE = "grpc.max_connection_idle_ms"


@pytest.mark.parametrize(
    ("text", "arguments"),
    [
        ("", []),
        ("grpc.max_connection_age_ms=2000", [("grpc.max_connection_age_ms", 2000)]),
        ("a=-1,b=x,c=", [("a", -1), ("b", "x"), ("c", "")]),
        ("a=2147483648", [("a", "2147483648")]),
        ("a=1=2", [("a", 1)]),
        ("a=1,a=2", [("a", 2)]),
    ],
)
def test_channel_arguments_are_ints_where_they_fit_int32_else_strings(text, arguments):
    assert channel_arguments(text) == arguments


@pytest.mark.parametrize("text", ["a", "a=1,,b=2", "a=1,"])
def test_an_entry_without_a_value_is_refused(text):
    with pytest.raises(InvalidArgumentError, match="expected name=value,name=value"):
        channel_arguments(text)


def test_an_idle_connection_is_closed_after_ten_minutes_unless_the_channel_arguments_say_otherwise():
    assert dict(server_arguments([], 9))[IDLE] == 600_000
    given = server_arguments(channel_arguments(f"{IDLE}=5,grpc.max_receive_message_length=7,k=v"), 9)
    assert sorted(given) == [
        (IDLE, 5), ("grpc.max_receive_message_length", 7), ("grpc.max_send_message_length", -1), ("k", "v"),
    ]  # fmt: skip


def test_a_connection_without_a_call_is_closed_and_the_next_call_opens_another(repository):
    flags = {"model_name": "scale", "model_base_path": str(repository / "scale")}
    with ModelServer.on_free_ports(grpc_channel_arguments=f"{IDLE}=100", **flags) as server:
        client, idle = Grpc(f"localhost:{server.grpc_port}"), threading.Event()
        x = {"x": np.float32([[1]])}
        assert client.predict("scale", x)["y"] == 3

        def seen(state):
            if state is grpc.ChannelConnectivity.IDLE:
                idle.set()

        client.channel.subscribe(seen)
        assert idle.wait(60)
        client.channel.unsubscribe(seen)
        assert client.predict("scale", x)["y"] == 3
