"""How versions are loaded: by the flags, or by --platform_config_file, which then takes the place of those flags.

The file is a text PlatformConfigMap, for the platform `tensorflow`:

    platform_configs { key: "tensorflow" value { source_adapter_config {
      [type.googleapis.com/tensorflow.serving.SavedModelBundleSourceAdapterConfig] {
        legacy_config { saved_model_tags: "serve" batching_parameters { max_batch_size { value: 8 } } } } } } }

In TensorFlow Serving: config/platform_config.proto, servables/tensorflow/session_bundle_config.proto. The messages
inside have the names and kinds of its fields; they are read from text alone, so their numbers are not used."""

import logging
from dataclasses import dataclass
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from tensorflow.core.protobuf import config_pb2
from tensorflow_serving.config import platform_config_pb2

from serving import text_proto
from serving.batching import parameters as batching_parameters
from serving.batching.parameters import Parameters
from serving.errors import InvalidArgumentError
from serving.options import ServerOptions
from serving.protos import BatchingParameters
from serving.session_config import session_config

log = logging.getLogger(__name__)
PLATFORM = "tensorflow"
PACKAGE = "tensorflow.serving"
WRAPPERS = "google/protobuf/wrappers.proto"
INT32, CONFIG, BATCHING = "google.protobuf.Int32Value", "tensorflow.ConfigProto", f"{PACKAGE}.BatchingParameters"
MESSAGES: dict[str, dict[str, str]] = {
    "ModelWarmupOptions": {"num_request_iterations": INT32, "num_model_warmup_threads": INT32},
    "SessionBundleConfig": {
        "session_target": "string",
        "session_config": CONFIG,
        "batching_parameters": BATCHING,
        "session_run_load_threadpool_index": INT32,
        "experimental_transient_ram_bytes_during_load": "uint64",
        "saved_model_tags": "repeated string",
        "enable_model_warmup": "bool",
        "model_warmup_options": f"{PACKAGE}.ModelWarmupOptions",
        "enable_session_metadata": "bool",
        "remove_unused_fields_from_bundle_metagraph": "bool",
        "prefer_tflite_model": "bool",
        "num_tflite_interpreters_per_pool": "int32",
        "num_tflite_pools": "int32",
        "resource_estimation_uses_validation_result": "bool",
        "wrap_session_with_no_threading_params": "bool",
        "mixed_precision": "string",
    },
    "SavedModelBundleSourceAdapterConfig": {"legacy_config": f"{PACKAGE}.SessionBundleConfig"},
    "SessionBundleSourceAdapterConfig": {"config": f"{PACKAGE}.SessionBundleConfig"},
}


@dataclass(frozen=True)
class LoadSettings:
    """What a loader wants to know. batching: None for none; interpreters: of one TensorFlow Lite file."""

    tags: list[str]
    session_config: Any
    batching: Parameters | None
    warmup: bool
    warmup_iterations: int
    prefer_tflite: bool
    interpreters: int


def load_settings(options: ServerOptions) -> LoadSettings:
    """Those of the file, where there is one, else of the flags; raises ServingError for a file that cannot be read."""
    if options.platform_config_file:
        return _from_file(options)
    return LoadSettings(
        tags=options.saved_model_tags.split(","),
        session_config=session_config(options),
        batching=_batching(options),
        warmup=options.enable_model_warmup,
        warmup_iterations=options.num_request_iterations_for_warmup,
        prefer_tflite=options.prefer_tflite_model,
        interpreters=max(options.num_tflite_pools, 1) * max(options.num_tflite_interpreters_per_pool, 1),
    )


def _batching(options: ServerOptions) -> Parameters | None:
    """The parameters for all models; None when batching is off."""
    if not options.enable_batching:
        return None
    file = options.batching_parameters_file
    parameters = batching_parameters.read(file) if file else Parameters()
    parameters.check_threads()
    return parameters


