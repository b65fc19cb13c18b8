"""The gradients that TensorFlow registers for recurrences, and how a process that trains many times is rid of them.

Each time a function with a gradient of its own is traced into a graph, TensorFlow (2.21) registers that gradient under
a new name for as long as the process lives, and with it all graphs around it: some 60 MB for a training of `weather`,
400 for one of `tagger`. There is no way to unregister one but in its registry itself.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from tensorflow.python.framework import ops

OURS = "CustomGradient-"  # how the names begin that tf.custom_gradient, and loading a SavedModel, make


@contextmanager
def forgotten_after() -> Iterator[None]:
    """Unregisters the gradients that were registered within.

    Afterwards a graph that was traced within still runs, with the way back that it has; but it can neither be
    differentiated anew nor exported."""
    registered = ops.gradient_registry._registry
    before = set(registered)
    try:
        yield
    finally:
        for name in [name for name in registered if name.startswith(OURS) and name not in before]:
            del registered[name]
