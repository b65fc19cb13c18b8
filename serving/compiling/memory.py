"""What the compiler leaves behind in the C library."""

import ctypes


def give_memory_back() -> None:
    """What the compiler has freed goes back to the system; without this the C library keeps tens of MB of it."""
    try:
        ctypes.CDLL(None).malloc_trim(0)
    except (OSError, AttributeError):  # not the GNU C library
        return
