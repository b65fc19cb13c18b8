import pytest

from serving.errors import InvalidArgumentError
from serving.sources.config_file import ConfigFileSource
from tests.serving.asking import wait_until


@pytest.fixture
def path(tmp_path):
    file = tmp_path / "models.config"
    file.write_text('model_config_list { config { name: "a" base_path: "/a" model_platform: "tensorflow" } }')
    return file


def names(config):
    return [entry.name for entry in config.model_config_list.config]


def test_the_file_is_read_and_applied_at_once_and_after_each_period(path, clock):
    applied = []
    source = ConfigFileSource(str(path), lambda config: applied.append(names(config)), 3, clock)
    source.start()
    wait_until(lambda: len(applied) > 2)
    source.stop()
    assert applied[0] == ["a"]
    assert set(clock.waits) == {3_000_000}


def test_without_a_period_it_is_applied_once(path, clock):
    applied = []
    source = ConfigFileSource(str(path), applied.append, 0, clock)
    source.start()
    source._thread.join(30)
    assert len(applied) == 1
    source.stop()


def test_a_file_that_does_not_parse_is_only_logged(path, clock, logged):
    path.write_text("model_config_list {")
    source = ConfigFileSource(str(path), pytest.fail, 0, clock)
    source.poll()
    assert logged()[-1] == f"Failed to read ModelServerConfig file: Invalid protobuf file: '{path}'"


def test_a_configuration_that_cannot_be_applied_is_only_logged(path, clock, logged):
    def refuse(config):
        raise InvalidArgumentError("no")

    ConfigFileSource(str(path), refuse, 0, clock).poll()
    assert logged() == ["PollFilesystemAndReloadConfig failed to ReloadConfig: no"]


def test_a_source_that_was_never_started_can_be_stopped(path, clock):
    ConfigFileSource(str(path), pytest.fail, 0, clock).stop()
