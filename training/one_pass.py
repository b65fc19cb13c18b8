"""AdamW as one pass over the weights, for networks whose weights are many beside what a step computes.

Operation by operation an update goes through memory again and again; XLA makes one loop of it.
"""

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf


class OnePassAdamW(keras.optimizers.AdamW):
    """AdamW whose update, the clipping before it too, is compiled; gradients that are sparse are made dense first."""

    def apply(self, grads: Sequence[Any], trainable_variables: Sequence[keras.Variable] | None = None) -> None:
        """See `keras.optimizers.Optimizer.apply`."""
        if trainable_variables is not None and not self.built:
            self.build(trainable_variables)  # which makes variables: not inside
        update = super().apply

        @tf.function(jit_compile=True, autograph=False)
        def compiled(gradients: list[Any]) -> None:
            update(gradients, trainable_variables)

        compiled([tf.convert_to_tensor(gradient) for gradient in grads])
