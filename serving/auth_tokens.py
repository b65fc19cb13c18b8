"""The tokens file: who may call, and as what. It holds hashes, so that reading it lets nobody in.

    # name  role  sha256 of the token, in hex
    web     predict  2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae

`python -m serving.token web predict` makes such a line. TensorFlow Serving has no such file."""

import hashlib
import hmac
import logging
import os
import re
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from serving.errors import InvalidArgumentError, PermissionDeniedError, ServingError, UnauthenticatedError, from_os

log = logging.getLogger(__name__)
HASH = re.compile(r"[0-9a-fA-F]{64}")
BEARER = re.compile(r"bearer +([A-Za-z0-9._~+/-]+=*) *", re.IGNORECASE | re.ASCII)  # RFC 6750, 2.1
LINE = "expected `name role token-hash`"


class Role(StrEnum):
    """What a caller may do. An admin may do all that predict may."""

    PREDICT = "predict"
    ADMIN = "admin"


@dataclass(frozen=True)
class Caller:
    """One line of the file. Two lines may share a name: so a token is replaced without a gap."""

    name: str
    role: Role
    digest: bytes


def hashed(token: str) -> str:
    """The token as the file holds it. A plain hash is enough: a token of 32 random bytes cannot be guessed."""
    return hashlib.sha256(token.encode()).hexdigest()


def parse(text: str, path: str) -> list[Caller]:
    """The callers; raises INVALID_ARGUMENT with `path:line` and what was expected there.

    No error repeats the third word of a line: somebody may have written the token itself there."""
    callers: list[Caller] = []
    lines: dict[bytes, int] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        words = line.partition("#")[0].split()
        if not words:
            continue
        where = f"{path}:{number}"
        if len(words) != 3:
            raise InvalidArgumentError(f"{where}: {len(words)} words; {LINE}.")
        name, role, digest = words
        if role not in list(Role):
            raise InvalidArgumentError(f"{where}: role {role!r}; expected one of {', '.join(Role)}.")
        if not HASH.fullmatch(digest):
            raise InvalidArgumentError(
                f"{where}: the third word has {len(digest)} characters; expected the sha256 of the token, 64 hex "
                f"digits. `python -m serving.token {name} {role}` makes a line."
            )
        caller = Caller(name, Role(role), bytes.fromhex(digest))
        if caller.digest in lines:
            raise InvalidArgumentError(
                f"{where}: the token of line {lines[caller.digest]}; expected each token once, with one role."
            )
        lines[caller.digest] = number
        callers.append(caller)
    if not callers:
        raise InvalidArgumentError(f"{path}:1: no token in the file; {LINE} on at least one line.")
    return callers


class AuthTokens:
    """The callers in a file that may change while the server runs. A broken file leaves those known in force."""

    def __init__(self, path: str) -> None:
        """Raises ServingError when the file cannot be read."""
        self._path = path
        self._lock = threading.Lock()
        self._seen = self._state()
        self._callers: Sequence[Caller] = _read(path)

    def caller(self, authorization: Sequence[str]) -> Caller:
        """Who calls, by the values of the header `authorization`; raises UNAUTHENTICATED when it is not known."""
        if not authorization:
            raise UnauthenticatedError("No token; expected the header `authorization: Bearer <token>`.")
        found = BEARER.fullmatch(authorization[0]) if len(authorization) == 1 else None
        if found is None:
            raise UnauthenticatedError("The header `authorization` is not understood; expected `Bearer <token>` once.")
        digest = hashlib.sha256(found[1].encode()).digest()
        known: Caller | None = None
        for caller in self._current():  # to the end: the time taken says nothing about which lines came near
            if hmac.compare_digest(caller.digest, digest):
                known = caller
        if known is None:
            raise UnauthenticatedError("The token is not known.")
        return known

    def admin(self, authorization: Sequence[str]) -> Caller:
        """Who calls; raises PERMISSION_DENIED when it is no admin."""
        caller = self.caller(authorization)
        if caller.role is not Role.ADMIN:
            raise PermissionDeniedError(f"{caller.name} has the role {caller.role}; this call wants {Role.ADMIN}.")
        return caller

    def _current(self) -> Sequence[Caller]:
        """The callers of the file as it is now: a token that is taken out is refused from the next call on."""
        state = self._state()
        if state != self._seen:
            with self._lock:
                if state != self._seen:
                    self._seen = state
                    try:
                        self._callers = _read(self._path)
                        log.info("Read %d tokens from %s", len(self._callers), self._path)
                    except ServingError as error:
                        log.error("The tokens known stay in force: %s", error.message)
        return self._callers

    def _state(self) -> tuple[int, ...]:
        """What differs when the file has changed; taken before it is read, so that no change is missed."""
        try:
            found = os.stat(self._path)
        except OSError:
            return ()
        return found.st_mtime_ns, found.st_ctime_ns, found.st_size, found.st_ino


def _read(path: str) -> list[Caller]:
    try:
        with open(path, encoding="utf-8") as file:
            text = file.read()
    except OSError as error:
        raise from_os(error, path) from error
    except UnicodeDecodeError as error:
        raise InvalidArgumentError(f"{path}:1: bytes that are no UTF-8; {LINE}.") from error
    return parse(text, path)
