"""The zoo as one table that can be read: a name, and the module that holds the network."""

import difflib
import importlib

from models.zoo.entry import Entry

ZOO = {
    "char-lm": "models.zoo.char_lm",
    "cook": "models.zoo.cook",
    "forecast": "models.zoo.forecast",
    "g2p": "models.zoo.g2p",
    "intent-slots": "models.zoo.intent_slots",
    "speaker": "models.zoo.speaker",
    "tagger": "models.zoo.tagger",
    "weather": "models.zoo.weather",
    "word-lm": "models.zoo.word_lm",
    "xor": "models.zoo.xor",
}


class UnknownModelError(LookupError):
    """The zoo has no model of that name; the text names the nearest."""


def entry(name: str) -> Entry:
    """The entry of that name. Raises UnknownModelError, with the nearest names, when there is none."""
    if name not in ZOO:
        near = difflib.get_close_matches(name, ZOO, n=1) or sorted(ZOO)
        raise UnknownModelError(f"no model {name!r} in the zoo; nearest: {', '.join(near)}; `seqzoo list` shows all")
    found: Entry = importlib.import_module(ZOO[name]).ENTRY
    return found
