"""How likely a text is, and what may follow it, in bounded memory.

log p(text) = log p(token_1 | line break) + sum_t log p(token_(t+1) | token_1 .. token_t)
"""

from typing import Any, NamedTuple

import tensorflow as tf

from models.language.network import LanguageModel
from models.layers.equations.lstm import LSTMState

Tensor = Any

CHUNK = 128  # time steps that are read at once, where tokens are few
MOST_LOGITS = 2**18  # of a row of the batch, in a chunk


class Read(NamedTuple):
    """What reading a text leaves."""

    log_likelihood: Tensor  # [batch]  nats, of the tokens after the first
    states: list[LSTMState]


def read(model: LanguageModel, tokens: Tensor, lengths: Tensor) -> Read:
    """Reads tokens int [batch, time], lengths int [batch], from the start of a text, a chunk at a time."""
    batch, time = tf.unstack(tf.shape(tokens))
    most = max(1, min(CHUNK, MOST_LOGITS // model.logits_at_once))
    following = tf.concat([tokens[:, 1:], tf.zeros_like(tokens[:, :1])], axis=1)

    def body(begin: Tensor, total: Tensor, before: Any) -> Any:
        chunk, after = tokens[:, begin : begin + most], following[:, begin : begin + most]
        shown, states = model.hidden(chunk, tf.clip_by_value(lengths - begin, 0, tf.shape(chunk)[1]), before)
        scored = tf.sequence_mask(lengths - 1 - begin, tf.shape(chunk)[1])
        nats = model.nats(shown, tf.where(scored, after, 0))
        return begin + most, total - tf.reduce_sum(tf.where(scored, nats, 0.0), axis=1), states

    loop = (tf.constant(0), tf.zeros([batch]), model.start(batch))
    shapes = (
        tf.TensorShape([]),
        tf.TensorShape([None]),
        [LSTMState(*[tf.TensorShape([None, model.units])] * 2)] * len(model.memory),
    )
    _, total, states = tf.while_loop(lambda begin, *_: begin < time, body, loop, shape_invariants=shapes)
    return Read(total, states)


def log_likelihood(model: LanguageModel, tokens: Tensor, lengths: Tensor, line_break: int) -> Read:
    """`read`, with the first token taken as one that follows a line break."""
    said = read(model, tokens, lengths)
    begins = model.forward(tf.constant([[line_break]])).logits[0, 0]
    first = tf.gather(tf.nn.log_softmax(begins), tf.maximum(tokens[:, 0], 0))
    return said._replace(log_likelihood=said.log_likelihood + first)
