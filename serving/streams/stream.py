"""One stream: what it was asked for, the tokens so far, and what of their text was sent."""

from enum import StrEnum

import numpy as np

from serving.errors import ServingError
from serving.sequences.holding import Held, Holding
from serving.sequences.joining import Step
from serving.sequences.patience import Patience
from serving.streams.asking import Asked
from serving.streams.drawing import NONE, Chance
from serving.streams.events import GONE, Done, Failed, Outbox, Token
from serving.streams.growing import GrowingText
from serving.streams.text_model import TextModel


class Finish(StrEnum):
    """Why a text has ended."""

    LENGTH = "length"
    STOP = "stop"
    END = "end"


class Stream:
    """Its sequence is in its hands until it has ended."""

    def __init__(
        self,
        asked: Asked,
        held: Held,
        holding: Holding,
        outbox: Outbox,
        end_token: int | None,
        timeout_ms: int | None,
    ) -> None:
        """timeout_ms: the longest that one step may take."""
        self.asked = asked
        self.held = held
        self.outbox = outbox
        self.timeout_ms = timeout_ms
        self.ended = False
        self.error: ServingError | None = None
        self.chance = Chance(asked.seed)
        self.text_tokens: list[int] = []  # those that have a text: all but the model's end token
        self._holding = holding
        self._end_token = end_token
        self._token = NONE  # the last one, to be fed
        self._number = 0  # of tokens
        self._finish: Finish | None = None
        self._text = GrowingText(asked.stop)

    def step(self, model: TextModel, deadline_micros: int | None) -> Step:
        """The step that reads its last token."""
        step = model.step(self.held.record.state, np.array([self._token]))
        step.patience = Patience(deadline_micros, self.gone)
        return step

    def gone(self) -> bool:
        """Whether nobody takes its events any more."""
        return self.outbox.closed is not None

    @property
    def complete(self) -> bool:
        """Whether the text has ended: its last token is fed only so that the kept sequence stands after it."""
        return self._finish is not None

    def add(self, token: int) -> None:
        """A token was drawn."""
        self._token = token
        self._number += 1
        if token == self._end_token:
            self._finish = Finish.END
        else:
            self.text_tokens.append(token)
            if self._number == self.asked.max_tokens:
                self._finish = Finish.LENGTH

    def show(self, decoded: bytes) -> None:
        """The text of all tokens so far: sends what is new. Ends the stream when it was the last and none is kept."""
        text, stopped = self._text.grow(decoded, self.complete)
        if stopped:
            self._finish = Finish.STOP
        self.outbox.put(Token(text, self._number - 1))
        if self.complete and not self.asked.keep:
            self.close()

    def close(self) -> None:
        """All is sent: the sequence ends, or is kept."""
        try:
            if self.asked.keep:
                self._holding.put_back(self.held)
            else:
                self._holding.end(self.held)
        except ServingError as error:
            self.error = error
            self._say(Failed(error))
            return
        kept = self.held.key.id if self.asked.keep else None
        self._say(Done(self._number, str(self._finish), kept))

    def drop(self) -> None:
        """Nobody takes its events any more. The sequence goes with its client; for any other reason it has failed."""
        why = self.outbox.closed or GONE
        if why is not GONE:
            self.fail(why)
            return
        self.ended = True
        self._holding.end(self.held)

    def fail(self, error: ServingError) -> None:
        """It cannot go on; a sequence that was known before stays as it was."""
        self.ended, self.error = True, error
        try:
            self._holding.leave(self.held)
        finally:
            self._say(Failed(error))

    def _say(self, last: Done | Failed) -> None:
        self.ended = True
        self.outbox.put(last)
