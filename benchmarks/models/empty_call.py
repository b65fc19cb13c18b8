"""What the call of a compiled TensorFlow function costs before it computes anything, beside one step of a layer.

python -m benchmarks.models.empty_call
"""

import time
from typing import Any

import tensorflow as tf

from models import VanillaRNN

UNITS, CALLS, ROUNDS = 64, 3000, 7


def main() -> None:
    """Prints both in microseconds, the lowest of the rounds."""
    layer = VanillaRNN(UNITS, return_sequences=True, return_state=True)
    layer.build((1, 1, UNITS))
    x, h = tf.zeros([1, 1, UNITS]), tf.zeros([1, UNITS])
    empty = compiled(lambda x, h: (x + 1.0, h + 1.0), x, h)
    step = compiled(lambda x, h: layer(x, initial_state=[h]), x, h)
    print(f"empty function {microseconds(empty, x, h):.0f} us, one step {microseconds(step, x, h):.0f} us")


def compiled(function: Any, *inputs: Any) -> Any:
    """The concrete function, compiled by XLA, for inputs of these shapes."""
    whole = tf.function(function, jit_compile=True, autograph=False)
    return whole.get_concrete_function(*(tf.TensorSpec(tensor.shape, tensor.dtype) for tensor in inputs))


def microseconds(call: Any, *inputs: Any) -> float:
    """One call, the lowest mean of the rounds."""
    found = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        for _ in range(CALLS):
            call(*inputs)
        found.append((time.perf_counter() - start) / CALLS * 1e6)
    return min(found)


if __name__ == "__main__":
    main()
