"""`export`: the champion, or a network whose weights are given, into a repository."""

import shutil

import pytest

from tests.training import small
from training.errors import InputError
from training.export import packed
from training.export import repository as repositories
from training.export.command import export


@pytest.fixture
def home(trained, monkeypatch):
    monkeypatch.setenv("SEQZOO_HOME", str(trained[0]))
    return trained[0]


def test_the_champion_goes_out_under_its_registered_number(home, trained, tmp_path):
    folder = export("weather", tmp_path)
    assert folder == tmp_path / "weather" / "1"
    original = trained[1].folder
    for name in ("saved_model.pb", "assets.extra/lineage.json", "assets.extra/tf_serving_warmup_requests"):
        assert (folder / name).read_bytes() == (original / name).read_bytes()


def test_exporting_again_changes_nothing(home, tmp_path):
    folder = export("weather", tmp_path)
    before = (folder / "saved_model.pb").stat().st_mtime_ns
    assert export("weather", tmp_path, version=1) == folder
    assert (folder / "saved_model.pb").stat().st_mtime_ns == before


def test_a_number_taken_by_another_origin_is_refused(home, tmp_path):
    shutil.copytree(export("weather", tmp_path / "a"), tmp_path / "b" / "weather" / "1")
    (tmp_path / "b" / "weather" / "1" / "assets.extra" / "lineage.json").unlink()
    with pytest.raises(InputError, match="is there already; a version never changes"):
        export("weather", tmp_path / "b")


def test_a_version_that_was_never_registered_says_so(home, tmp_path):
    with pytest.raises(InputError, match=r"'weather' has no version 99 at sqlite:.*seqzoo ui"):
        export("weather", tmp_path, version=99)


def test_before_any_training_the_weights_that_come_along_go_out_and_no_store_is_made(seqzoo_home, tmp_path):
    folder = export("weather", tmp_path)
    assert folder == tmp_path / "weather" / "0"
    assert repositories.lineage(folder) == repositories.lineage(packed.folder_of("weather"))
    written = (folder / "variables" / "variables.index").stat().st_mtime_ns
    assert export("weather", tmp_path) == folder
    assert (folder / "variables" / "variables.index").stat().st_mtime_ns == written
    assert not seqzoo_home.exists()


def test_a_champion_goes_before_the_weights_that_come_along_unless_those_are_asked_for(home, tmp_path):
    assert export("weather", tmp_path).name == "1"
    assert export("weather", tmp_path, version=0).name == "0"
    assert repositories.versions(tmp_path, "weather") == [0, 1]


def test_before_any_training_of_a_model_without_weights_it_says_how_to_make_some(seqzoo_home, tmp_path, monkeypatch):
    monkeypatch.setattr(packed, "WEIGHTS", tmp_path)
    with pytest.raises(InputError, match=r"no trained version of 'weather' .*`seqzoo train weather` makes one"):
        export("weather", tmp_path)


def test_the_cook_needs_no_store_and_no_home(seqzoo_home, tmp_path):
    assert export("cook", tmp_path) == tmp_path / "cook" / "1"
    assert export("cook", tmp_path) == tmp_path / "cook" / "1"
    assert repositories.versions(tmp_path, "cook") == [1]
    assert not seqzoo_home.exists()


@pytest.mark.parametrize("kilobytes", [20, 60])
def test_a_full_disk_is_one_line_and_nothing_half_written(seqzoo_home, tmp_path, kilobytes):
    script = (
        "import resource, signal, sys; signal.signal(signal.SIGXFSZ, signal.SIG_IGN);"
        f"resource.setrlimit(resource.RLIMIT_FSIZE, ({kilobytes * 1024},) * 2);"
        "from seqzoo.command import main; sys.argv = ['seqzoo', *sys.argv[1:]]; main()"
    )
    arguments = [small.command()[0], "-c", script, "export", "cook", "--repository", str(tmp_path / "models")]
    done = small.run(arguments, seqzoo_home)
    small.assert_one_line_error(done, "File too large")
    assert list((tmp_path / "models" / "cook").iterdir()) == []
