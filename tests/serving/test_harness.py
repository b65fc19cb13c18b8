import threading

import pytest

from serving.errors import InvalidArgumentError, ServingError
from serving.harness import Harness, Retries
from serving.version_policy import Snapshot, Stage


class Loaded:
    closed = False

    def close(self):
        self.closed = True


class Loader:
    """Fails this often, then loads."""

    def __init__(self, failures):
        self.failures = failures
        self.tries = 0

    def __call__(self, name, version, folder):
        self.tries += 1
        if self.tries <= self.failures:
            raise InvalidArgumentError(f"try {self.tries} of {name} {version} in {folder}")
        return Loaded()


def test_a_load_that_works_is_tried_once(clock):
    harness, loader = Harness("m", 1, "/m/1"), Loader(0)
    harness.load(loader, Retries(), clock)
    assert (loader.tries, clock.waits) == (1, [])
    assert isinstance(harness.loaded, Loaded)


def test_a_failed_load_is_tried_again_after_the_interval(clock):
    harness, loader = Harness("m", 1, "/m/1"), Loader(2)
    harness.load(loader, Retries(5, 60_000_000), clock)
    assert (loader.tries, clock.waits) == (3, [60_000_000] * 2)


@pytest.mark.parametrize(("retries", "tries"), [(0, 1), (2, 3), (-1, 1)])
def test_the_last_error_is_raised_when_the_tries_are_used_up(clock, retries, tries):
    loader = Loader(99)
    with pytest.raises(ServingError, match=f"try {tries} of m 1 in /m/1"):
        Harness("m", 1, "/m/1").load(loader, Retries(retries, 10), clock)
    assert loader.tries == tries
    assert len(clock.waits) == tries - 1


def test_a_negative_interval_means_no_wait(clock):
    with pytest.raises(ServingError):
        Harness("m", 1, "/m/1").load(Loader(99), Retries(3, -1), clock)
    assert clock.waits == []


def test_a_version_given_up_is_not_tried_again(clock):
    harness, loader = Harness("m", 1, "/m/1"), Loader(99)
    harness.given_up.set()
    with pytest.raises(ServingError, match="try 1"):
        harness.load(loader, Retries(5, 10), clock)
    assert loader.tries == 1


def test_an_error_that_no_code_foresaw_is_internal(clock):
    def loader(name, version, folder):
        raise RuntimeError("boom")

    with pytest.raises(ServingError) as error:
        Harness("m", 1, "/m/1").load(loader, Retries(0), clock)
    assert error.value.status == "INTERNAL: RuntimeError: boom"


def test_it_is_closed_when_the_last_call_has_left(clock):
    harness = Harness("m", 1, "/m/1")
    harness.load(Loader(0), Retries(), clock)
    loaded = harness.loaded
    harness.enter()
    harness.enter()
    closing = threading.Thread(target=harness.close_when_idle)
    closing.start()
    harness.leave()
    assert not loaded.closed
    harness.leave()
    closing.join(30)
    assert loaded.closed
    assert harness.loaded is None


def test_a_policy_sees_version_stage_and_wish():
    assert Harness("m", 4, "/m/4").snapshot() == Snapshot(4, Stage.NEW, True)
    assert str(Harness("m", 4, "/m/4")) == "{name: m version: 4}"
