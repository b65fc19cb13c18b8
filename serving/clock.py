"""Time, handed in: what waits takes a clock, so that a test decides how late it is."""

import threading
import time
from typing import Protocol


class Clock(Protocol):
    """Monotonic time, and waiting."""

    def micros(self) -> int:
        """Microseconds since some fixed moment."""
        ...

    def wait(self, event: threading.Event, micros: int) -> bool:
        """Waits until the event is set or the time has passed; says whether the event is set."""
        ...


class SystemClock:
    """The clock of the machine."""

    def micros(self) -> int:
        """Microseconds since some fixed moment; never goes back."""
        return time.monotonic_ns() // 1000

    def wait(self, event: threading.Event, micros: int) -> bool:
        """Waits until the event is set or the time has passed; says whether the event is set."""
        return event.wait(micros / 1e6)
