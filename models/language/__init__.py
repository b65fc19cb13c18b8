"""What language models share: the network, text to tokens and back, likelihood, sampling, and their signatures."""

from models.language.characters import Characters
from models.language.network import LanguageModel
from models.language.signatures import signatures
from models.language.vocabulary import Words

__all__ = ["Characters", "LanguageModel", "Words", "signatures"]
