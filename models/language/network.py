"""A stacked LSTM over tokens: at each step the logits of the next token.

    h_t^0 = embedding of token t,  h_t^l = LSTM^l( h_t^(l-1), h_(t-1)^l ),  logits_t = readout( h_t^top )

Slides S10 to S12. Dropout keeps one mask for all steps of a chunk, on inputs, between layers and on the old states that
the recurrent weights see (Gal & Ghahramani 2016). With `tied` the readout's weights are the embeddings (Press & Wolf
2017, Inan et al. 2017).
"""

import math
from typing import Any, NamedTuple

import keras
import tensorflow as tf

from models.layers.equations.lstm import LSTMState
from models.layers.lstm import LSTM

Tensor = Any

UNKNOWN_PROBABILITY = 1e-6  # of token 0, which no training text holds: its odds against all others together
BLOCK = 8192  # tokens of a tied readout whose logits `nats` has in memory at once
MOST_PROJECTED = 1024  # tokens that are projected all at once before text is written


class Hidden(NamedTuple):
    """What the layers show of a chunk of tokens, before the readout."""

    shown: Tensor  # [batch, time, units]  of the top layer
    states: list[LSTMState]  # after the chunk, of each layer, [batch, units] a part


class Forward(NamedTuple):
    """What a chunk of tokens gives."""

    logits: Tensor  # [batch, time, tokens]  of the token after each
    states: list[LSTMState]  # after the chunk, of each layer, [batch, units] a part