def _from_file(options: ServerOptions) -> LoadSettings:
    path = options.platform_config_file
    given = text_proto.read(path, platform_config_pb2.PlatformConfigMap, _pool(), lenient=True)
    if set(given.platform_configs) != {PLATFORM}:
        names = ", ".join(sorted(given.platform_configs)) or "none"
        raise InvalidArgumentError(f"{path}: platforms {names}; expected one, {PLATFORM}.")
    config = _bundle_config(given.platform_configs[PLATFORM].source_adapter_config, path)
    if options.enable_batching:
        log.warning("--enable_batching has no effect: batching_parameters in %s say whether calls are joined", path)
    batching = None
    if config.HasField("batching_parameters"):
        proto = BatchingParameters.FromString(config.batching_parameters.SerializeToString())
        batching = batching_parameters.from_proto(proto)
        batching.check_threads()
    return LoadSettings(
        tags=list(config.saved_model_tags) or ["serve"],
        session_config=config_pb2.ConfigProto.FromString(config.session_config.SerializeToString()),
        batching=batching,
        warmup=config.enable_model_warmup,
        warmup_iterations=config.model_warmup_options.num_request_iterations.value,
        prefer_tflite=config.prefer_tflite_model,
        interpreters=(config.num_tflite_pools or max(options.num_tflite_pools, 1))
        * max(config.num_tflite_interpreters_per_pool, 1),
    )


def _bundle_config(packed: Any, path: str) -> Any:
    """The SessionBundleConfig in an adapter's configuration."""
    name = packed.TypeName()
    fields = {f"{PACKAGE}.SavedModelBundleSourceAdapterConfig": "legacy_config"}
    fields[f"{PACKAGE}.SessionBundleSourceAdapterConfig"] = "config"
    if name not in fields:
        raise InvalidArgumentError(
            f"{path}: source_adapter_config is {name or 'absent'}; expected one of {', '.join(fields)}."
        )
    adapter = message_factory.GetMessageClass(_pool().FindMessageTypeByName(name))()
    packed.Unpack(adapter)
    return getattr(adapter, fields[name])


_made: list[Any] = []


def _pool() -> Any:
    """The messages, beside the runtime's ConfigProto; made once, by the first who asks."""
    if not _made:
        pool = descriptor_pool.DescriptorPool()
        for message in (config_pb2.ConfigProto, BatchingParameters):
            _add(pool, message.DESCRIPTOR.file, set())
        pool.AddSerializedFile(_file().SerializeToString())
        _made.append(pool)
    return _made[0]


def _add(pool: Any, file: Any, seen: set[str]) -> None:
    """A file, after those that it depends on."""
    if file.name in seen:
        return
    seen.add(file.name)
    for other in file.dependencies:
        _add(pool, other, seen)
    pool.AddSerializedFile(file.serialized_pb)


def _file() -> Any:
    kinds = descriptor_pb2.FieldDescriptorProto
    types = {
        "bool": kinds.TYPE_BOOL, "string": kinds.TYPE_STRING, "int32": kinds.TYPE_INT32, "uint64": kinds.TYPE_UINT64
    }  # fmt: skip
    file = descriptor_pb2.FileDescriptorProto(
        name="seqzoo/platform_config.proto", package=PACKAGE, syntax="proto3",
        dependency=[WRAPPERS, config_pb2.DESCRIPTOR.name, BatchingParameters.DESCRIPTOR.file.name],
    )  # fmt: skip
    for name, fields in MESSAGES.items():
        message = file.message_type.add(name=name)
        for number, (field, kind) in enumerate(fields.items(), start=1):
            repeated, single = kind.startswith("repeated "), kind.removeprefix("repeated ")
            added = message.field.add(
                name=field, number=number, label=kinds.LABEL_REPEATED if repeated else kinds.LABEL_OPTIONAL
            )
            added.type = types.get(single, kinds.TYPE_MESSAGE)
            if single not in types:
                added.type_name = f".{single}"
    return file
