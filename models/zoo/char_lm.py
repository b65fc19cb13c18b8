"""Text character by character: a stacked LSTM that says what may follow.

    logits_t = readout( h_t^2 ),    h_t^l = LSTM^l( h_t^(l-1), h_(t-1)^l ),    h_t^0 = embedding of character t

Slides S10 to S12, one to many: what is drawn from the logits is the next input.
"""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import keras

from models import language
from models.language import Characters, LanguageModel
from models.zoo.entry import Entry

TINY_SHAKESPEARE = "\n !$&',-.3:;?ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"  # its 65 characters


@dataclass(frozen=True)
class CharLM:
    """Embedding, stacked LSTM with dropout on its inputs, between its layers and on its old states, readout."""

    embedding: int = 128
    units: int = 384
    layers: int = 2
    tied: int = 0  # 1: the readout's weights are the embeddings; asks for as many columns as units
    input_dropout: float = 0.1
    dropout: float = 0.35
    recurrent_dropout: float = 0.2
    unknown_rate: float = 0.01

    def build(self, characters: Iterable[str] = TINY_SHAKESPEARE) -> keras.Model:
        """The network over these characters, untrained."""
        return CharacterModel("".join(characters), **asdict(self))


@keras.saving.register_keras_serializable(package="seqzoo")
class CharacterModel(LanguageModel):
    """A language model that knows the characters that its tokens stand for."""

    def __init__(self, characters: str, **network: Any) -> None:
        known = Characters(characters)
        super().__init__(tokens=len(known), **{"name": "char-lm", **network})
        self.characters = known

    def get_config(self) -> dict[str, Any]:
        """The arguments."""
        config = {name: value for name, value in super().get_config().items() if name != "tokens"}
        return {"characters": self.characters.text, **config}


def signatures(model: CharacterModel) -> Mapping[str, Any]:
    """See `models.language.signatures`."""
    return language.signatures(model, model.characters)


ENTRY = Entry(
    "char-lm",
    CharLM,
    task="language-model",
    data="tinyshakespeare",
    metric="validation_nats_per_char",
    summary="text character by character: what may follow, how likely a text is, and text from a prompt",
    signatures=signatures,
)