@keras.saving.register_keras_serializable(package="seqzoo")
class LanguageModel(keras.Model):
    """Maps tokens int [batch, time] to the logits of the next token [batch, time, tokens].

    tokens: how many there are; token 0 is the unknown one, whose probability is fixed. embedding, units, layers: the
    sizes. tied: the readout shares the embeddings, which then have `units` columns. Shares that training drops:
    input_dropout of the embeddings, dropout between layers and before the readout, recurrent_dropout of the old
    states, unknown_rate of the tokens, each replaced by the unknown one. Raises ValueError for sizes that cannot be
    tied."""

    def __init__(
        self,
        tokens: int,
        embedding: int,
        units: int,
        layers: int,
        tied: bool = False,
        input_dropout: float = 0.0,
        dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        unknown_rate: float = 0.0,
        name: str = "language_model",
    ) -> None:
        super().__init__(name=name)
        if tied and embedding != units:
            raise ValueError(
                f"{name} got tied=True with embedding={embedding} and units={units}; expected the same size for both, "
                "since the readout then is the embedding. Make them equal, or leave tied out."
            )
        self.network = {
            "tokens": tokens, "embedding": embedding, "units": units, "layers": layers, "tied": tied,
            "input_dropout": input_dropout, "dropout": dropout, "recurrent_dropout": recurrent_dropout,
            "unknown_rate": unknown_rate, "name": name,
        }  # fmt: skip
        self.tokens, self.units, self.tied, self.unknown_rate = tokens, units, tied, unknown_rate
        self.embedding = keras.layers.Embedding(tokens, embedding, name="embedding")
        self.memory = [
            LSTM(
                units,
                dropout=dropout if level else input_dropout,
                recurrent_dropout=recurrent_dropout,
                return_sequences=True,
                return_state=True,
                name=f"layer_{level + 1}",
            )
            for level in range(layers)
        ]
        self.output_dropout = keras.layers.Dropout(dropout, noise_shape=(None, 1, None), name="output_dropout")
        self.tokens_dropout = keras.random.SeedGenerator()
        self.readout = None if tied else keras.layers.Dense(tokens - 1, name="readout")
        self.bias = self.add_weight(shape=(tokens - 1,), initializer="zeros", name="bias") if tied else None
        self.embedding.build((None, None))
        for level, layer in enumerate(self.memory):
            layer.build((None, None, units if level else embedding))
        if self.readout is not None:
            self.readout.build((None, units))
        self.built = True

    def forward(
        self, tokens: Tensor, lengths: Tensor | None = None, before: list[Any] | None = None, training: bool = False
    ) -> Forward:
        """The logits after each token of a chunk, and the states after it.

        lengths int [batch]: tokens of each row, the rest is padding, changes no state and gives zeros; None means
        all. before: the states (h, c) of each layer that an earlier chunk left; None is the start of a text."""
        shown, states = self.hidden(tokens, lengths, before, training)
        logits = self.logits(shown)
        if lengths is not None:
            mask = tf.sequence_mask(lengths, tf.shape(tokens)[1])
            logits = tf.where(mask[..., None], logits, tf.zeros_like(logits))
        return Forward(logits, states)

    def hidden(
        self, tokens: Tensor, lengths: Tensor | None = None, before: list[Any] | None = None, training: bool = False
    ) -> Hidden:
        """What `logits` takes, after each token of a chunk, and the states after it; see `forward`."""
        mask = None
        if lengths is not None:
            mask = tf.sequence_mask(lengths, tf.shape(tokens)[1])
            tokens = tf.where(mask, tokens, 0)
        if training and self.unknown_rate:
            kept = keras.random.uniform(tf.shape(tokens), seed=self.tokens_dropout) >= self.unknown_rate
            tokens = tf.where(kept, tokens, 0)
        hidden, states = self.embedding(tokens), []
        for level, layer in enumerate(self.memory):
            start = None if before is None else list(before[level])
            hidden, *after = layer(hidden, mask=mask, initial_state=start, training=training)
            states.append(LSTMState(*after))
        return Hidden(self.output_dropout(hidden, training=training), states)

    def logits(self, hidden: Tensor) -> Tensor:
        """[..., tokens] of what the top layer shows [..., units]; the unknown token's keep its fixed probability."""
        if self.readout is not None:
            known = self.readout(hidden)
        else:
            # one product of two matrices: with more dimensions the embeddings would be gone through for each row
            flat = tf.reshape(hidden, [-1, self.units])
            scores = tf.matmul(flat, self.embedding.embeddings.value, transpose_b=True)[:, 1:] + self.bias
            known = tf.reshape(scores, tf.concat([tf.shape(hidden)[:-1], [self.tokens - 1]], axis=0))
        unknown = tf.reduce_logsumexp(known, axis=-1, keepdims=True) + math.log(UNKNOWN_PROBABILITY)
        return tf.concat([unknown, known], axis=-1)

    @property
    def logits_at_once(self) -> int:
        """How many logits `nats` has in memory for one token that follows."""
        return self.tokens if self.bias is None else min(self.tokens, BLOCK)

    def nats(self, hidden: Tensor, following: Tensor) -> Tensor:
        """-log p [...] of the tokens int [...] that follow what the top layer shows [..., units].

        Of a tied readout the logits are gone through block by block: all of them take longer to write than to form."""
        if self.bias is None:
            return tf.nn.sparse_softmax_cross_entropy_with_logits(labels=following, logits=self.logits(hidden))
        vectors, bias = self.embedding.embeddings.value, self.bias.value
        shown, labels = tf.reshape(hidden, [-1, self.units]), tf.reshape(following, [-1])
        blocks = [
            tf.matmul(shown, vectors[begin : begin + BLOCK], transpose_b=True) + bias[begin - 1 : begin - 1 + BLOCK]
            for begin in range(1, self.tokens, BLOCK)
        ]
        known = tf.reduce_logsumexp(tf.stack([tf.reduce_logsumexp(block, axis=-1) for block in blocks]), axis=0)
        own = tf.reduce_sum(shown * tf.gather(vectors, labels), axis=-1) + tf.gather(bias, tf.maximum(labels - 1, 0))
        own = tf.where(labels == 0, known + math.log(UNKNOWN_PROBABILITY), own)
        return tf.reshape(known + math.log1p(UNKNOWN_PROBABILITY) - own, tf.shape(following))

    def one_step(self) -> Any:
        """A function of (token int [batch], states) to (logits [batch, tokens], states): one step, for sampling.

        It is called inside a loop of the graph: where tokens are few, what each brings is formed here, once."""
        first, *others = (layer.cell for layer in self.memory)
        few = self.tokens <= MOST_PROJECTED
        projected = first.project(self.embedding.embeddings) if few else None

        def step(token: Tensor, before: list[LSTMState]) -> tuple[Tensor, list[LSTMState]]:
            brought = tf.gather(projected, token) if few else first.project(self.embedding(token))
            states = [first.advance(brought, before[0])]
            for cell, state in zip(others, before[1:], strict=True):
                states.append(cell.advance(cell.project(states[-1].h), state))
            return self.logits(states[-1].h), states

        return step

    def start(self, batch: Any) -> list[LSTMState]:
        """Zeros: the states at the start of a text."""
        return [LSTMState(*(tf.zeros([batch, self.units]) for _ in LSTMState._fields)) for _ in self.memory]

    def call(self, tokens: Tensor, training: bool = False) -> Tensor:
        """The logits after each token."""
        return self.forward(tokens, training=training).logits

    def get_config(self) -> dict[str, Any]:
        """The arguments."""
        return self.network
