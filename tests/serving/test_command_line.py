import subprocess
import sys
from dataclasses import fields

import pytest

from serving.command_line import parse, table, usage
from serving.options import ServerOptions


def options(*arguments):
    parsed = parse(arguments)
    assert parsed.unknown == ()
    return parsed.options


def test_no_arguments_give_the_defaults():
    assert options() == ServerOptions()


def test_values_are_read_by_type():
    found = options(
        "--port=1", "--model_name=a=b c", "--load_retry_interval_micros=-9223372036854775808",
        "--per_process_gpu_memory_fraction=.25", "--enable_batching",
    )  # fmt: skip
    assert (found.port, found.model_name, found.load_retry_interval_micros) == (1, "a=b c", -(1 << 63))
    assert (found.per_process_gpu_memory_fraction, found.enable_batching) == (0.25, True)


def test_of_a_repeated_flag_the_last_counts():
    assert options("--port=1", "--port=2").port == 2


@pytest.mark.parametrize(("argument", "value"), [("", True), ("=true", True), ("=false", False)])
def test_a_bool_is_its_name_or_true_or_false(argument, value):
    assert options(f"--enable_model_warmup{argument}").enable_model_warmup is value


@pytest.mark.parametrize(
    "argument",
    [
        "--enable_batching=1", "--enable_batching=True", "--version_x", "--port=", "--port=x", "--port=1.5",
        "--port=2147483648", "--load_retry_interval_micros=9223372036854775808", "--per_process_gpu_memory_fraction=x",
    ],
)  # fmt: skip
def test_a_value_that_cannot_be_read_gives_no_options(argument):
    assert parse([argument, "--port=7"]).options is None


def test_a_value_after_a_blank_is_no_value():
    parsed = parse(["--model_name", "m", "--port=7"])
    assert parsed.unknown == ("--model_name", "m")
    assert parsed.options == ServerOptions(port=7)


def test_unknown_arguments_do_not_stop_the_start():
    parsed = parse(["--no_such_flag=1", "-port=3", "x"])
    assert parsed.unknown == ("--no_such_flag=1", "-port=3", "x")
    assert parsed.options == ServerOptions()


def test_help_counts_only_as_the_first_unknown_argument():
    assert parse(["--port=1", "--help"]).options is None
    assert parse(["--unknown", "--help"]).options is not None


def test_usage_and_table_have_every_flag_once():
    for flag in fields(ServerOptions):
        assert usage("server").count(f"\t--{flag.name}=") == 1
        assert table().count(f"| `{flag.name}` |") == 1


def test_help_prints_the_usage_at_once_without_tensorflow_and_ends_with_255():
    hide = "import sys; sys.modules['tensorflow'] = None"
    code = f"{hide}; import runpy; sys.argv = ['serving', '--help']; runpy.run_module('serving', run_name='__main__')"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert ended.returncode == 255, ended.stderr
    assert ended.stdout == usage("python -m serving")
