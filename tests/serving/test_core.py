import threading

import pytest
from google.protobuf import text_format

from serving.core import ServerCore
from serving.errors import ServingError, UnavailableError
from serving.harness import Retries
from serving.labels import Labels
from serving.manager import Manager
from serving.model_config import ModelServerConfig
from serving.sources.folders import FolderSource
from serving.states import State, StateMonitor
from tests.serving.asking import wait_until


class Loaded:
    def close(self):
        pass


@pytest.fixture
def broken():
    """Versions that fail to load."""
    return set()


@pytest.fixture
def core(broken, clock):
    """A core whose manager and source run, on versions that are empty folders."""

    def load(name, version, folder):
        if version in broken:
            raise UnavailableError(f"{name} {version} is broken")
        return Loaded()

    manager = Manager(load, StateMonitor(), retries=Retries(0), num_load_threads=2)
    source = FolderSource(manager.aspire, 0, clock)
    found = ServerCore(manager, source, Labels(manager.available))
    manager.start()
    yield found
    found.stop()
    source.stop()
    manager.stop()


@pytest.fixture
def config(tmp_path):
    """A configuration of models, given as name -> (versions that exist, further fields)."""

    def make(**models):
        entries = []
        for name, (versions, *fields) in models.items():
            for version in versions:
                (tmp_path / name / str(version)).mkdir(parents=True, exist_ok=True)
            platform = "" if any("model_platform" in f for f in fields) else 'model_platform: "tensorflow"'
            entries.append(f'config {{ name: "{name}" base_path: "{tmp_path / name}" {platform} {" ".join(fields)} }}')
        return text_format.Parse(f"model_config_list {{ {' '.join(entries)} }}", ModelServerConfig())

    return make


def refused(call, *args):
    with pytest.raises(ServingError) as error:
        call(*args)
    return error.value.status


def test_a_start_returns_when_its_models_are_available(core, config):
    core.start(config(a=([1, 2],), b=([7],)))
    assert core.manager.available("a") == [2]
    assert core.manager.available("b") == [7]


def test_a_start_fails_when_the_highest_version_of_a_model_fails(core, config, broken):
    broken.add(2)
    assert refused(core.start, config(a=([2],), b=([1],))) == (
        "UNKNOWN: 1 servable(s) did not become available: {{{name: a version: 2} due to error: UNAVAILABLE: a 2 is "
        "broken}, }"
    )


def test_a_reload_speaks_of_models_and_stays_applied_when_a_new_one_fails(core, config, broken):
    core.start(config(a=([1],)))
    broken.add(9)
    wanted = config(b=([9],))
    assert refused(core.reload, wanted) == (
        "UNKNOWN: 1 model(s) did not become available: {{{name: b version: 9} due to error: UNAVAILABLE: b 9 "
        "is broken}, }"
    )
    core.reload(wanted)  # the name counts as known now
    wait_until(lambda: core.manager.available("a") == [])


def test_a_reload_whose_caller_has_gone_waits_no_longer_for_its_models_or_its_turn(core, config):
    core.start(config(a=([1],)))
    gone, found = threading.Event(), []
    lists = [config(a=([1],), never=([],)), config(a=([1],), nor=([],))]  # the first to come keeps the other waiting
    for missing in lists:
        (_, entry) = missing.model_config_list.config
        entry.base_path += "/absent"
    threads = [
        threading.Thread(target=lambda c=c: found.append(refused(lambda: core.reload(c, gone=gone.is_set))))
        for c in lists
    ]
    for thread in threads:
        thread.start()
    gone.set()
    for thread in threads:
        thread.join(30)
    assert found == ["CANCELLED: The caller of the reload has gone."] * 2
    core.reload(config(b=([1],)))
    assert core.manager.available("b") == [1]


def test_a_new_list_replaces_the_old_one(core, config):
    core.start(config(a=([1],), b=([1],)))
    core.reload(config(b=([1],), c=([5],)))
    assert core.manager.available("c") == [5]
    wait_until(lambda: core.manager.available("a") == [])
    assert core.manager.states.versions("a")[1].state is State.END
    assert core.manager.available("b") == [1]


