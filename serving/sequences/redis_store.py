"""The store in Redis: several servers share the sequences, which outlive the servers.

A server leases a sequence for the time of a call: the lease has a fencing number and runs out unless it is renewed, and
what a server writes counts only if its number is still the newest. A server that has stood still for longer than its
lease can therefore overwrite nothing. Moments are by Redis's clock; counts and limits are over all servers."""

import logging
import uuid
from collections import Counter
from collections.abc import Callable, Mapping, Sequence

from serving.clock import Clock
from serving.errors import ServingError
from serving.sequences import errors
from serving.sequences.leases import Lease, Leases
from serving.sequences.patience import FOREVER, Patience
from serving.sequences.redis_calls import RedisCalls, ScriptCall, key_of, member, prefix
from serving.sequences.redis_fields import from_fields, to_fields
from serving.sequences.settings import Settings
from serving.sequences.store import Change, Key, Record, Store

log = logging.getLogger(__name__)
LEASE_SECONDS = 3.0
FIRST_PAUSE_MICROS, LONGEST_PAUSE_MICROS = 1_000, 50_000  # between two tries to get a lease
START_MICROS = 60_000_000  # so long a start counts whose server is lost
EXPIRED = b"expired"


class RedisStore(Store):
    """Records in a Redis server that several model servers share."""

    reads_at_once = False

    def __init__(
        self, url: str, clock: Clock, settings: Callable[[str], Settings], lease_seconds: float = LEASE_SECONDS
    ) -> None:
        """settings: of a model. Raises INVALID_ARGUMENT for a URL that does not parse."""
        super().__init__()
        self._redis = RedisCalls(url)
        self._clock = clock
        self._settings = settings
        self._server = uuid.uuid4().hex
        self._lease_ms = int(lease_seconds * 1000)
        self._leases = Leases(lease_seconds, clock, self._renew)
        self._models: set[str] = set()  # that Redis knows to have sequences
        self._starting: dict[Key, int] = {}  # version, of starts of this server that Redis counts
        self._starting_versions: Counter[tuple[str, int]] = Counter()

    def start(self) -> None:
        """Connects. A Redis that is not there yet is only logged: calls say so until it is."""
        try:
            self._redis.models()
            log.info("Sequences are kept in %s", self._redis.address)
        except ServingError as error:
            log.error("%s: %s", self._redis.address, error.message)
        self._leases.start()

    def stop(self) -> None:
        """Ends the connections; the sequences stay."""
        self._leases.stop()
        self._redis.close()

    def read(self, key: Key, patience: Patience = FOREVER) -> Record | None:
        """The record, leased to this server; waits while another one has it."""
        pause, waited = FIRST_PAUSE_MICROS, False
        while True:
            call = ScriptCall(key.model, key, "take", (member(key), self._server, self._lease_ms))
            fence, number, *fields = self._redis.one(call)
            if fields == [EXPIRED]:
                fields = []
                self.expired(key)
            if fence:
                self._leases.add(key, f"{fence}:{self._server}".encode())
            over = patience.over(self._clock.micros()) if waited or not fence else None
            if over is not None:
                self.release(key)
                raise over
            if fence:
                break
            if not self._leases.pause(min(pause, number)):
                raise errors.store_unreachable("the server is shutting down")
            pause, waited = min(2 * pause, LONGEST_PAUSE_MICROS), True
        if not fields:
            return None
        by_name = dict(zip(fields[::2], fields[1::2], strict=True))
        try:
            used = self._clock.micros() - max(number - int(by_name[b"used"]), 0)
            return from_fields(by_name, used)
        except (KeyError, ValueError) as error:
            self.release(key)
            raise errors.store_unreachable(f"what it has of {key.id!r} is no sequence ({error!r})") from error

    def write(self, changes: Sequence[Change]) -> list[ServingError | None]:
        """Makes the changes, all in one round trip; ABORTED for those that another server has taken over."""
        calls = [self._put(change) for change in changes]
        asked = [call for call in calls if call is not None]
        answers = iter(self._redis.run(asked) if asked else ())
        return [
            errors.taken_over(change.key.id) if call is None else self._written(change, next(answers))
            for change, call in zip(changes, calls, strict=True)
        ]

    def _put(self, change: Change) -> ScriptCall | None:
        """None where this server has no lease."""
        key, record = change.key, change.record
        token = self._leases.token(key)
        if token is None:
            return None
        arguments: list[object] = [member(key), token, int(change.goes_on)]
        if record is not None:
            age = max(self._clock.micros() - record.used_micros, 0)
            settings = self._settings(key.model)
            seconds = settings.retain_ended_seconds if record.ended else settings.gone_after_seconds
            arguments += [age, seconds * 1000, record.nbytes, record.version, int(record.ended), *to_fields(record)]
        return ScriptCall(key.model, key, "put", arguments)

    def _written(self, change: Change, answer: int | ServingError) -> ServingError | None:
        if isinstance(answer, ServingError):
            return answer
        if not change.goes_on or not answer:
            self._leases.drop(change.key)
        if not answer:
            return errors.taken_over(change.key.id)
        self._starting.pop(change.key, None)
        return None

    def release(self, key: Key) -> None:
        """Gives the lease back; one that cannot be given back runs out."""
        token = self._leases.drop(key)
        if token is not None:
            self._redis.run([ScriptCall(key.model, key, "release", (token,))])

    def _renew(self, held: Mapping[Key, Lease]) -> None:
        calls = [
            ScriptCall(key.model, key, "renew", (lease.token, self._lease_ms, member(key), START_MICROS))
            for key, lease in held.items()
        ]
        for key, answer in zip(held, self._redis.run(calls), strict=True):
            if isinstance(answer, ServingError):
                log.warning(
                    "The lease on sequence %r of model %s is not renewed: %s", key.id, key.model, answer.message
                )

    def reserve(self, key: Key, version: int, most: int) -> None:
        """Counts a sequence that is about to start; raises UNAVAILABLE when there are as many as that already."""
        if key.model not in self._models:
            self._redis.add_model(key.model)
            self._models.add(key.model)
        settings = self._settings(key.model)
        lifetimes = [seconds * 1_000_000 for seconds in (settings.gone_after_seconds, settings.retain_ended_seconds)]
        arguments = (member(key), most, START_MICROS, prefix(key.model), *lifetimes)
        made, expired = self._redis.one(ScriptCall(key.model, None, "reserve", arguments))
        for one in expired:
            self.expired(key_of(key.model, one))
        if not made:
            raise errors.too_many()
        self._starting[key] = version
        self._starting_versions[key.model, version] += 1

    def unreserve(self, key: Key, version: int) -> None:
        """The start has failed, or was written: then Redis counts it no more already."""
        self._starting_versions[key.model, version] -= 1
        if self._starting.pop(key, None) is not None:
            self._redis.run([ScriptCall(key.model, None, "unreserve", (member(key),))])

    def live(self, model: str, version: int | None = None) -> int:
        """Sequences of the model, or of one of its versions."""
        if version is None:
            return int(self._redis.one(ScriptCall(model, None, "live")))
        found = int(self._redis.one(ScriptCall(model, None, "live", (version,))))
        return found + self._starting_versions[model, version]

    def models(self) -> list[str]:
        """The models that have, or had, sequences."""
        return self._redis.models()

    def nbytes(self, model: str | None = None) -> int:
        """Bytes of all records, or of those of a model."""
        models = self.models() if model is None else [model]
        return sum(int(self._redis.one(ScriptCall(name, None, "bytes"))) for name in models)

    def unused_since(self, model: str, micros: int, ended: bool = False) -> list[Key]:
        """Sequences whose last successful call was before that moment."""
        age = max(self._clock.micros() - micros, 0)
        found = self._redis.one(ScriptCall(model, None, "unused", (age, int(ended))))
        return [key_of(model, one) for one in found]
