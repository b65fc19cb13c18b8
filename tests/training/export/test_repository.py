"""How a version appears: whole or not at all."""

import os
import signal
import subprocess
import threading
import time

import pytest

from tests.training import small
from training.errors import InputError
from training.export import repository as repositories


def made(folder, text="1"):
    folder.mkdir()
    (folder / "saved_model.pb").write_text(text)
    return folder


def test_a_version_appears_under_its_number_by_one_rename(tmp_path):
    with repositories.incoming(tmp_path, "m") as folder:
        made(folder)
        assert repositories.versions(tmp_path, "m") == []
        target = repositories.publish(folder, tmp_path, "m", 7)
    assert target == tmp_path / "m" / "7"
    assert [p.name for p in (tmp_path / "m").iterdir()] == ["7"]
    assert repositories.versions(tmp_path, "m") == [7]


def test_what_fails_while_it_is_written_leaves_nothing(tmp_path):
    with pytest.raises(FileExistsError), repositories.incoming(tmp_path, "m") as folder:
        made(made(folder))
    assert list((tmp_path / "m").iterdir()) == []


def test_a_number_that_is_taken_is_refused_and_the_old_version_stays(tmp_path):
    for text in ("first", "second"):
        with repositories.incoming(tmp_path, "m") as folder:
            made(folder, text)
            if text == "first":
                repositories.publish(folder, tmp_path, "m", 1)
            else:
                with pytest.raises(InputError, match=r"m/1 is there already; a version never changes"):
                    repositories.publish(folder, tmp_path, "m", 1)
    assert (tmp_path / "m" / "1" / "saved_model.pb").read_text() == "first"


def test_of_two_that_publish_one_number_at_once_one_wins(tmp_path):
    barrier, outcomes = threading.Barrier(2), []

    def publish():
        with repositories.incoming(tmp_path, "m") as folder:
            made(folder)
            barrier.wait()
            try:
                outcomes.append(repositories.publish(folder, tmp_path, "m", 1))
            except InputError as error:
                outcomes.append(error)

    threads = [threading.Thread(target=publish) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(type(o).__name__ for o in outcomes) == ["InputError", "PosixPath"]


def test_what_a_killed_writer_left_goes_after_a_day(tmp_path):
    abandoned, fresh = (tmp_path / "m" / f"{repositories.INCOMING}{name}" for name in ("old", "new"))
    for folder in (abandoned, fresh):
        folder.mkdir(parents=True)
    os.utime(abandoned, (time.time() - 2 * repositories.ABANDONED_SECONDS,) * 2)
    with repositories.incoming(tmp_path, "m"):
        pass
    assert not abandoned.exists()
    assert fresh.exists()


def test_a_repository_that_cannot_be_written_says_so(tmp_path):
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(InputError, match=r"the model repository .*file cannot be written .*with --repository"),
        repositories.incoming(tmp_path / "file", "m"),
    ):
        pass


def test_versions_are_numbers_in_their_order_and_nothing_else(tmp_path):
    for name in ("2", "10", "1", "latest", ".incoming-x", "-3"):
        (tmp_path / "m" / name).mkdir(parents=True)
    (tmp_path / "m" / "5").write_text("a file")
    assert repositories.versions(tmp_path, "m") == [1, 2, 10]
    assert repositories.versions(tmp_path, "absent") == []


def test_a_folder_without_lineage_has_none(tmp_path):
    assert repositories.lineage(made(tmp_path / "1")) == {}


KILLED_AT_PUBLISH = """
import os, pathlib, runpy, signal, sys
pathlib.Path.rename = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
sys.argv[0] = "seqzoo"
runpy.run_module("seqzoo", run_name="__main__", alter_sys=True)
"""


@pytest.mark.parametrize("moment", ["begun", "written"])
def test_kill_9_in_an_export_leaves_no_half_version_and_the_next_export_succeeds(tmp_path, moment):
    export = ["export", "cook", "--repository", str(tmp_path / "models")]
    arguments = small.command(*export)
    environment = small.environment(tmp_path / "home")
    if moment == "written":  # too short a moment to be met from outside
        killed = [arguments[0], "-c", KILLED_AT_PUBLISH, *arguments[3:]]
        process = subprocess.Popen(killed, env=environment, stderr=subprocess.DEVNULL)
        assert process.wait(60) == -signal.SIGKILL
        assert list((tmp_path / "models" / "cook").glob(".incoming-*/version/saved_model.pb"))
    else:
        process = subprocess.Popen(arguments, env=environment, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 60
        while not list((tmp_path / "models" / "cook").glob(".incoming-*")):
            assert process.poll() is None, "the export ended before it could be killed"
            assert time.monotonic() < deadline
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert repositories.versions(tmp_path / "models", "cook") == []
    done = small.here(tmp_path / "home", *export)
    assert done.returncode == 0, done.stderr
    assert repositories.versions(tmp_path / "models", "cook") == [1]
    assert done.stdout.strip() == str(tmp_path / "models" / "cook" / "1")
