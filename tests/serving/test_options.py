import os
from dataclasses import fields

import pytest

from serving.command_line import parse
from serving.errors import InvalidArgumentError
from serving.options import ServerOptions

GOOD = {"model_base_path": "/models/m"}
CPUS = os.cpu_count()
STOCK = [  # section 1 of the specification: name, type, default
    ("port", "int32", 8500),
    ("grpc_socket_path", "string", ""),
    ("rest_api_port", "int32", 0),
    ("rest_api_num_threads", "int32", 4 * CPUS),
    ("rest_api_timeout_in_ms", "int32", 30000),
    ("rest_api_enable_cors_support", "bool", False),
    ("enable_batching", "bool", False),
    ("batching_parameters_file", "string", ""),
    ("enable_per_model_batching_parameters", "bool", False),
    ("allow_version_labels_for_unavailable_models", "bool", False),
    ("model_config_file", "string", ""),
    ("model_config_file_poll_wait_seconds", "int32", 0),
    ("model_name", "string", "default"),
    ("model_base_path", "string", ""),
    ("num_load_threads", "int32", 0),
    ("num_unload_threads", "int32", 0),
    ("max_num_load_retries", "int32", 5),
    ("load_retry_interval_micros", "int64", 60000000),
    ("file_system_poll_wait_seconds", "int32", 1),
    ("flush_filesystem_caches", "bool", True),
    ("tensorflow_session_parallelism", "int64", 0),
    ("tensorflow_intra_op_parallelism", "int64", 0),
    ("tensorflow_inter_op_parallelism", "int64", 0),
    ("tensorflow_session_config_file", "string", ""),
    ("use_alts_credentials", "bool", False),
    ("ssl_config_file", "string", ""),
    ("platform_config_file", "string", ""),
    ("per_process_gpu_memory_fraction", "float", 0.0),
    ("saved_model_tags", "string", "serve"),
    ("grpc_channel_arguments", "string", ""),
    ("grpc_max_threads", "int32", 4 * CPUS),
    ("enable_model_warmup", "bool", True),
    ("num_request_iterations_for_warmup", "int32", 0),
    ("version", "bool", False),
    ("monitoring_config_file", "string", ""),
    ("remove_unused_fields_from_bundle_metagraph", "bool", True),
    ("prefer_tflite_model", "bool", False),
    ("num_tflite_pools", "int32", CPUS),
    ("num_tflite_interpreters_per_pool", "int32", 1),
    ("enable_signature_method_name_check", "bool", False),
    ("xla_cpu_compilation_enabled", "bool", False),
    ("xla_gpu_compilation_enabled", "bool", False),
    ("enable_profiler", "bool", True),
    ("thread_pool_factory_config_file", "string", ""),
    ("mixed_precision", "string", ""),
    ("skip_initialize_tpu", "bool", False),
    ("enable_grpc_healthcheck_service", "bool", False),
    ("enable_serialization_as_tensor_content", "bool", False),
]
READ = {  # a text, and what a flag of that type makes of it
    "bool": ("true", True),
    "int32": ("7", 7),
    "int64": ("5000000000", 5_000_000_000),
    "float": ("0.25", 0.25),
    "string": ("a=b", "a=b"),
}


@pytest.mark.parametrize(("name", "kind", "default"), STOCK)
def test_every_flag_of_tensorflow_serving_has_its_name_type_and_default(name, kind, default):
    (flag,) = [flag for flag in fields(ServerOptions) if flag.name == name]
    assert (flag.metadata["kind"], flag.default, type(flag.default)) == (kind, default, type(default))
    text, value = READ[kind]
    assert getattr(parse([f"--{name}={text}"]).options, name) == value
    assert getattr(parse([]).options, name) == default
    if kind == "int32":
        assert parse([f"--{name}=5000000000"]).options is None


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
