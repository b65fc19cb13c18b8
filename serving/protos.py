"""The messages that the package tensorflow-serving-api lacks, with the names and numbers of TensorFlow Serving's files.

In TensorFlow Serving: servables/tensorflow/session_bundle_config.proto, config/monitoring_config.proto,
config/ssl_config.proto, and grpc.health.v1. They live in a pool of their own, so that
other packages may define them too."""

from collections.abc import Mapping
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory, wrappers_pb2
from tensorflow_serving.apis import model_pb2

Field = descriptor_pb2.FieldDescriptorProto
KINDS = {
    "bool": Field.TYPE_BOOL,
    "string": Field.TYPE_STRING,
    "int64": Field.TYPE_INT64,
    "int32": Field.TYPE_INT32,
    "uint64": Field.TYPE_UINT64,
    "double": Field.TYPE_DOUBLE,
}
_pool = descriptor_pool.DescriptorPool()
for _file in (wrappers_pb2, model_pb2):
    _pool.AddSerializedFile(_file.DESCRIPTOR.serialized_pb)


def _message(
    package: str, name: str, fields: Mapping[str, tuple[int, str]], syntax: str = "proto3", **enum: int
) -> Any:
    """The class of a message; fields: name -> (number, kind), where a kind that begins with a dot is another message.

    A kind may begin with `repeated `.
    syntax: proto2 where it matters whether a field was given.
    enum: the values of an enum `Status` in the message, kind `Status`."""
    file = descriptor_pb2.FileDescriptorProto(name=f"seqzoo/{package}/{name}.proto", package=package, syntax=syntax)
    message = file.message_type.add(name=name)
    if enum:
        values = message.enum_type.add(name="Status").value
        for value, number in enum.items():
            values.add(name=value, number=number)
    for field, (number, kind) in fields.items():
        added = message.field.add(name=field, number=number, label=Field.LABEL_OPTIONAL)
        if kind.startswith("repeated "):
            added.label, kind = Field.LABEL_REPEATED, kind.removeprefix("repeated ")
        if kind in KINDS:
            added.type = KINDS[kind]
        elif kind == "Status":
            added.type, added.type_name = Field.TYPE_ENUM, f".{package}.{name}.Status"
        else:
            added.type, added.type_name = Field.TYPE_MESSAGE, kind
            file.dependency.append(FILES[kind])
    file.dependency[:] = sorted(set(file.dependency))
    _pool.AddSerializedFile(file.SerializeToString())
    return message_factory.GetMessageClass(_pool.FindMessageTypeByName(f"{package}.{name}"))


WRAPPERS = "google/protobuf/wrappers.proto"
INT64, BOOL, STRING = (f".google.protobuf.{kind}Value" for kind in ("Int64", "Bool", "String"))
MODEL_SPEC = ".tensorflow.serving.ModelSpec"
FILES = {
    INT64: WRAPPERS,
    BOOL: WRAPPERS,
    STRING: WRAPPERS,
    MODEL_SPEC: model_pb2.DESCRIPTOR.name,
    ".tensorflow.serving.PrometheusConfig": "seqzoo/tensorflow.serving/PrometheusConfig.proto",
    ".seqzoo.serving.SequenceConfig": "seqzoo/seqzoo.serving/SequenceConfig.proto",
}

BatchingParameters = _message(
    "tensorflow.serving",
    "BatchingParameters",
    {
        "max_batch_size": (1, INT64),
        "batch_timeout_micros": (2, INT64),
        "max_enqueued_batches": (3, INT64),
        "num_batch_threads": (4, INT64),
        "thread_pool_name": (5, STRING),
        "allowed_batch_sizes": (6, "repeated int64"),
        "pad_variable_length_inputs": (7, "bool"),
        "enable_large_batch_splitting": (8, BOOL),
        "max_execution_batch_size": (9, INT64),
    },
)
PrometheusConfig = _message("tensorflow.serving", "PrometheusConfig", {"enable": (1, "bool"), "path": (2, "string")})
MonitoringConfig = _message(
    "tensorflow.serving", "MonitoringConfig", {"prometheus_config": (1, ".tensorflow.serving.PrometheusConfig")}
)
SSLConfig = _message(
    "tensorflow.serving",
    "SSLConfig",
    {
        "server_key": (1, "string"),
        "server_cert": (2, "string"),
        "custom_ca": (3, "string"),
        "client_verify": (4, "bool"),
    },
)
HealthCheckRequest = _message("grpc.health.v1", "HealthCheckRequest", {"service": (1, "string")})
HealthCheckResponse = _message(
    "grpc.health.v1",
    "HealthCheckResponse",
    {"status": (1, "Status")},
    UNKNOWN=0,
    SERVING=1,
    NOT_SERVING=2,
    SERVICE_UNKNOWN=3,
)
SequenceConfig = _message(
    "seqzoo.serving",
    "SequenceConfig",
    {
        "model_name": (1, "string"),
        "max_sequence_number": (2, "int32"),
        "idle_sequence_cleanup": (3, "bool"),
        "cleaner_poll_wait_minutes": (4, "int32"),
        "idle_ttl_seconds": (5, "int32"),
        "max_waiting": (6, "int32"),
        "retain_ended_seconds": (7, "int32"),
        "on_version_change": (8, "string"),
        "drain_seconds": (9, "int32"),
    },
    syntax="proto2",
)
SequenceConfigs = _message(
    "seqzoo.serving",
    "SequenceConfigs",
    {"sequence_config": (1, "repeated .seqzoo.serving.SequenceConfig")},
    syntax="proto2",
)
GenerateRequest = _message(
    "seqzoo.serving",
    "GenerateRequest",
    {
        "model_spec": (1, MODEL_SPEC),
        "prompt": (2, "string"),
        "max_tokens": (3, "int32"),
        "temperature": (4, "double"),
        "top_k": (5, "int32"),
        "seed": (6, "int64"),
        "stop": (7, "repeated string"),
        "sequence_number": (8, "uint64"),
        "sequence_name": (9, "string"),
        "keep": (10, "bool"),
    },
    syntax="proto2",
)
GenerateResponse = _message(
    "seqzoo.serving",
    "GenerateResponse",
    {
        "text": (1, "string"),
        "index": (2, "int32"),
        "done": (3, "bool"),
        "tokens": (4, "int32"),
        "finish_reason": (5, "string"),
        "sequence_number": (6, "uint64"),
        "sequence_name": (7, "string"),
    },
    syntax="proto2",
)
