"""The server's options are data: TensorFlow Serving's names and defaults, and a text for each.

The parser and `--help` (command_line.py) and the table in docs/serving.md are made from this class.
In TensorFlow Serving: model_servers/main.cc, model_servers/server.h."""

import os
from dataclasses import dataclass, field
from typing import Any

from serving.errors import InvalidArgumentError

CPUS = os.cpu_count() or 1
LIMITS = (
    "max_concurrent_requests",
    "rest_api_max_body_bytes",
    "rest_api_max_header_bytes",
    "rest_api_receive_timeout_seconds",
    "rest_api_keep_alive_seconds",
    "grpc_receive_timeout_seconds",
)
LOG_FORMATS = ("text", "json")
LOG_LEVELS = ("debug", "info", "warning", "error")
ACCEPTED = "accepted for compatibility, has no effect here"


def flag(default: Any, text: str, *, kind: str | None = None) -> Any:
    """A field that is a flag. kind: its type as `--help` prints it."""
    names: dict[type, str] = {bool: "bool", int: "int32", float: "float", str: "string"}
    return field(default=default, metadata={"text": text, "kind": kind or names[type(default)]})


@dataclass(frozen=True)
class ServerOptions:
    """All that can be set. Names, types and defaults are those of tensorflow_model_server."""

    port: int = flag(8500, "TCP port of the gRPC API; 0 turns it off")
    grpc_socket_path: str = flag("", "also listen for gRPC on this UNIX socket, an absolute or relative path")
    rest_api_port: int = flag(0, "port of the HTTP/REST API; 0 turns it off; must differ from --port")
    rest_api_num_threads: int = flag(4 * CPUS, "threads that answer REST calls (default: 4 times the CPUs)")
    rest_api_timeout_in_ms: int = flag(30_000, "longest a REST call's run may take, milliseconds; <= 0: no limit")
    rest_api_enable_cors_support: bool = flag(False, "add CORS headers to REST answers")
    enable_batching: bool = flag(False, "join requests into batches")
    batching_parameters_file: str = flag("", "text BatchingParameters for all models; needs --enable_batching")
    enable_per_model_batching_parameters: bool = flag(
        False, "read batching_params.pbtxt from each version's folder; versions without are not batched"
    )
    allow_version_labels_for_unavailable_models: bool = flag(
        False, "a new label may point to a version that is not loaded yet"
    )
    model_config_file: str = flag(
        "", "text ModelServerConfig that lists models; --model_name and --model_base_path are then ignored"
    )
    model_config_file_poll_wait_seconds: int = flag(
        0, "seconds between two readings of --model_config_file; 0: it is read once"
    )
    model_name: str = flag("default", "name of the single model")
    model_base_path: str = flag("", "folder of the single model, an absolute path; holds one folder for each version")
    num_load_threads: int = flag(0, "threads that load versions; 0: one after the other (the first load has its own)")
    num_unload_threads: int = flag(0, "threads that unload versions; 0: one after the other")
    max_num_load_retries: int = flag(5, "further tries after a failed load; 0: one try")
    load_retry_interval_micros: int = flag(
        60_000_000, "microseconds between two tries to load; negative: none", kind="int64"
    )
    file_system_poll_wait_seconds: int = flag(
        1, "seconds between two looks for new versions; 0: one look; negative: none"
    )
    flush_filesystem_caches: bool = flag(True, ACCEPTED)
    tensorflow_session_parallelism: int = flag(
        0, "threads within and between operations; 0: as the runtime decides", kind="int64"
    )
    tensorflow_intra_op_parallelism: int = flag(0, "threads within an operation; 0: automatic", kind="int64")
    tensorflow_inter_op_parallelism: int = flag(0, "operations that run at once; 0: automatic", kind="int64")
    tensorflow_session_config_file: str = flag("", "text ConfigProto for the sessions")
    use_alts_credentials: bool = flag(False, "ALTS on the gRPC ports; excludes --ssl_config_file")
    ssl_config_file: str = flag("", "text SSLConfig: TLS on the gRPC ports, with or without client certificates")
    platform_config_file: str = flag(
        "",
        "text PlatformConfigMap; the session, its threads, tags, batching, warm-up and TensorFlow Lite are then as it "
        "says, not as the flags do",
    )
    per_process_gpu_memory_fraction: float = flag(0.0, "share of the GPU's memory, 0 to 1; 0: automatic")
    saved_model_tags: str = flag("serve", "tags of the MetaGraph to load, with commas between")
    grpc_channel_arguments: str = flag("", "arguments of the gRPC server: name=value,name=value")
    grpc_max_threads: int = flag(4 * CPUS, "threads that answer gRPC calls (default: 4 times the CPUs)")
    enable_model_warmup: bool = flag(
        True, "run assets.extra/tf_serving_warmup_requests of a version before it becomes available"
    )
    num_request_iterations_for_warmup: int = flag(0, "times that each warm-up request is run; <= 0: once")
    version: bool = flag(False, "print versions and end")
    monitoring_config_file: str = flag("", "text MonitoringConfig: Prometheus metrics on the HTTP port")
    remove_unused_fields_from_bundle_metagraph: bool = flag(True, ACCEPTED)
    prefer_tflite_model: bool = flag(False, "use model.tflite of a version where there is one")
    num_tflite_pools: int = flag(CPUS, "pools of interpreters for each model.tflite (default: the CPUs)")
    num_tflite_interpreters_per_pool: int = flag(
        1, "interpreters in a pool; pools times interpreters is how many calls of a model.tflite run at once"
    )
    enable_signature_method_name_check: bool = flag(False, "refuse signatures whose method_name does not fit the call")
    xla_cpu_compilation_enabled: bool = flag(False, ACCEPTED)
    xla_gpu_compilation_enabled: bool = flag(False, ACCEPTED)
    enable_profiler: bool = flag(
        True, "gRPC profiler service; this server has none: only tracing clients notice, they get UNIMPLEMENTED"
    )
    thread_pool_factory_config_file: str = flag("", ACCEPTED)
    mixed_precision: str = flag("", "bfloat16 turns on automatic mixed precision; other values have no effect")
    skip_initialize_tpu: bool = flag(False, ACCEPTED)
    enable_grpc_healthcheck_service: bool = flag(False, "grpc.health.v1.Health on the gRPC ports")
    enable_serialization_as_tensor_content: bool = flag(
        False, "gRPC Predict puts numbers into tensor_content, not into *_val fields"
    )
    aspired_version_policy: str = flag(
        "availability_preserving",
        "availability_preserving: load the new version, then unload the old; resource_preserving: the other way round "
        "(not in TensorFlow Serving)",
    )

    enable_ragged_batching: bool = flag(
        True,
        "join requests to signatures with an input `lengths`, padded to the longest; not with --enable_batching (not "
        "in TensorFlow Serving)",
    )
    compile_signatures: bool = flag(
        True,
        "compile the recurrences of signatures by XLA for the shapes that are often asked for, aside, where that is "
        "faster and every error stays an error (not in TensorFlow Serving)",
    )
    shutdown_grace_seconds: int = flag(
        30, "longest time that running calls have to end after SIGTERM or SIGINT (not in TensorFlow Serving)"
    )
    max_sequence_number: int = flag(
        500, "live sequences of a model (as the other sequence flags not in TensorFlow Serving)"
    )
    idle_sequence_cleanup: bool = flag(True, "scan for sequences that nobody uses, and forget them")
    sequence_cleaner_poll_wait_minutes: int = flag(
        5, "minutes between two scans; a sequence without a successful call since the scan before is forgotten; 0: none"
    )
    sequence_idle_ttl_seconds: int = flag(
        0, "> 0: in place of that rule, a sequence is forgotten when its last successful call is older"
    )
    sequence_memory_limit_bytes: int = flag(
        0, "states and kept answers of all models; beyond, no sequence can be started; 0: no limit", kind="int64"
    )
    sequence_max_waiting: int = flag(32, "calls that may wait in one sequence")
    sequence_retain_ended_seconds: int = flag(60, "how long the answer of a numbered end is kept for its repeats")
    sequence_on_version_change: str = flag(
        "DRAIN",
        "what becomes of the sequences of a version that is given up: DRAIN: it stays loaded for them; CARRY: their "
        "states go on in the next version; FAIL: they cannot go on",
    )
    sequence_drain_seconds: int = flag(600, "longest time that a version given up stays for its sequences")
    sequence_store: str = flag(
        "memory",
        "where sequences are kept: memory; file:DIR, which outlives the server; file:DIR?sync=always, a power cut too; "
        "redis://[user:password@]host:port/db, shared by several servers",
    )
    sequence_config_file: str = flag("", "text proto with sequence_config entries: these settings for single models")
    log_format: str = flag("text", "text or json: one JSON object a line (not in TensorFlow Serving)")
    log_level: str = flag(
        "info", "debug, info, warning or error; debug logs one line a request (not in TensorFlow Serving)"
    )
    enable_generate_stream: bool = flag(
        True,
        "send text as it is written, of models that can: REST :generate_stream, gRPC seqzoo.serving.TextService "
        "(not in TensorFlow Serving)",
    )
    slow_request_seconds: float = flag(
        5.0, "a request that takes this long is logged at warning; <= 0: none (not in TensorFlow Serving)"
    )

    host: str = flag("", "listen on this address only, a name or number; empty: on all (not in TensorFlow Serving)")
    rest_ssl_config_file: str = flag(
        "", "text SSLConfig: TLS on the HTTP port, with or without client certificates (not in TensorFlow Serving)"
    )
    auth_tokens_file: str = flag(
        "", "who may call, one `name role token-hash` a line, role predict or admin (not in TensorFlow Serving)"
    )

    max_concurrent_requests: int = flag(
        1000,
        "calls answered at once on each face; one beyond gets RESOURCE_EXHAUSTED (429) at once; 0: no limit (not in "
        "TensorFlow Serving)",
    )
    rest_api_max_body_bytes: int = flag(
        1 << 28, "largest body of an HTTP request, else 413; 0: no limit (not in TensorFlow Serving)", kind="int64"
    )
    rest_api_max_header_bytes: int = flag(
        1 << 16,
        "most bytes in the target and headers of an HTTP request, else 431; 0: no limit (not in TensorFlow Serving)",
    )
    rest_api_receive_timeout_seconds: int = flag(
        60,
        "longest time from the first to the last byte of an HTTP request, and a second more for every 16 KiB of it, "
        "else 408; 0: no limit (not in TensorFlow Serving)",
    )
    rest_api_keep_alive_seconds: int = flag(
        600, "an HTTP connection without a request is closed after this time; 0: never (not in TensorFlow Serving)"
    )
    grpc_max_receive_message_bytes: int = flag(
        (1 << 31) - 1, "largest gRPC request, else RESOURCE_EXHAUSTED (not in TensorFlow Serving)"
    )
    grpc_receive_timeout_seconds: int = flag(
        60,
        "longest time from the headers of a gRPC call to the end of its message, else CANCELLED; 5 while as many "
        "wait as may be answered at once; 0: no limit (not in TensorFlow Serving)",
    )

    def check(self) -> None:
        """Raises InvalidArgumentError with TensorFlow Serving's text for the first rule that is broken."""
        for broken, text in _rules(self):
            if broken:
                raise InvalidArgumentError(text)


