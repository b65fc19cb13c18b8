"""Asks again what a server could not answer just now, within the deadline of the call.

The pauses double, and each is shortened by chance: clients that failed together do not come back together."""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from serving.client_error import ClientError
from serving.errors import Code

Answer = TypeVar("Answer")
RETRIES = 3
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.1, 2.0
SHORTEST_TRY_SECONDS = 0.001


@dataclass(frozen=True)
class Retrying:
    """Tries a call again that fails with UNAVAILABLE: there was no server, or it could not take the call just now."""

    pause: Callable[[float], None] = time.sleep  # waits between two tries, in seconds
    seconds_now: Callable[[], float] = time.monotonic
    chance: Callable[[], float] = random.random  # from 0 up to 1

    def ask(self, call: Callable[[float], Answer], seconds: float, retries: int = RETRIES) -> Answer:
        """What the call returns.

        call: one try, which may take the seconds that it is given; seconds: for all tries and pauses together;
        retries: tries after the first one. Raises the last try's ClientError."""
        given_up = self.seconds_now() + seconds
        longest = FIRST_PAUSE_SECONDS
        while True:
            try:
                return call(max(given_up - self.seconds_now(), SHORTEST_TRY_SECONDS))
            except ClientError as error:
                pause = longest * (1 + self.chance()) / 2
                if error.code is not Code.UNAVAILABLE or retries < 1 or self.seconds_now() + pause >= given_up:
                    raise
            self.pause(pause)
            retries -= 1
            longest = min(2 * longest, LONGEST_PAUSE_SECONDS)
