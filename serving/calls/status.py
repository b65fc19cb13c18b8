"""What is known of a model: the states of its versions, and its signatures.

In TensorFlow Serving: model_servers/get_model_status_impl.cc,
servables/tensorflow/get_model_metadata_impl.cc."""

from typing import Any

from tensorflow_serving.apis import get_model_metadata_pb2, get_model_status_pb2

from serving.errors import Code, InvalidArgumentError, NotFoundError
from serving.servable import Servable
from serving.states import StateMonitor

SIGNATURE_DEF = "signature_def"


def response(states: StateMonitor, name: str, version: int | None) -> Any:
    """GetModelStatusResponse of one version, or of every version ever seen, highest first.

    Raises NOT_FOUND when there is none."""
    seen = states.versions(name)
    if version is not None:
        if version not in seen:
            raise NotFoundError(f"Could not find version {version} of model {name}")
        seen = {version: seen[version]}
    if not seen:
        raise NotFoundError(f"Could not find any versions of model {name}")
    answer = get_model_status_pb2.GetModelStatusResponse()
    for number, found in seen.items():
        entry = answer.model_version_status.add(version=number, state=int(found.state))
        entry.status.error_code = int(Code.OK if found.error is None else found.error.code)
        entry.status.error_message = "" if found.error is None else found.error.message
    return answer


def check_metadata_fields(names: list[str]) -> None:
    """Raises INVALID_ARGUMENT unless exactly what there is, `signature_def`, is asked for."""
    if not names:
        raise InvalidArgumentError("GetModelMetadataRequest must specify at least one metadata_field")
    for name in names:
        if name != SIGNATURE_DEF:
            raise InvalidArgumentError(f"Metadata field {name} is not supported")


def metadata(servable: Servable) -> Any:
    """GetModelMetadataResponse with the signatures of this version."""
    answer = get_model_metadata_pb2.GetModelMetadataResponse()
    answer.model_spec.name = servable.name
    answer.model_spec.version.value = servable.version
    signatures = get_model_metadata_pb2.SignatureDefMap()
    for name, definition in servable.signature_defs.items():
        signatures.signature_def[name].CopyFrom(definition)
    answer.metadata[SIGNATURE_DEF].Pack(signatures)
    return answer
