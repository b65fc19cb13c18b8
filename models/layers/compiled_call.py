"""A call compiled by XLA for one shape, without what TensorFlow's public call adds to it.

The call of a compiled function takes longer than a step of a small layer, mostly in Python
(`python -m benchmarks.models.empty_call`). Here the compiled function is handed to TensorFlow's runtime at once. For
inference: no gradient goes through.
"""

from collections.abc import Callable
from typing import Any

import tensorflow as tf
from tensorflow.python.eager import context  # not public; see `_runtime_call`

Tensor = Any


def compiled_call(function: Callable[..., Any], *like: Tensor) -> Callable[..., Any]:
    """function (a layer, a model, or any function of tensors), compiled for inputs of the shapes and dtypes of `like`.

        step = compiled_call(lambda x, h, c: lstm(x, initial_state=[h, c]), x, h, c)
        output, h, c = step(x, h, c)

    like: tensors, arrays or `tf.TensorSpec` with every size known. Weights are read anew at each call. Returns what
    function returns. The call raises ValueError for inputs of another number, shape or dtype; so does this function
    for a size that is not known."""
    specs = [_spec(one) for one in like]
    concrete = tf.function(function, jit_compile=True, autograph=False).get_concrete_function(*specs)
    run, pack = _runtime_call(concrete), _packing(concrete.structured_outputs)
    expected = [_kind(tf.zeros(spec.shape, spec.dtype)) for spec in specs]

    def call(*tensors: Tensor) -> Any:
        eager = [one if type(one) is _EagerTensor else tf.convert_to_tensor(one) for one in tensors]
        if not tf.executing_eagerly():
            return concrete(*eager)
        if [_kind(one) for one in eager] != expected:
            raise ValueError(
                f"the call got {_said(eager)}; it was compiled for {_said(specs)}. Make one for these with "
                "compiled_call."
            )
        return pack(run(eager)) if run else concrete(*eager)

    return call


_EagerTensor = tf.__internal__.EagerTensor


def _kind(tensor: Tensor) -> tuple[Any, int]:
    """Shape and dtype, the way that costs least: `tensor.shape` builds an object each time it is asked."""
    return tensor._shape_tuple(), tensor._datatype_enum()


def _packing(structure: Any) -> Callable[[list[Tensor]], Any]:
    """From the flat outputs to what the function returned."""
    if tf.is_tensor(structure):
        return lambda flat: flat[0]
    if type(structure) in (list, tuple) and all(map(tf.is_tensor, structure)):
        return type(structure)
    return lambda flat: tf.nest.pack_sequence_as(structure, flat)


def _runtime_call(concrete: Any) -> Callable[[list[Tensor]], list[Tensor]] | None:
    """The runtime's own call of a concrete function; None where this TensorFlow has it no more, or nests its outputs
    in a way that this call would not give back."""
    call_function = getattr(context.context(), "call_function", None)
    outputs = tf.nest.flatten(concrete.structured_outputs)
    if call_function is None or len(outputs) != len(concrete.outputs) or not all(map(tf.is_tensor, outputs)):
        return None
    name, captured, count = concrete.name, list(concrete.captured_inputs), len(outputs)

    def run(tensors: list[Tensor]) -> list[Tensor]:
        found: list[Tensor] = call_function(name, [*tensors, *captured], count)
        return found

    return run


def _spec(one: Any) -> tf.TensorSpec:
    if not isinstance(one, tf.TensorSpec):
        one = tf.convert_to_tensor(one)
    if not one.shape.is_fully_defined():
        raise ValueError(f"compiled_call got an input of the shape {one.shape}; it expects every size to be known.")
    return tf.TensorSpec(one.shape, one.dtype)


def _said(tensors: Any) -> str:
    return ", ".join(f"{tensor.dtype.name} {tuple(tensor.shape)}" for tensor in tensors)
