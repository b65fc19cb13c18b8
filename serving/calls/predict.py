"""Predict: checks a request against its signature in TensorFlow Serving's order, and runs it.

In TensorFlow Serving: servables/tensorflow/predict_util.cc, in TensorFlow: cc/saved_model/util.cc."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TypeVar

import numpy as np

from serving.errors import FailedPreconditionError, InternalError, InvalidArgumentError, ServingError
from serving.servable import Servable, Soon, Wake
from serving.signature import Signature, Slot

Wire = TypeVar("Wire")
METHODS = tuple(f"tensorflow/serving/{call}" for call in ("predict", "classify", "regress"))


def find_signature(servable: Servable, name: str, check_method_name: bool) -> Signature:
    """The signature with this name; raises FAILED_PRECONDITION when the version has none, INTERNAL for a method name
    that does not fit, if that is to be checked."""
    signature = servable.signatures.get(name)
    if signature is None:
        raise FailedPreconditionError(f'Serving signature key "{name}" not found.')
    if check_method_name and signature.method_name not in METHODS:
        raise InternalError(
            f"Expected prediction signature method_name to be one of {{{', '.join(METHODS)}}}. "
            f"Was: {signature.method_name}"
        )
    return signature


def feeds(
    signature: Signature, inputs: Mapping[str, Wire], decode: Callable[[Wire], np.ndarray]
) -> dict[str, np.ndarray]:
    """Tensor name -> array for each input of the signature; absent ones come from its defaults, or stay absent where
    the signature says that they may.

    Raises INVALID_ARGUMENT when aliases are missing, unknown, or do not decode."""
    _check_number(signature, inputs)
    fed: dict[str, np.ndarray] = {}
    for alias, slot in signature.inputs.items():
        if alias in inputs:
            try:
                fed[slot.tensor] = decode(inputs[alias])
            except ValueError:
                raise InvalidArgumentError(f"tensor parsing error: {alias}") from None
        elif alias in signature.defaults:
            fed[slot.tensor] = signature.defaults[alias]
        elif alias not in signature.may_omit:
            raise InvalidArgumentError(
                f"Signature input alias: {alias}(feed name: {slot.tensor}) not found in request and no default value "
                f"provided. Inputs expected to be in the request {{{_joined(inputs)}}}, or default input alias set: "
                f"{_joined(signature.defaults)}"
            )
    unused = [alias for alias in inputs if alias not in signature.inputs]
    if unused:
        raise InvalidArgumentError(
            f"Inputs contains invalid name. Used request inputs: {_joined(set(inputs) - set(unused))}, request input: "
            f"{_joined(inputs)}"
        )
    return fed


def _check_number(signature: Signature, inputs: Mapping[str, object]) -> None:
    too_many = len(inputs) > len(signature.inputs)
    omitted = sum(alias not in inputs for alias in signature.may_omit)
    too_few = len(inputs) < len(signature.inputs) - omitted and not signature.defaults
    if too_many or too_few:
        given, known = set(inputs), set(signature.inputs)
        raise InvalidArgumentError(
            f"input size does not match signature: {len(given)}!={len(known)} len({{{_joined(given)}}}) != "
            f"len({{{_joined(known)}}}). Sent extra: {{{_joined(given - known)}}}. Missing but required: "
            f"{{{_joined(known - given)}}}."
        )


def wanted_outputs(signature: Signature, output_filter: Sequence[str]) -> list[Slot]:
    """The outputs that the filter names, in its order; all of them where it is empty."""
    if not output_filter:
        return list(signature.outputs.values())
    seen: dict[str, Slot] = {}
    for alias in output_filter:
        if alias not in signature.outputs:
            raise InvalidArgumentError(
                f"output tensor alias not found in signature: {alias} Outputs expected to be in the set "
                f"{{{_joined(signature.outputs)}}}."
            )
        if alias in seen:
            raise InvalidArgumentError(f"duplicate output tensor alias: {alias}")
        seen[alias] = signature.outputs[alias]
    return list(seen.values())


def run(
    servable: Servable, fed: Mapping[str, np.ndarray], outputs: Sequence[Slot], timeout_ms: int | None
) -> dict[str, np.ndarray]:
    """Output alias -> array; a tensor that two aliases name is fetched once."""
    tensors = _tensors(outputs)
    return _by_alias(servable.run(fed, tensors, timeout_ms), tensors, outputs)


def begin(
    servable: Servable,
    fed: Mapping[str, np.ndarray],
    outputs: Sequence[Slot],
    timeout_ms: int | None,
    wake: Wake,
    soon: Soon | None = None,
) -> Callable[[], dict[str, np.ndarray]]:
    """As run(), for a servable that begins: wake is called when what it returned gives the outputs, or raises."""
    tensors = _tensors(outputs)
    take = servable.begin(fed, tensors, timeout_ms, wake, soon)
    return lambda: _by_alias(take(), tensors, outputs)


def _tensors(outputs: Sequence[Slot]) -> list[str]:
    return list(dict.fromkeys([slot.tensor for slot in outputs]))


def _by_alias(values: Sequence[np.ndarray], tensors: Sequence[str], outputs: Sequence[Slot]) -> dict[str, np.ndarray]:
    if len(values) != len(tensors):
        raise ServingError("Predict internal error")
    by_tensor = dict(zip(tensors, values, strict=True))
    return {slot.alias: by_tensor[slot.tensor] for slot in outputs}


def _joined(aliases: Iterable[str]) -> str:
    return ",".join(sorted(aliases))
