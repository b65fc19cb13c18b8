import threading

import pytest

from serving.clock import SystemClock
from serving.model_config import ModelConfig
from serving.sources.folders import FolderSource
from tests.serving.asking import wait_until


class Aspired:
    """Remembers the last call for each name, and how many there were."""

    def __init__(self):
        self.versions = {}
        self.calls = 0

    def __call__(self, name, versions, needed):
        self.versions[name] = sorted(versions)
        self.needed = dict(needed)
        self.calls += 1


@pytest.fixture
def aspired():
    return Aspired()


@pytest.fixture
def make(aspired):
    """A source with this period; it is stopped at the end."""
    made = []

    def source(period_seconds, clock=None):
        made.append(FolderSource(aspired, period_seconds, clock or SystemClock()))
        return made[-1]

    yield source
    for one in made:
        one.stop()


def model(tmp_path, name, *versions):
    for version in versions:
        (tmp_path / name / str(version)).mkdir(parents=True)
    return ModelConfig(name, str(tmp_path / name))


def test_a_poll_says_which_versions_are_wanted_of_each_model(make, aspired, tmp_path):
    source = make(-1)
    source.update([model(tmp_path, "a", 1, 2), model(tmp_path, "b", 7)])
    assert aspired.calls == 0  # a negative period never polls by itself
    source.poll()
    assert aspired.versions == {"a": [2], "b": [7]}


def test_one_absent_base_path_stops_the_poll_for_all_models(make, aspired, tmp_path, logged):
    source = make(-1)
    source.update([model(tmp_path, "a", 1), ModelConfig("b", str(tmp_path / "absent"))])
    source.poll()
    assert aspired.calls == 0
    path = tmp_path / "absent"
    assert logged() == [
        f"FileSystemStoragePathSource encountered a filesystem access error: Could not find base path {path} for "
        f"servable b with error NOT_FOUND: {path}; No such file or directory"
    ]


def test_a_name_left_out_is_given_up_at_once(make, aspired, tmp_path):
    source = make(-1)
    source.update([model(tmp_path, "a", 1), model(tmp_path, "b", 1)])
    source.poll()
    source.update([ModelConfig("b", str(tmp_path / "b"))])
    assert aspired.versions == {"a": [], "b": [1]}


def test_versions_that_come_and_go_are_found_by_the_next_poll(make, aspired, tmp_path):
    source = make(-1)
    source.update([model(tmp_path, "a", 1)])
    source.poll()
    (tmp_path / "a" / "2").mkdir()
    source.poll()
    assert aspired.versions == {"a": [2]}
    (tmp_path / "a" / "1").rmdir()
    (tmp_path / "a" / "2").rmdir()
    source.poll()
    assert aspired.versions == {"a": []}


def test_the_thread_polls_after_each_period(make, aspired, tmp_path, clock):
    polls = threading.Semaphore(0)

    def wait(event, micros):
        clock.waits.append(micros)
        polls.acquire(timeout=30)
        return event.is_set()

    clock.wait = wait
    source = make(5, clock)
    source.update([model(tmp_path, "a", 1)])
    wait_until(lambda: aspired.versions == {"a": [1]})
    (tmp_path / "a" / "2").mkdir()
    polls.release()
    wait_until(lambda: aspired.versions == {"a": [2]})
    assert set(clock.waits) == {5_000_000}
    source._stopping = True
    polls.release(10)


def test_a_period_of_0_looks_once_for_each_list(make, aspired, tmp_path):
    source = make(0)
    source.update([model(tmp_path, "a", 1)])
    wait_until(lambda: aspired.versions == {"a": [1]})
    source.update([ModelConfig("a", str(tmp_path / "a")), model(tmp_path, "b", 1)])
    wait_until(lambda: aspired.versions == {"a": [1], "b": [1]})
    assert aspired.calls == 3


def test_the_first_look_at_a_model_says_which_others_are_needed(make, aspired, tmp_path):
    source = make(-1)
    asked = []
    source.needed = lambda name, others: asked.append((name, sorted(others))) or {1: others[1]}
    source.update([model(tmp_path, "a", 1, 2, 3)])
    source.poll()
    assert (aspired.versions, aspired.needed) == ({"a": [3]}, {1: str(tmp_path / "a" / "1")})
    source.poll()
    assert (aspired.versions, aspired.needed) == ({"a": [3]}, {})
    assert asked == [("a", [1, 2])]
