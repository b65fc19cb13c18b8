"""The id of a request: the caller's, or one that is made here. It stands in the answer, the log and the trace."""

import random
import re

HEADER = "x-request-id"
SANE = re.compile(r"[A-Za-z0-9._:/+=@-]{1,128}")  # nothing that a log, a header or a shell could stumble over


def accepted(given: str | None) -> str:
    """The caller's id where it is sane, else a new one."""
    return given if given is not None and SANE.fullmatch(given) else made()


def made() -> str:
    """A new id: 16 hexadecimal digits."""
    return f"{random.getrandbits(64):016x}"
