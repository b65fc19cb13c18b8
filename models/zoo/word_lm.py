"""Text word by word: a stacked LSTM that says which word may follow.

    logits_t = E h_t^2 + b,    h_t^l = LSTM^l( h_t^(l-1), h_(t-1)^l ),    h_t^0 = E[ word t ]

Slides S10 to S12, one to many. The readout's weights are the embeddings: Press & Wolf 2017, Inan et al. 2017.
"""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import keras
import tensorflow as tf

from models import language
from models.language import LanguageModel, Words
from models.language.signatures import state_names
from models.layers.equations.lstm import LSTMState
from models.zoo.entry import Entry

Tensor = Any


@dataclass(frozen=True)
class WordLM:
    """Embedding, stacked LSTM with dropout on its inputs, between its layers and on its old states, tied readout."""

    units: int = 200  # of each layer, and of the vector of a word
    layers: int = 2
    input_dropout: float = 0.1
    dropout: float = 0.2
    recurrent_dropout: float = 0.0

    def build(self, words: Iterable[str] = ("the", ",", ".", "of")) -> keras.Model:
        """The network over these words, the most frequent first, untrained."""
        return WordModel(list(words), embedding=self.units, tied=True, **asdict(self))


@keras.saving.register_keras_serializable(package="seqzoo")
class WordModel(LanguageModel):
    """A language model that knows the words that its tokens stand for."""

    def __init__(self, words: list[str], **network: Any) -> None:
        known = Words(words)
        super().__init__(tokens=len(known), **{"name": "word-lm", **network})
        self.words = known

    @property
    def tables(self) -> list[Any]:
        """The look-up tables that its signatures use."""
        return [self.words.table]

    def get_config(self) -> dict[str, Any]:
        """The arguments."""
        config = {name: value for name, value in super().get_config().items() if name != "tokens"}
        return {"words": self.words.listed, **config}


def signatures(model: WordModel) -> Mapping[str, Any]:
    """See `models.language.signatures`; and score: a chunk of tokens, those that follow and the states to the nats of
    each that follows, what the top layer shows [batch, time, units], and the states."""
    names = state_names(len(model.memory))
    states = [tf.TensorSpec([None, model.units], tf.float32, name) for name in names]
    chunk = [tf.TensorSpec([None, None], tf.int32, name) for name in ("tokens", "following")]

    @tf.function(input_signature=[*chunk, *states], autograph=False)
    def score(tokens: Tensor, following: Tensor, *parts: Tensor) -> dict[str, Tensor]:
        text = tf.strings.format(f"tokens got {{}}; each must be from 0 to {model.tokens - 1}", tokens)
        right = tf.reduce_all((tokens >= 0) & (tokens < model.tokens) & (following >= 0) & (following < model.tokens))
        with tf.control_dependencies([tf.debugging.Assert(right, [text])]):
            tokens = tf.identity(tokens)
        shown, after = model.hidden(tokens, before=[LSTMState(*parts[i : i + 2]) for i in range(0, len(parts), 2)])
        flat = [part for state in after for part in state]
        return {"nats": model.nats(shown, following), "hidden": shown, **dict(zip(names, flat, strict=True))}

    return {**language.signatures(model, model.words), "score": score}


ENTRY = Entry(
    "word-lm",
    WordLM,
    task="language-model",
    data="wikitext-2",
    metric="validation_perplexity",
    summary="text word by word: what may follow, how likely a text is, and text from a prompt",
    signatures=signatures,
    evaluated="score",
)
