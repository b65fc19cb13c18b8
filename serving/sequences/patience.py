"""How long a call waits: until its deadline, or until its client has gone."""

from collections.abc import Callable
from typing import NamedTuple

from serving.errors import CancelledError, DeadlineExceededError, ServingError

LATE = "Timed out waiting for notification"
Gone = Callable[[], bool]


def never() -> bool:
    """A client that stays."""
    return False


class Patience(NamedTuple):
    """Of one call; the default waits for ever."""

    deadline_micros: int | None = None  # by the server's clock
    gone: Gone = never

    def over(self, now: int) -> ServingError | None:
        """Why waiting is of no use any more: DEADLINE_EXCEEDED or CANCELLED."""
        if self.deadline_micros is not None and now >= self.deadline_micros:
            return DeadlineExceededError(LATE)
        return CancelledError("The client has gone while its call waited.") if self.gone() else None


FOREVER = Patience()
NOW = Patience(deadline_micros=0)  # does not wait
