"""The loss of the next token: over all tokens, or over some that are drawn, where all would be too dear.

    loss = -s_target + log( exp s_target + sum_k exp( s_k - log Q(k) ) ),    k: drawn, each once, not the target

Q(k): how often k is expected among the drawn, the frequent more often; the sum estimates that over all tokens. Bengio &
Senécal 2008, Blanc & Rendle 2018. What is evaluated is always the whole softmax.
"""

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from models.language import LanguageModel
from models.layers.equations.lstm import LSTMState

Tensor = Any
Loss = Callable[[Tensor, Tensor, list[LSTMState]], tuple[Tensor, list[LSTMState]]]


def whole(model: LanguageModel) -> Loss:
    """A function of (tokens, those that follow [batch, time], states before) to (mean nats, states after)."""

    def loss(inputs: Tensor, targets: Tensor, before: list[LSTMState]) -> tuple[Tensor, list[LSTMState]]:
        logits, after = model.forward(inputs, before=before, training=True)
        nats = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=targets, logits=logits)
        return tf.reduce_mean(nats), after

    return loss


def sampled(model: LanguageModel, count: int, seed: int) -> Loss:
    """The same over `count` drawn tokens, the same for a whole chunk; whole where the model has no more than that.

    Tokens stand in the order of their frequency: the k-th is drawn in proportion to log((k + 1) / k). Raises
    ValueError for a model that is not tied."""
    known, bias = model.tokens - 1, model.bias
    if bias is None:
        raise ValueError(f"{model.name} has a readout of its own; a sampled loss expects tied=True. Take `whole`.")
    if not 0 < count < known:
        return whole(model)

    def loss(inputs: Tensor, targets: Tensor, before: list[LSTMState]) -> tuple[Tensor, list[LSTMState]]:
        shown, after = model.hidden(inputs, before=before, training=True)
        labels = tf.reshape(targets, [-1])
        true = tf.cast(labels[:, None], tf.int64) - 1
        drawn = tf.random.log_uniform_candidate_sampler(true, 1, count, True, known, seed=seed)
        tokens = tf.cast(drawn.sampled_candidates, tf.int32) + 1
        vectors = tf.gather(model.embedding.embeddings.value, tf.concat([labels, tokens], axis=0))
        biases = tf.gather(bias.value, tf.concat([labels, tokens], axis=0) - 1)
        correction = tf.pad(tf.math.log(drawn.sampled_expected_count), [[tf.size(labels), 0]])
        nats = _nats(tf.reshape(shown, [-1, model.units]), vectors, biases - correction, labels, tokens)
        return tf.reduce_mean(nats), after

    return loss


@tf.function(jit_compile=True, autograph=False)
def _nats(shown: Tensor, vectors: Tensor, biases: Tensor, labels: Tensor, tokens: Tensor) -> Tensor:
    """-log p [n] of the labels [n] against the drawn tokens [k]; vectors [n + k, units] and biases [n + k] of both.

    Compiled, so that the scores [n, k] are gone through once. A drawn token that is the label itself does not count."""
    count = labels.shape[0]
    own = tf.reduce_sum(shown * vectors[:count], axis=1) + biases[:count]
    others = tf.matmul(shown, vectors[count:], transpose_b=True) + biases[count:]
    others = tf.where(labels[:, None] == tokens, others.dtype.min, others)
    most = tf.stop_gradient(tf.maximum(tf.reduce_max(others, axis=1), own))
    total = tf.exp(own - most) + tf.reduce_sum(tf.exp(others - most[:, None]), axis=1)
    return most + tf.math.log(total) - own
