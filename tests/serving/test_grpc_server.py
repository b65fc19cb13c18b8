import pytest

from serving.errors import InvalidArgumentError
from serving.grpc_server import channel_arguments


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
