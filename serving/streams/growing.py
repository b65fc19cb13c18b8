"""What of a growing text can be sent: whole characters, nothing that may become a stop string."""

import codecs
from collections.abc import Sequence

REPLACEMENT = "\ufffd"  # what some decoders put for a character that is not complete yet


class GrowingText:
    """The text of one stream: all that was decoded so far, and how much of it was sent."""

    def __init__(self, stops: Sequence[str] = ()) -> None:
        self._stops = tuple(stops)
        self._starts = {stop[:length] for stop in stops for length in range(1, len(stop))}
        self._longest = max(map(len, stops), default=0)
        self._sent = ""

    def grow(self, decoded: bytes, ends: bool) -> tuple[str, bool]:
        """What is to be sent now, and whether a stop string came, after which nothing more may be.

        decoded: UTF-8 of the whole text so far; ends: it will not grow further."""
        text = codecs.getincrementaldecoder("utf-8")("replace").decode(decoded, ends)
        if not text.startswith(self._sent):
            if not ends:
                return "", False  # the decoder has changed its mind; it may again
            self._sent = text[: len(self._sent)]
        begin = len(self._sent)
        found = [at for at in (text.find(stop, begin) for stop in self._stops) if at >= 0]
        if found:
            return text[begin : min(found)], True
        until = len(text)
        if not ends:
            until -= self._held_back(text, begin)
            text = text[:until].rstrip(REPLACEMENT) if text[:until].endswith(REPLACEMENT) else text[:until]
        more = text[begin:]
        self._sent += more
        return more, False

    def _held_back(self, text: str, begin: int) -> int:
        """How many characters at the end are the beginning of a stop string."""
        for length in range(min(self._longest - 1, len(text) - begin), 0, -1):
            if text[-length:] in self._starts:
                return length
        return 0
