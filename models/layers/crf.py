"""A conditional random field over a chain of tags: scores of whole tag sequences, not of one tag at a time.

    score(tags) = start[tag_1] + sum_t scores_t[tag_t] + sum_t transitions[tag_(t-1), tag_t] + end[tag_n]
    P(tags) = exp score(tags) / sum over all sequences of exp score

Lafferty, McCallum & Pereira 2001; above a bidirectional LSTM: Lample et al. 2016. The sum over all sequences is taken
by the forward algorithm, the best one by Viterbi's.
"""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

Tensor = Any

LEAST = 1e-37  # of a sum of exponentials before its logarithm: float32 has nothing much below
NEVER = -1e4  # the score of what must not be, far below any that is learned


@keras.saving.register_keras_serializable(package="seqzoo")
class CRF(keras.layers.Layer):
    """Turns scores [batch, time, tags], with lengths [batch] int32, into likelihoods, marginals and best tags.

    never: pairs (before, after) of tags that the best sequence may not hold; before None is the start. They are learned
    from like any other: only the answer is held to them. Every time dimension is 1 or more."""

    def __init__(self, tags: int, never: Sequence[tuple[int | None, int]] = (), **options: Any) -> None:
        super().__init__(**options)
        self.tags, self.never = tags, [tuple(pair) for pair in never]

    def build(self, input_shape: Any = None) -> None:
        """Makes transitions [before, after], start and end [tags], all zero at first."""
        self.transitions = self.add_weight(name="transitions", shape=(self.tags, self.tags), initializer="zeros")
        self.start = self.add_weight(name="start", shape=(self.tags,), initializer="zeros")
        self.end = self.add_weight(name="end", shape=(self.tags,), initializer="zeros")
        self.built = True

    def call(self, scores: Tensor, lengths: Tensor) -> Tensor:
        """The best tags, see `best`."""
        return self.best(scores, lengths)

    def log_partition(self, scores: Tensor, lengths: Tensor) -> Tensor:
        """The logarithm of the sum over all sequences, [batch]."""
        transitions, end = tf.convert_to_tensor(self.transitions), tf.convert_to_tensor(self.end)
        steps = tf.transpose(scores, [1, 0, 2])
        likely = tf.exp(transitions)

        def step(t: Tensor, alpha: Tensor) -> tuple[Tensor, Tensor]:
            most = tf.stop_gradient(tf.reduce_max(alpha, axis=-1, keepdims=True))
            summed = tf.linalg.matmul(tf.exp(alpha - most), likely)
            after = steps[t] + most + tf.math.log(tf.maximum(summed, LEAST))
            return t + 1, tf.where((t < lengths)[:, None], after, alpha)

        count = tf.shape(steps)[0]
        first = steps[0] + tf.convert_to_tensor(self.start)
        _, alpha = tf.while_loop(lambda t, alpha: t < count, step, (tf.constant(1), first))
        return tf.reduce_logsumexp(alpha + end, axis=-1)

    def score(self, scores: Tensor, tags: Tensor, lengths: Tensor) -> Tensor:
        """The score of one tag sequence [batch, time] int32 for each row, [batch]."""
        mask = tf.sequence_mask(lengths, tf.shape(scores)[1], scores.dtype)
        tags = tf.where(mask > 0, tags, 0)
        of_tags = tf.reduce_sum(tf.gather(scores, tags, batch_dims=2) * mask, axis=1)
        pairs = tf.gather(tf.reshape(self.transitions, [-1]), tags[:, :-1] * self.tags + tags[:, 1:])
        last = tf.gather(tags, tf.maximum(lengths - 1, 0), batch_dims=1)
        ends = tf.gather(self.start, tags[:, 0]) + tf.gather(self.end, last)
        return of_tags + tf.reduce_sum(pairs * mask[:, 1:], axis=1) + ends

    def negative_log_likelihood(self, scores: Tensor, tags: Tensor, lengths: Tensor) -> Tensor:
        """How surprising each row's tags [batch, time] are, in nats, [batch]."""
        return self.log_partition(scores, lengths) - self.score(scores, tags, lengths)

    def marginals(self, scores: Tensor, lengths: Tensor) -> Tensor:
        """The probability of each tag at each step, [batch, time, tags]; zeros past the length.

        It is the gradient of the log partition by the scores."""
        with tf.GradientTape() as tape:
            tape.watch(scores)
            total = self.log_partition(scores, lengths)
        mask = tf.sequence_mask(lengths, tf.shape(scores)[1], scores.dtype)
        return tape.gradient(total, scores) * mask[..., None]

    def best(self, scores: Tensor, lengths: Tensor) -> Tensor:
        """The tags of the most probable allowed sequence, [batch, time] int32; 0 past the length."""
        forbidden, at_start = np.zeros((self.tags, self.tags), np.float32), np.zeros(self.tags, np.float32)
        for before, after in self.never:
            if before is None:
                at_start[after] = NEVER
            else:
                forbidden[before, after] = NEVER
        transitions = tf.convert_to_tensor(self.transitions) + forbidden
        steps = tf.transpose(tf.pad(scores, [[0, 0], [0, 1], [0, 0]]), [1, 0, 2])  # a scan wants a step to walk
        first = steps[0] + tf.convert_to_tensor(self.start) + at_start
        stay = tf.broadcast_to(tf.range(self.tags), tf.shape(first))

        def forward(before: tuple[Tensor, Tensor], step: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
            t, score = step
            candidates = before[0][:, :, None] + transitions
            real = (t < lengths)[:, None]
            after = tf.where(real, tf.reduce_max(candidates, axis=1) + score, before[0])
            return after, tf.where(real, tf.argmax(candidates, axis=1, output_type=tf.int32), stay)

        times = tf.range(1, tf.shape(steps)[0])
        totals, pointers = tf.scan(forward, (times, steps[1:]), (first, stay))
        last = tf.argmax(totals[-1] + tf.convert_to_tensor(self.end), axis=-1, output_type=tf.int32)
        path = tf.scan(lambda tag, pointer: tf.gather(pointer, tag, batch_dims=1), pointers, last, reverse=True)
        mask = tf.sequence_mask(lengths, tf.shape(scores)[1])
        return tf.where(mask, tf.transpose(path), 0)

    def get_config(self) -> dict[str, Any]:
        """The arguments."""
        return {**super().get_config(), "tags": self.tags, "never": self.never}
