"""Encoder, attention and decoder: a sequence of tokens to the sequence of tokens that it stands for.

    k_1 ... k_S = BiLSTM( embedded source )
    q_t = LSTM( embedding of y_(t-1), q_(t-1) )     context_t = attention( q_t, k )
    h_t = LSTM( (q_t ; context_t), h_(t-1) )        P(y_t) = softmax( readout of (h_t ; context_t) )

Slide S12, many to many, over the LSTM of slides S10 and S11. Encoder and decoder: Sutskever, Vinyals & Le 2014;
attention asked for by the decoder's lower layer and read by its upper one: Wu et al. 2016, so that in training, where
all y are given, both run over all steps at once.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple

import keras
import tensorflow as tf

from models.layers.equations.lstm import LSTMState
from models.layers.lstm import LSTM
from models.sequence_to_sequence.attention import Attention
from models.sequence_to_sequence.beam_search import END, Step

Tensor = Any


class Encoded(NamedTuple):
    """What the encoder says of a batch of sources."""

    values: Tensor  # [batch, source steps, 2 * encoder_units]
    keys: Tensor  # [batch, source steps, decoder_units]
    mask: Tensor  # [batch, source steps] bool
    start: LSTMState  # of the decoder's lower layer, [batch, decoder_units] a part


class DecoderState(NamedTuple):
    """The states of the decoder's two layers."""

    asking: LSTMState
    writing: LSTMState


