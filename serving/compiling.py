"""The compiled form of a signature for one set of shapes.

Compiled means XLA, outside the SavedModel, which stays stock. Which signatures may be compiled: `value_safety.py`."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.python.eager import context  # calls by name: 26 us where the public call takes 64


class CompiledForm:
    """One signature for inputs of these shapes and dtypes."""

    def __init__(self, function: Any, inputs: Mapping[str, np.ndarray], outputs: Sequence[str]) -> None:
        """function: the signature's concrete function; inputs: by alias, as an example; outputs: aliases.

        Compiles and runs once; raises what TensorFlow raises when it cannot."""
        aliases = list(inputs)

        def call(*tensors: Any) -> list[Any]:
            found = function(**dict(zip(aliases, tensors, strict=True)))
            return [found[alias] for alias in outputs]

        specs = [tf.TensorSpec(array.shape, array.dtype) for array in inputs.values()]
        self._concrete = tf.function(call, jit_compile=True, autograph=False).get_concrete_function(*specs)
        self._call = short_way(self._concrete, len(outputs))
        self(list(inputs.values()))

    def __call__(self, arrays: Sequence[np.ndarray]) -> list[np.ndarray]:
        """The outputs; arrays in the order of the example."""
        return [value.numpy() for value in self._call([tf.constant(array) for array in arrays])]


def short_way(concrete: Any, outputs: int) -> Callable[[list[Any]], Sequence[Any]]:
    """Calls a concrete function of positional tensors by its name in the runtime; by the public call where this
    TensorFlow has no such way."""
    try:
        name, captured = concrete._inference_function.name, list(concrete.captured_inputs)
        call = context.context().call_function
    except AttributeError:
        return lambda tensors: concrete(*tensors)
    return lambda tensors: call(name, tensors + captured, outputs)
