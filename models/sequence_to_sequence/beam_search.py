"""Beam search: the likeliest outputs of a decoder, found inside the graph.

    every hypothesis goes on with every token; the `width` best stay, by log P(tokens) = sum_t log P(token_t)

A hypothesis that has ended stays in the beam as it is. Graves 2012 (Sequence Transduction with Recurrent Neural
Networks), Sutskever, Vinyals & Le 2014; with width 1 it is greedy.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import tensorflow as tf

Tensor = Any
Step = Callable[[Tensor, Any], tuple[Tensor, Any]]

END = 0  # the token that ends an output; also what stands before its first token


class Hypotheses(NamedTuple):
    """The best outputs of each row, best first."""

    tokens: Tensor  # int32 [batch, width, steps]; END from the end on
    log_probability: Tensor  # float32 [batch, width]; -inf where there were fewer outputs than width


def beam_search(step: Step, state: Any, limits: Tensor, width: int) -> Hypotheses:
    """The `width` likeliest outputs of each row, as far as the beam finds them.

    step(token int32 [batch, width], state) -> (log probabilities [batch, width, tokens] of the next token, state);
    state: tensors [batch, ...] before the first step, [batch, width, ...] between steps. limits int32 [batch]: the most
    tokens of each row before END; what has not ended by then ends there. A row's answer depends on that row alone."""
    batch = tf.shape(limits)[0]
    state = tf.nest.map_structure(lambda part: tf.repeat(part[:, None], width, axis=1), state)
    first = tf.where(tf.range(width) == 0, 0.0, -float("inf"))
    scores = tf.repeat(first[None], batch, axis=0)
    last = tf.fill([batch, width], END)
    tokens = tf.zeros([batch, width, 0], tf.int32)

    def going(t: Tensor, last: Tensor, done: Tensor, *rest: Any) -> Tensor:
        return ~tf.reduce_all(done)

    def go_on(t: Tensor, last: Tensor, done: Tensor, tokens: Tensor, scores: Tensor, state: Any) -> tuple[Any, ...]:
        likely, state = step(last, state)
        count = tf.shape(likely)[-1]
        ends = tf.one_hot(END, count, 0.0, -float("inf"))
        likely = tf.where((t >= limits)[:, None, None], likely + ends, likely)
        likely = tf.where(done[..., None], ends, likely)
        candidates = tf.reshape(scores[..., None] + likely, [batch, width * count])
        scores, which = tf.math.top_k(candidates, width)
        parent, last = which // count, which % count

        def of_parent(part: Tensor) -> Tensor:
            return tf.gather(part, parent, batch_dims=1)

        tokens = tf.concat([of_parent(tokens), last[..., None]], axis=-1)
        done = of_parent(done) | tf.equal(last, END) | tf.math.is_inf(scores)
        return t + 1, last, done, tokens, scores, tf.nest.map_structure(of_parent, state)

    start = (tf.constant(0), last, tf.zeros([batch, width], tf.bool), tokens, scores, state)
    free = tf.TensorShape([None, width, None])
    *flat, state_shapes = (*(part.shape for part in start[:5]), tf.nest.map_structure(lambda part: part.shape, state))
    flat[3] = free
    _, _, _, tokens, scores, _ = tf.while_loop(going, go_on, start, shape_invariants=(*flat, state_shapes))
    return Hypotheses(tokens, scores)
