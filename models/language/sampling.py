"""Text from a language model, token by token, in one graph.

    p = softmax( logits / temperature ) of the k most likely tokens,  token = the first whose cumulated p exceeds u

u comes from the row's own seed (Philox, counted from it), so that a row's text depends on nothing beside it in a batch.
"""

from typing import Any, NamedTuple

import tensorflow as tf

from models.language.network import LanguageModel
from models.layers.engines.sequence import stacked
from models.layers.equations.lstm import LSTMState

Tensor = Any

MOST_TOKENS = 4096  # in one call


class Sampling(NamedTuple):
    """How each row is sampled, [batch] each."""

    max_tokens: Tensor  # int32, from 0 to MOST_TOKENS
    temperature: Tensor  # float32, 0 takes the most likely token
    top_k: Tensor  # int32, 0 for all
    seed: Tensor  # int64


def sample(model: LanguageModel, before: list[LSTMState], how: Sampling) -> Tensor:
    """The tokens int32 [batch, longest] that follow the states; -1 past a row's max_tokens.

    Raises InvalidArgumentError for what cannot be sampled."""
    steps, noise, step = tf.reduce_max(tf.concat([how.max_tokens, [0]], 0)), _noise(how.seed), model.one_step()
    with tf.control_dependencies(_checks(how)):
        written = tf.TensorArray(tf.int32, size=steps, element_shape=[None])
    any_limit = tf.reduce_any(how.top_k > 0)

    def body(t: Tensor, logits: Tensor, states: Any, written: Any) -> Any:
        token = _pick(logits, noise[:, t], how, any_limit)
        logits, states = step(token, states)
        return t + 1, logits, states, written.write(t, token)

    loop = (tf.constant(0), model.logits(before[-1].h), before, written)
    *_, written = tf.while_loop(lambda t, *_: t < steps, body, loop, maximum_iterations=steps)
    tokens = tf.transpose(stacked(written, steps, how.max_tokens))
    return tf.where(tf.sequence_mask(how.max_tokens, steps), tokens, -1)


def _pick(logits: Tensor, u: Tensor, how: Sampling, any_limit: Tensor) -> Tensor:
    known = logits[:, 1:]  # the unknown token is no text
    count = known.shape[-1]

    def limited() -> Tensor:
        ordered = tf.sort(known, direction="DESCENDING")
        k = tf.where(how.top_k > 0, tf.minimum(how.top_k, count), count)
        least = tf.gather(ordered, k - 1, batch_dims=1)
        return tf.where(known >= least[:, None], known, known.dtype.min)

    heat = tf.maximum(how.temperature, 1e-6)[:, None]
    scaled = tf.cond(any_limit, limited, lambda: known)
    p = tf.nn.softmax((scaled - tf.reduce_max(scaled, axis=-1, keepdims=True)) / heat)
    cumulated = tf.cumsum(p, axis=-1)
    drawn = tf.reduce_sum(tf.cast(cumulated <= u[:, None] * cumulated[:, -1:], tf.int32), axis=-1)
    likely = tf.argmax(known, axis=-1, output_type=tf.int32)
    return 1 + tf.where(how.temperature > 0, tf.minimum(drawn, count - 1), likely)


def _noise(seed: Tensor) -> Tensor:
    """[batch, MOST_TOKENS], from 0 to below 1, a row for each seed."""

    def row(one: Tensor) -> Tensor:
        return tf.random.stateless_uniform([MOST_TOKENS], tf.stack([one, 0]), alg="philox")

    return tf.map_fn(row, seed, fn_output_signature=tf.TensorSpec([MOST_TOKENS], tf.float32))


def _checks(how: Sampling) -> list[Any]:
    rules = {
        f"max_tokens got {{}}; each must be from 0 to {MOST_TOKENS}": (
            how.max_tokens, (how.max_tokens >= 0) & (how.max_tokens <= MOST_TOKENS)
        ),
        "temperature got {}; each must be 0 or more": (how.temperature, how.temperature >= 0),
        "top_k got {}; each must be 0 (all) or more": (how.top_k, how.top_k >= 0),
    }  # fmt: skip
    return [
        tf.debugging.Assert(tf.reduce_all(holds), [tf.strings.format(rule, got)])
        for rule, (got, holds) in rules.items()
    ]