def _rules(options: ServerOptions) -> list[tuple[bool, str]]:
    """What options must not be, in the order of TensorFlow Serving's checks."""
    policies = ("availability_preserving", "resource_preserving")
    return [
        (
            options.port == 0 and not options.grpc_socket_path,
            "At least one of server_options.grpc_port or server_options.grpc_socket_path must be set.",
        ),
        (
            options.use_alts_credentials and bool(options.ssl_config_file),
            "Either use_alts_credentials must be false or ssl_config_file must be empty.",
        ),
        (
            not options.model_base_path and not options.model_config_file,
            "Both server_options.model_base_path and server_options.model_config_file are empty!",
        ),
        (
            bool(options.batching_parameters_file) and not options.enable_batching,
            "server_options.batching_parameters_file is set without setting server_options.enable_batching to true.",
        ),
        (
            min(
                options.tensorflow_session_parallelism,
                options.tensorflow_intra_op_parallelism,
                options.tensorflow_inter_op_parallelism,
            )
            > 0,
            "Either configure server_options.tensorflow_session_parallelism or "
            "(server_options.tensorflow_intra_op_parallelism, server_options.tensorflow_inter_op_parallelism) "
            "separately. You cannot configure all.",
        ),
        *(
            (
                getattr(options, name) < 0,
                f"{name} is {getattr(options, name)}; expected a number that is not negative, 0 for no limit.",
            )
            for name in LIMITS
        ),
        (
            options.grpc_max_receive_message_bytes < 1,
            f"grpc_max_receive_message_bytes is {options.grpc_max_receive_message_bytes}; expected a positive number.",
        ),
        (
            options.aspired_version_policy not in policies,
            f"aspired_version_policy is {options.aspired_version_policy!r}; expected one of {', '.join(policies)}.",
        ),
        (
            options.log_format not in LOG_FORMATS,
            f"log_format is {options.log_format!r}; expected one of {', '.join(LOG_FORMATS)}.",
        ),
        (
            options.log_level not in LOG_LEVELS,
            f"log_level is {options.log_level!r}; expected one of {', '.join(LOG_LEVELS)}.",
        ),
    ]
