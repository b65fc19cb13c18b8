"""Moves each version through START, LOADING, AVAILABLE, UNLOADING, END, and never leaves a gap between two versions.

In TensorFlow Serving: core/aspired_versions_manager.cc, core/basic_manager.cc."""

import logging
import threading
from collections.abc import Callable, Container, Iterator, Mapping
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

from serving.clock import Clock, SystemClock
from serving.errors import CancelledError, NotFoundError, ServingError
from serving.harness import Harness, Loader, Retries
from serving.states import State, StateMonitor
from serving.time_left import TimeLeft
from serving.version_policy import Action, Policy, Stage, availability_preserving

log = logging.getLogger(__name__)
TURN_SECONDS = 0.1
Holds = Callable[[str, int, int], bool]  # (model name, version, moment in microseconds from which it was given up)


class Manager:
    """Holds the versions and lets calls use them.

    A loop looks what to do next and does one thing at a time, unloads before loads. num_load_threads and
    num_unload_threads 0: the loop itself loads and unloads, everything else waits meanwhile (calls do not)."""

    def __init__(
        self,
        loader: Loader,
        states: StateMonitor,
        *,
        policy: Policy = availability_preserving,
        retries: Retries = Retries(),  # noqa: B008 (frozen)
        num_load_threads: int = 0,
        num_unload_threads: int = 0,
        clock: Clock | None = None,
        holds: Holds | None = None,
        after_unload: Callable[[], object] | None = None,
    ) -> None:
        """holds: asked before a version is unloaded, again and again; as long as it says so the version stays, but is
        no default any more. after_unload: called each time that one has been, while the server goes on."""
        self.states = states
        self._loader = loader
        self._policy = policy
        self._retries = retries
        self._clock = clock or SystemClock()
        self._load_executor = _executor(num_load_threads, "load")
        self._unload_executor = _executor(num_unload_threads, "unload")
        self.holds = holds
        self._after_unload = after_unload
        self._lock = threading.RLock()
        self._wanted: dict[str, Mapping[int, str]] = {}
        self._harnesses: dict[tuple[str, int], Harness] = {}
        self._serving: dict[str, dict[int, Harness]] = {}  # replaced as a whole, so that it is read without the lock
        self._served: set[tuple[str, int]] = set()  # that have been AVAILABLE
        self._wake = threading.Event()
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="manager", daemon=True)

    def start(self) -> None:
        """Starts the loop."""
        self._thread.start()

    def aspire(self, name: str, versions: Mapping[int, str], needed: Mapping[int, str] | None = None) -> None:
        """From now on exactly these versions (number -> folder) of this name are wanted.

        needed: others, which something still needs though nobody wants them. They are loaded after the wanted ones,
        and stay as if they were given up just now; one that cannot be loaded is done without."""
        with self._lock:
            self._wanted[name] = dict(versions)
            for harness in self._harnesses.values():
                if harness.name != name:
                    continue
                if harness.version not in versions:
                    harness.wanted = False
                    harness.given_up.set()
                elif harness.stage in (Stage.NEW, Stage.READY) or harness.is_taken_up:
                    harness.wanted = True  # again, before it was unloaded
                    harness.given_up.clear()
                    harness.draining_since = None
            for version, folder in (needed or {}).items():
                if (name, version) not in self._harnesses and version not in versions:
                    self._take_up(Harness(name, version, folder))
        self._wake.set()

    def _take_up(self, harness: Harness) -> None:
        harness.wanted, harness.draining_since = False, self._clock.micros()
        harness.given_up.set()
        self._harnesses[harness.name, harness.version] = harness
        self.states.publish(harness.name, harness.version, State.START)

    def takes_up(self, names: Container[str]) -> bool:
        """Whether a version that is only needed is still to be loaded. No lock: as `keeps`."""
        return any(harness.is_taken_up for harness in list(self._harnesses.values()) if harness.name in names)

    def served(self, name: str, version: int) -> bool:
        """Whether this server has had the version AVAILABLE, now or before."""
        with self._lock:
            return (name, version) in self._served

    @contextmanager
    def use(self, name: str, version: int | None = None, starting: bool = False) -> Iterator[Any]:
        """The loaded version with this number, or the highest AVAILABLE one that is not given up; it stays loaded while
        it is used. starting: for something that will need it further on; one that is given up takes none.

        Raises NOT_FOUND when there is none."""
        harness = self.hold(name, version, starting)
        try:
            yield harness.loaded
        finally:
            harness.leave()

    def hold(self, name: str, version: int | None = None, starting: bool = False) -> Harness:
        """As use(), without a block: it stays loaded until it is left."""
        with self._lock:
            harness = self._found(self._serving.get(name), version, starting)
            if harness is not None:
                harness.enter()
                return harness
        request = f"Latest({name})" if version is None else f"Specific({name}, {version})"
        raise NotFoundError(f"Servable not found for request: {request}")

    @staticmethod
    def _found(serving: Mapping[int, Harness] | None, version: int | None, starting: bool) -> Harness | None:
        if not serving:
            return None
        if version is not None:
            harness = serving.get(version)
            return None if harness is not None and starting and harness.draining_since is not None else harness
        highest = serving[max(serving)]
        if highest.draining_since is None:
            return highest
        staying = [number for number, harness in serving.items() if harness.draining_since is None]
        return serving[max(staying)] if staying else None

    def takes_sequences(self, name: str, version: int) -> bool:
        """Whether the version is loaded and not given up."""
        with self._lock:
            return self._found(self._serving.get(name), version, True) is not None

    def keeps(self, name: str, version: int) -> bool:
        """Whether the version is served and wanted. No lock: it is asked by who holds that of the states."""
        harness = self._serving.get(name, {}).get(version)
        return harness is not None and harness.wanted and harness.stage is Stage.READY

    def names(self) -> list[str]:
        """The names that have an AVAILABLE version, or had one."""
        with self._lock:
            return sorted(self._serving)

    def available(self, name: str) -> list[int]:
        """The AVAILABLE versions of this name, lowest first."""
        return sorted(self._serving.get(name, ()))

    def turn(self) -> bool:
        """Takes one step, if there is one to take; says whether there was."""
        held = self._held()
        with self._lock:
            if self._stopping:
                return False
            self._forget_the_ended()
            self._take_on_the_wanted()
            found = self._next(held)
            if found is None:
                return False
            harness, action = found
            if not action.load and self.holds is not None and harness.draining_since is None:
                harness.draining_since = self._clock.micros()
                return True
            harness.stage = Stage.LOADING if action.load else Stage.UNLOADING
        _call(
            self._load_executor if action.load else self._unload_executor,
            self._load if action.load else self._unload,
            harness,
        )
        return True

    def _forget_the_ended(self) -> None:
        for key, harness in list(self._harnesses.items()):
            if harness.stage is Stage.ENDED or (not harness.wanted and harness.stage is Stage.FAILED):
                del self._harnesses[key]
            elif not harness.wanted and harness.stage is Stage.NEW and not harness.is_taken_up:
                self.states.publish(*key, State.END)
                del self._harnesses[key]

    def _take_on_the_wanted(self) -> None:
        for name, versions in self._wanted.items():
            for version, folder in versions.items():
                if (name, version) not in self._harnesses:
                    self._harnesses[name, version] = Harness(name, version, folder)
                    self.states.publish(name, version, State.START)

    def _held(self) -> set[tuple[str, int]]:
        """The versions given up that something still needs. No lock: a store on another machine may be asked."""
        draining = [harness for harness in list(self._harnesses.values()) if harness.is_draining]
        return {
            (harness.name, harness.version)
            for harness in draining
            if self.holds is not None and self.holds(harness.name, harness.version, harness.draining_since or 0)
        }

    def _next(self, held: set[tuple[str, int]]) -> tuple[Harness, Action] | None:
        """The next action over all models, an unload if there is one."""
        by_name: dict[str, list[Harness]] = {}
        for harness in self._harnesses.values():
            if harness.is_draining:
                if (harness.name, harness.version) not in held:
                    return harness, Action(False, harness.version)
                continue  # it stays beside what the policy wants
            if harness.is_taken_up:
                continue  # likewise, once it is loaded
            by_name.setdefault(harness.name, []).append(harness)
        actions = []
        for name, harnesses in by_name.items():
            action = self._policy(harness.snapshot() for harness in harnesses)
            if action is not None:
                actions.append((self._harnesses[name, action.version], action))
        for harness in self._harnesses.values():
            if harness.is_taken_up and harness.stage is Stage.NEW:
                beside = by_name.get(harness.name, ())
                if not any(one.wanted and one.stage in (Stage.NEW, Stage.LOADING) for one in beside):
                    actions.append((harness, Action(True, harness.version)))
        return min(actions, key=lambda found: found[1].load, default=None)

    def _load(self, harness: Harness) -> None:
        self.states.publish(harness.name, harness.version, State.LOADING)
        try:
            harness.load(self._loader, self._retries, self._clock)
        except ServingError as error:
            with self._lock:
                failure = None if harness.is_taken_up else error  # whoever waits for wanted ones is not told
                harness.stage = Stage.FAILED
                self._ended(harness, failure)
            self._wake.set()
            return
        with self._lock:
            if kept := (harness.wanted or harness.is_taken_up) and not self._stopping:
                self._serve(harness)
                harness.stage = Stage.READY
        if kept:
            log.info("Successfully loaded servable version %s", harness)
            self.states.publish(harness.name, harness.version, State.AVAILABLE)
        else:
            harness.close_when_idle()
            with self._lock:
                harness.stage = Stage.ENDED
                self._ended(harness, CancelledError("Loading of servable cancelled"))
        self._wake.set()

    def _ended(self, harness: Harness, error: ServingError | None = None) -> None:
        """Says so. A version that was given up, and is wanted again by now, is loaded anew: for those who wait for it
        that is no end but its start."""
        again = not harness.wanted and harness.version in self._wanted.get(harness.name, {})
        if again:
            self.states.publish(harness.name, harness.version, State.START)
        else:
            self.states.publish(harness.name, harness.version, State.END, error)

    def _serve(self, harness: Harness) -> None:
        self._serving[harness.name] = {**self._serving.get(harness.name, {}), harness.version: harness}
        self._served.add((harness.name, harness.version))

    def _unload(self, harness: Harness, timeout_seconds: float | None = None) -> bool:
        self.states.publish(harness.name, harness.version, State.UNLOADING)
        with self._lock:
            kept = {v: h for v, h in self._serving.get(harness.name, {}).items() if h is not harness}
            self._serving[harness.name] = kept
        if not harness.close_when_idle(timeout_seconds):
            return False
        if self._after_unload is not None and not self._stopping:
            self._after_unload()
        log.info("Done unloading servable version %s", harness)
        with self._lock:
            harness.stage = Stage.ENDED
            self._ended(harness)
        self._wake.set()
        return True

    def load_with_threads(self, number: int) -> None:
        """Replaces the threads that load, after the loads begun with the ones before have ended."""
        before, self._load_executor = self._load_executor, _executor(number, "load")
        if before is not None:
            before.shutdown(wait=True)

    def _run(self) -> None:
        while not self._stopping:
            self._wake.clear()
            if not self.turn():
                self._wake.wait(TURN_SECONDS)

    def stop(self, grace_seconds: float | None = None) -> None:
        """Gives all versions up, waits for the calls that run on them, and unloads them.

        grace_seconds: how long it waits for the calls of all versions together; a version that still runs some then
        stays loaded."""
        with self._lock:
            self._stopping = True  # from here on the loop takes no turn
            for name in list(self._wanted):
                self.aspire(name, {})
        self._wake.set()
        left = TimeLeft(grace_seconds)
        if self._thread.is_alive():
            self._thread.join(left.seconds())
        for executor in (self._load_executor, self._unload_executor):
            if executor is not None:
                executor.shutdown(wait=grace_seconds is None)
        for harness in list(self._harnesses.values()):
            if harness.stage is Stage.READY and not self._unload(harness, left.seconds()):
                log.warning("Servable version %s still runs calls at the end of the server", harness)


def _executor(threads: int, name: str) -> ThreadPoolExecutor | None:
    return ThreadPoolExecutor(threads, thread_name_prefix=name) if threads > 0 else None


def _call(executor: Executor | None, function: Callable[[Harness], Any], harness: Harness) -> None:
    """Runs it in the executor, or here and now where there is none."""
    if executor is None:
        function(harness)
    else:
        executor.submit(function, harness)
