from dataclasses import fields

import pytest

from serving.errors import InvalidArgumentError
from serving.options import ServerOptions

GOOD = {"model_base_path": "/models/m"}


def test_defaults_are_those_of_tensorflow_serving():
    options = ServerOptions()
    assert (options.port, options.rest_api_port, options.rest_api_timeout_in_ms) == (8500, 0, 30_000)
    assert (options.max_num_load_retries, options.load_retry_interval_micros) == (5, 60_000_000)
    assert (options.file_system_poll_wait_seconds, options.model_config_file_poll_wait_seconds) == (1, 0)
    assert (options.model_name, options.saved_model_tags, options.enable_model_warmup) == ("default", "serve", True)


def test_every_flag_has_a_text_and_a_type():
    for flag in fields(ServerOptions):
        assert flag.metadata["text"], flag.name
        assert flag.metadata["kind"] in ("bool", "int32", "int64", "float", "string"), flag.name


@pytest.mark.parametrize(
    ("given", "text"),
    [
        (
            {"port": 0},
            "At least one of server_options.grpc_port or server_options.grpc_socket_path must be set.",
        ),
        (
            {"use_alts_credentials": True, "ssl_config_file": "/tls"},
            "Either use_alts_credentials must be false or ssl_config_file must be empty.",
        ),
        (
            {"model_base_path": ""},
            "Both server_options.model_base_path and server_options.model_config_file are empty!",
        ),
        (
            {"batching_parameters_file": "/b"},
            "server_options.batching_parameters_file is set without setting server_options.enable_batching to true.",
        ),
        (
            {
                "tensorflow_session_parallelism": 1,
                "tensorflow_intra_op_parallelism": 1,
                "tensorflow_inter_op_parallelism": 1,
            },
            "Either configure server_options.tensorflow_session_parallelism or "
            "(server_options.tensorflow_intra_op_parallelism, server_options.tensorflow_inter_op_parallelism) "
            "separately. You cannot configure all.",
        ),
    ],
)
def test_a_start_that_cannot_be_is_refused_with_the_stock_text(given, text):
    with pytest.raises(InvalidArgumentError) as error:
        ServerOptions(**(GOOD | given)).check()
    assert error.value.message == text


def test_the_checks_come_in_the_stock_order():
    options = ServerOptions(port=0, use_alts_credentials=True, ssl_config_file="/tls", batching_parameters_file="/b")
    with pytest.raises(InvalidArgumentError, match="At least one of"):
        options.check()
    with pytest.raises(InvalidArgumentError, match="Either use_alts"):
        ServerOptions(use_alts_credentials=True, ssl_config_file="/tls", batching_parameters_file="/b").check()


def test_a_socket_is_enough_without_a_port():
    ServerOptions(port=0, grpc_socket_path="/tmp/s", **GOOD).check()


def test_two_of_the_three_parallelism_flags_are_fine():
    ServerOptions(tensorflow_intra_op_parallelism=1, tensorflow_inter_op_parallelism=1, **GOOD).check()


def test_an_unknown_version_policy_names_those_that_are_known():
    with pytest.raises(InvalidArgumentError, match="'newest'; expected one of availability_preserving, resource_pres"):
        ServerOptions(aspired_version_policy="newest", **GOOD).check()
