"""One deadline for all that has to end: what the first of it takes is not there for the rest."""

from serving.clock import Clock, SystemClock


class TimeLeft:
    """Counts down from the moment that it is made."""

    def __init__(self, seconds: float | None, clock: Clock | None = None) -> None:
        """seconds: None for no limit."""
        self._clock = clock or SystemClock()
        self._until = None if seconds is None else self._clock.micros() + int(seconds * 1e6)

    def seconds(self, more: float = 0.0) -> float | None:
        """How many are left, 0 at least, and so many more; None for no limit."""
        return None if self._until is None else max(self._until - self._clock.micros(), 0) / 1e6 + more