def test_a_name_that_was_dropped_and_comes_again_is_waited_for(core, config):
    core.start(config(a=([1],), b=([1],)))
    core.reload(config(b=([1],)))
    wait_until(lambda: core.manager.states.versions("a")[1].state is State.END)
    core.reload(config(a=([1],), b=([1],)))
    assert core.manager.available("a") == [1]


def test_a_new_version_policy_applies_without_waiting(core, config):
    core.start(config(a=([1, 2, 3],)))
    core.reload(config(a=([], "model_version_policy { specific { versions: 1 versions: 3 } }")))
    wait_until(lambda: core.manager.available("a") == [1, 3])


def test_a_list_can_only_be_followed_by_a_list(core, config):
    core.start(config(a=([1],)))
    assert refused(core.reload, ModelServerConfig()) == (
        "FAILED_PRECONDITION: Cannot transition to requested config. It is only legal to transition from one "
        "ModelConfigList to another."
    )
    assert core.manager.available("a") == [1]


def test_an_empty_configuration_is_legal_and_a_list_may_follow(core, config):
    core.start(ModelServerConfig())
    assert refused(core.labels.version, "a", "x") == "UNAVAILABLE: Model labels does not init yet.x"
    core.reload(config(a=([1],)))
    assert core.manager.available("a") == [1]


def test_a_list_without_models_is_legal(core, config):
    core.start(config())
    assert refused(core.labels.version, "a", "x") == "INVALID_ARGUMENT: Unrecognized servable version label: x"


def test_the_first_configuration_cannot_have_labels(core, config):
    assert refused(core.start, config(a=([1], 'version_labels { key: "stable" value: 1 }'))).startswith(
        "FAILED_PRECONDITION: Request to assign label to version 1 of model a"
    )


def test_a_label_that_cannot_be_leaves_models_and_labels_as_they_were(core, config):
    core.start(config(a=([1],)))
    core.reload(config(a=([1], 'version_labels { key: "stable" value: 1 }')))
    assert refused(core.reload, config(b=([1], 'version_labels { key: "x" value: 1 }'))).startswith(
        "FAILED_PRECONDITION"
    )
    assert core.labels.version("a", "stable") == 1
    assert core.manager.available("a") == [1]
    assert core.manager.states.versions("b") == {}


def test_a_platform_that_is_not_served_changes_labels_but_no_models(core, config):
    core.start(config(a=([1],)))
    core.reload(config(a=([1], 'version_labels { key: "stable" value: 1 }')))
    assert refused(core.reload, config(a=([1],), b=([1], 'model_platform: "torch"'))) == (
        "INVALID_ARGUMENT: Model b requests unsupported platform torch"
    )
    assert refused(core.labels.version, "a", "stable").startswith("INVALID_ARGUMENT")
    assert core.manager.states.versions("b") == {}
    core.reload(config(a=([1],)))  # and is not remembered


def test_a_platform_must_not_change(core, config):
    core.start(config(a=([1],)))
    assert refused(core.reload, config(a=([1], 'model_platform: "torch"'))).startswith(
        "INVALID_ARGUMENT: Illegal to change a model's platform. For model a"
    )


def test_a_logging_config_is_refused_after_the_models_are_loaded(core, config):
    assert refused(core.start, config(a=([1], "logging_config {}"))) == (
        "INVALID_ARGUMENT: No request-logger-creator provided."
    )
    assert core.manager.available("a") == [1]


def test_a_start_waits_for_a_base_path_that_is_absent_until_the_server_ends(core, config):
    failed = []

    def start():
        try:
            core.start(config(a=([],)))
        except ServingError as error:
            failed.append(error.status)

    starting = threading.Thread(target=start)
    starting.start()
    core.stop()
    starting.join(30)
    assert failed == ["CANCELLED: The server is shutting down."]
