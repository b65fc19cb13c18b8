"""Truncated back-propagation through one long text: the state goes on from chunk to chunk, the gradient does not.

    row r of a batch reads its own stretch of the text;  states_(k+1) = stop_gradient( states after chunk k )

Williams & Peng 1990. The stretches begin elsewhere each epoch. Now and then a row's state is set to zeros, so that the
network also learns how a text begins.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import tensorflow as tf

from models.language import LanguageModel
from models.layers.equations.lstm import LSTMState
from training import next_token
from training.errors import InputError

Tensor = Any


class CarriedText:
    """Walks through tokens int32 [length] in `rows` stretches, `steps` tokens at a time; the model has its optimizer.

    reset_rate: the share of rows whose state is set to zeros before a chunk. loss: see `next_token`; by default that of
    the whole softmax. jit_compile: whether XLA compiles the whole step, not only the layers' loops. Raises InputError
    for a text that is shorter than one chunk of each row."""

    def __init__(
        self,
        model: LanguageModel,
        tokens: np.ndarray,
        rows: int,
        steps: int,
        reset_rate: float,
        seed: int,
        loss: next_token.Loss | None = None,
        jit_compile: bool = False,
    ) -> None:
        self.model, self.tokens, self.rows, self.steps, self.seed = model, tokens, rows, steps, seed
        self.reset_rate, self.loss = reset_rate, loss or next_token.whole(model)
        self.chunks = chunks_of(len(tokens), rows, steps)
        batch = tf.TensorSpec([rows, steps], tf.int32)
        states = [LSTMState(*[tf.TensorSpec([rows, model.units])] * 2) for _ in model.memory]
        signature = [batch, batch, tf.TensorSpec([rows, 1]), states]
        self._train = tf.function(
            self._train_step, input_signature=signature, autograph=False, jit_compile=jit_compile or None
        )

    def epoch(self, number: int, stop_if_asked: Callable[[], None]) -> float:
        """See `training.walk.Walk`; the loss is that of a token, in nats."""
        rng = np.random.default_rng([self.seed, number])
        text = np.roll(self.tokens, -int(rng.integers(len(self.tokens))))
        length = self.chunks * self.steps
        inputs, targets = (text[shift : shift + self.rows * length].reshape(self.rows, length) for shift in (0, 1))
        states, losses = self._start(), []
        for begin in range(0, length, self.steps):
            chunk, following = (part[:, begin : begin + self.steps] for part in (inputs, targets))
            kept = (rng.random((self.rows, 1)) >= self.reset_rate).astype(np.float32)
            with _compiled_loops(self.model):  # matters when the step is traced, at the first chunk
                loss, states = self._after_chunk(chunk, following, kept, states)
            losses.append(loss)
            stop_if_asked()
        return float(np.mean(losses))

    def _start(self) -> Any:
        """The states of all rows at the start of a text."""
        return self.model.start(self.rows)

    def _after_chunk(self, inputs: np.ndarray, targets: np.ndarray, kept: np.ndarray, states: Any) -> tuple[float, Any]:
        """Trains on a chunk of all rows: its loss, and the states after it."""
        loss, states = self._train(*map(tf.constant, (inputs, targets, kept)), states)
        return float(loss), states

    def _train_step(self, inputs: Tensor, targets: Tensor, kept: Tensor, states: list[LSTMState]) -> Any:
        variables = self.model.trainable_variables
        with tf.GradientTape() as tape:
            loss, after = self._loss_and_states(inputs, targets, kept, states)
        gradients = tape.gradient(loss, [variable.value for variable in variables])
        self.model.optimizer.apply([tf.convert_to_tensor(gradient) for gradient in gradients], variables)
        return loss, after

    def _loss_and_states(self, inputs: Tensor, targets: Tensor, kept: Tensor, states: list[LSTMState]) -> Any:
        """The mean nats of a token, and the states float32, whatever the layers compute in."""
        before = [LSTMState(*(part * kept for part in state)) for state in states]
        loss, after = self.loss(inputs, targets, before)
        return loss, [LSTMState(*(tf.cast(part, tf.float32) for part in state)) for state in after]


def chunks_of(length: int, rows: int, steps: int) -> int:
    """How many chunks each row has in an epoch. Raises InputError when there is none."""
    chunks = (length - 1) // (rows * steps)
    if not chunks:
        raise InputError(
            f"batch_size={rows} and unroll_steps={steps} ask for {rows * steps + 1} tokens to train on, the text has "
            f"{length}; give smaller ones with --set, or a longer text."
        )
    return chunks


@contextmanager
def _compiled_loops(model: LanguageModel) -> Iterator[None]:
    """The layers' loops run compiled inside, where training is faster by it; the signatures, traced outside, do not."""
    engines = [layer.engine for layer in model.memory]
    for layer in model.memory:
        layer.engine = "compiled"
    try:
        yield
    finally:
        for layer, engine in zip(model.memory, engines, strict=True):
            layer.engine = engine