@keras.saving.register_keras_serializable(package="seqzoo")
class SequenceToSequence(keras.Model):
    """Maps source int [batch, source steps], -1 past a row's end, and previous int [batch, steps], the output's tokens
    after a first END, to the logits [batch, steps, targets] of each next token of the output.

    sources, targets: how many tokens there are, token 0 of the source being the unknown one and of the target END.
    unknown_rate: the share of source tokens that training shows as unknown; dropout: of what goes between layers."""

    def __init__(
        self,
        sources: int,
        targets: int,
        embedding: int,
        encoder_units: int,
        encoder_layers: int,
        decoder_units: int,
        dropout: float = 0.0,
        unknown_rate: float = 0.0,
        name: str = "sequence_to_sequence",
    ) -> None:
        super().__init__(name=name)
        self.network: dict[str, Any] = {
            "sources": sources, "targets": targets, "embedding": embedding, "encoder_units": encoder_units,
            "encoder_layers": encoder_layers, "decoder_units": decoder_units, "dropout": dropout,
            "unknown_rate": unknown_rate, "name": name,
        }  # fmt: skip
        self.source_embedding = keras.layers.Embedding(sources, embedding, name="source_embedding")
        self.target_embedding = keras.layers.Embedding(targets, embedding, name="target_embedding")
        self.encoder = [
            keras.layers.Bidirectional(
                LSTM(encoder_units, return_sequences=True, return_state=True), name=f"encoder_{level}"
            )
            for level in range(1, encoder_layers + 1)
        ]
        self.bridge = keras.layers.Dense(2 * decoder_units, activation="tanh", name="bridge")
        self.asking = LSTM(decoder_units, return_sequences=True, name="asking")
        self.attention = Attention(decoder_units, name="attention")
        self.writing = LSTM(decoder_units, return_sequences=True, name="writing")
        self.readout = keras.layers.Dense(targets, name="readout")
        self.dropout = keras.layers.Dropout(dropout)
        self.seed = keras.random.SeedGenerator()

    def build(self, input_shape: Any = None) -> None:
        """Makes the weights."""
        embedding, units = self.network["embedding"], self.network["decoder_units"]
        read = 2 * self.network["encoder_units"]
        for table in (self.source_embedding, self.target_embedding):
            table.build((None, None))
        for level, layer in enumerate(self.encoder):
            layer.build((None, None, read if level else embedding))
        self.bridge.build((None, 2 * read))
        self.asking.build((None, None, embedding))
        self.attention.build((None, None, read))
        self.writing.build((None, None, units + read))
        self.readout.build((None, None, units + read))
        self.built = True

    def call(self, inputs: Mapping[str, Tensor], training: bool = False) -> dict[str, Tensor]:
        """The logits, as `target`."""
        if not training:
            return {"target": self.forced(self.encode(inputs["source"]), inputs["previous"])[0]}
        source = tf.identity(inputs["source"])
        if self.network["unknown_rate"]:
            kept = keras.random.uniform(tf.shape(source), seed=self.seed) >= self.network["unknown_rate"]
            source = tf.where(kept, source, tf.minimum(source, 0))
        with self._compiled_loops():
            encoded = self.encode(source, training=True)
            return {"target": self.forced(encoded, inputs["previous"], training=True)[0]}

    def encode(self, source: Tensor, training: bool = False) -> Encoded:
        """Reads the sources, from both ends."""
        mask = source >= 0
        values = self.source_embedding(tf.maximum(source, 0))
        for layer in self.encoder:
            values = self.dropout(values, training=training)
            values, *states = layer(values, mask=mask, training=training)
        start = LSTMState(*tf.split(self.bridge(tf.concat(states, axis=-1)), 2, axis=-1))
        values = self.dropout(tf.identity(values), training=training)
        return Encoded(values, self.attention.keys(values), mask, start)

    def forced(self, encoded: Encoded, previous: Tensor, training: bool = False) -> tuple[Tensor, Tensor]:
        """The logits [batch, steps, targets] where the outputs are given, and the attention's weights
        [batch, steps, source steps]."""
        inputs = self.dropout(self.target_embedding(previous), training=training)
        queries = self.asking(inputs, initial_state=list(encoded.start), training=training)
        contexts, weights = self.attention(queries, encoded.keys, encoded.values, encoded.mask)
        read = self.dropout(tf.concat([tf.cast(queries, contexts.dtype), contexts], axis=-1), training=training)
        hidden = self.writing(read, training=training)
        return self._logits(self.dropout(hidden, training=training), contexts), weights

    def start(self, encoded: Encoded) -> DecoderState:
        """The decoder's state before the first token."""
        return DecoderState(encoded.start, LSTMState(*map(tf.zeros_like, encoded.start)))

    def one_step(self, encoded: Encoded) -> Step:
        """The step that `beam_search` makes: token [batch, width] and DecoderState to log probabilities and state.

        What does not depend on the state is formed here, once."""
        asking, writing, units = self.asking.cell, self.writing.cell, self.network["decoder_units"]
        projected = asking.project(self.target_embedding.embeddings)  # of each token

        def step(token: Tensor, before: DecoderState) -> tuple[Tensor, DecoderState]:
            beam = tf.shape(token)
            rows = beam[0] * beam[1]
            asked, wrote = (LSTMState(*(tf.reshape(part, [rows, units]) for part in state)) for state in before)
            asked = asking.advance(tf.gather(projected, tf.reshape(token, [-1])), asked)
            queries = tf.reshape(asked.h, [*tf.unstack(beam), units])
            contexts, _ = self.attention(queries, encoded.keys, encoded.values, encoded.mask)
            flat = tf.reshape(contexts, [rows, encoded.values.shape[-1]])
            wrote = writing.advance(writing.project(tf.concat([asked.h, flat], axis=-1)), wrote)
            likely = tf.nn.log_softmax(self._logits(wrote.h, flat))
            after = DecoderState(*(LSTMState(*(self._in_beam(part, beam) for part in s)) for s in (asked, wrote)))
            return tf.reshape(likely, [*tf.unstack(beam), self.network["targets"]]), after

        return step

    def _in_beam(self, part: Tensor, beam: Tensor) -> Tensor:
        return tf.reshape(part, [*tf.unstack(beam), self.network["decoder_units"]])

    def _logits(self, hidden: Tensor, contexts: Tensor) -> Tensor:
        return tf.identity(self.readout(tf.concat([hidden, contexts], axis=-1)))

    @contextmanager
    def _compiled_loops(self) -> Iterator[None]:
        """On a CPU the layers' loops run compiled inside, where training is faster by it; what is exported does not."""
        if tf.config.list_physical_devices("GPU"):  # where cuDNN is faster
            yield
            return
        encoders = [way for layer in self.encoder for way in (layer.forward_layer, layer.backward_layer)]
        layers = [*encoders, self.asking, self.writing]
        engines = [layer.engine for layer in layers]
        for layer in layers:
            layer.engine = "compiled"
        try:
            yield
        finally:
            for layer, engine in zip(layers, engines, strict=True):
                layer.engine = engine

    def get_config(self) -> dict[str, Any]:
        """The arguments."""
        return self.network


__all__ = ["END", "DecoderState", "Encoded", "SequenceToSequence"]
