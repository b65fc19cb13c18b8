"""The store in a folder: restarts, kill -9, damage, a full disk."""

import os
import random
import re
import shutil
import signal
import subprocess
import sys
import threading

import grpc
import numpy as np
import pytest

from serving.clock import SystemClock
from serving.errors import ServingError
from serving.sequences.file import FileStore
from serving.sequences.store import Change, Key, Record
from tests.serving.asking import Grpc
from tests.serving.sequences.driving import Driver, sums
from tests.serving.sequences.models import chunk

LAYOUT = (("state_h", "float [-1,2]"),)


def record(step=0, used=0, size=1000):
    return Record(1, step, random.Random(step).randbytes(size), LAYOUT, None, used)


def opened(folder, **more):
    store = FileStore(str(folder), SystemClock(), **more)
    store.start()
    return store


@pytest.fixture
def filled(tmp_path):
    """A closed folder with 50 sequences of two models."""
    store = opened(tmp_path / "s")
    keys = [Key("mn"[i % 2], i if i % 3 else f"user-{i}") for i in range(50)]
    for step, key in enumerate(keys):
        store.write([Change(key, record(step))])
    store.stop()
    return tmp_path / "s", keys


def flip(path, needle, at=0):
    """Damages the file where these bytes stand."""
    content = bytearray(path.read_bytes())
    found = content.find(needle)
    assert found >= 0
    content[found + at] ^= 0xFF
    path.write_bytes(bytes(content))


def test_sequences_go_on_after_a_restart(filled):
    folder, keys = filled
    store = opened(folder)
    assert [store.read(key).step for key in keys] == list(range(50))
    assert [store.read(key).state for key in keys] == [record(step).state for step in range(50)]
    assert (store.live("m"), store.live("n", 1)) == (25, 25)
    store.stop()


def test_the_time_that_a_server_was_down_counts_as_idle(tmp_path):
    clock = SystemClock()
    store = opened(tmp_path, wall=lambda: 1000.0)
    store.write([Change(Key("m", 1), record(used=clock.micros() - 20_000_000))])
    store.stop()
    store = opened(tmp_path, wall=lambda: 1100.0)
    age = clock.micros() - store.read(Key("m", 1)).used_micros
    store.stop()
    assert 119e6 < age < 130e6


def test_a_damaged_record_costs_its_own_sequence_said_by_name(filled, logged):
    folder, keys = filled
    flip(folder / "sequences.db", record(20).state, 500)
    store = opened(folder)
    assert [key for key in keys if store.read(key) is None] == [keys[20]]
    store.stop()
    (text,) = [text for text in logged() if "Sequences are lost" in text]
    assert f"sequence {keys[20].id!r} of model {keys[20].model} (the checksum does not fit)" in text
    assert (folder / "sequences.db.damaged").is_file()
    again = opened(folder)
    assert sum(again.live(model) for model in "mn") == 49
    again.stop()


def test_a_destroyed_page_costs_what_stands_on_it(filled, logged):
    folder, keys = filled
    path = folder / "sequences.db"
    content = bytearray(path.read_bytes())
    page = content.find(record(20).state) // 4096 * 4096
    content[page : page + 4096] = bytes(4096)
    path.write_bytes(bytes(content))
    store = opened(folder)
    lost = [key for key in keys if store.read(key) is None]
    store.stop()
    assert keys[20] in lost
    assert len(lost) <= 4
    (text,) = [text for text in logged() if "Sequences are lost" in text]
    for key in lost:
        assert f"sequence {key.id!r} of model {key.model}" in text


def test_a_file_cut_in_half_or_no_database_does_not_keep_the_server_from_starting(filled, logged):
    folder, keys = filled
    path = folder / "sequences.db"
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    store = opened(folder)
    left = sum(store.live(model) for model in "mn")
    store.stop()
    assert left < 50
    path.write_bytes(b"no database" * 1000)
    store = opened(folder)
    assert store.live("m") == 0
    assert store.write([Change(keys[0], record())]) == [None]
    store.stop()
    assert len([text for text in logged() if "Sequences are lost" in text]) == 2


@pytest.fixture
def killed(tmp_path):
    """A folder as kill -9 leaves it: 50 sequences, each written by a transaction of its own, all in the log."""
    store = opened(tmp_path / "running")
    keys = [Key("m", number) for number in range(50)]
    for step, key in enumerate(keys):
        store.write([Change(key, record(step))])
    folder = shutil.copytree(tmp_path / "running", tmp_path / "killed")
    store.stop()
    return folder, keys


def test_a_log_that_is_whole_costs_nothing(killed, logged):
    folder, keys = killed
    store = opened(folder)
    assert [store.read(key).step for key in keys] == list(range(50))
    store.stop()
    assert not [text for text in logged() if "lost" in text]
    assert not list(folder.glob("*damaged*"))


def test_damage_in_the_log_costs_what_was_written_after_it_and_is_said(killed, logged):
    folder, keys = killed
    flip(folder / "sequences.db-wal", record(20).state, 500)
    store = opened(folder)
    assert [store.read(key).step for key in keys[:20]] == list(range(20))
    assert not any(store.read(key) for key in keys[20:])
    assert store.write([Change(keys[30], record(7))]) == [None]
    store.stop()
    (text,) = [text for text in logged() if "are lost" in text]
    assert f"The last 30 transactions of {folder}/sequences.db-wal are lost" in text
    assert record(49).state in (folder / "sequences.db.damaged-wal").read_bytes()
    again = opened(folder)
    assert (again.live("m"), again.read(keys[30]).step) == (21, 7)
    again.stop()


@pytest.mark.parametrize("at", [8, 16, 24, 40])
def test_so_does_damage_in_the_head_of_the_log(killed, logged, at):
    """To the size of its pages, its salt, its checksum, the salt of its first frame."""
    folder, _ = killed
    path = folder / "sequences.db-wal"
    content = bytearray(path.read_bytes())
    content[at] ^= 0xFF
    path.write_bytes(bytes(content))
    store = opened(folder)
    assert store.live("m") == 0
    store.stop()
    assert any("transactions" in text and "are lost" in text for text in logged())


def test_a_log_that_is_cut_costs_what_is_cut_off(killed):
    folder, keys = killed
    path = folder / "sequences.db-wal"
    content = path.read_bytes()
    path.write_bytes(content[: content.find(record(20).state)])
    store = opened(folder)
    assert [key for key in keys if store.read(key) is not None] == keys[:20]
    store.stop()


def test_the_log_of_a_damaged_file_is_kept_too(tmp_path, logged):
    running = opened(tmp_path / "running")
    for step in range(10):
        running.write([Change(Key("m", step), record(step))])
    running._database.execute("PRAGMA wal_checkpoint")
    running.write([Change(Key("m", 10), record(10))])
    folder = shutil.copytree(tmp_path / "running", tmp_path / "killed")
    running.stop()
    flip(folder / "sequences.db", record(3).state, 500)
    store = opened(folder)
    lost = [number for number in range(11) if store.read(Key("m", number)) is None]
    store.stop()
    assert lost == [3]
    assert record(10).state in (folder / "sequences.db.damaged-wal").read_bytes()


def test_two_servers_do_not_share_a_folder(filled):
    folder, _ = filled
    store = opened(folder)
    with pytest.raises(ServingError, match="is in use by another server; give each its own folder"):
        opened(folder)
    store.stop()
    opened(folder).stop()


def test_a_full_disk_fails_the_step_and_changes_nothing(tmp_path):
    store = opened(tmp_path)
    key = Key("m", 1)
    store.write([Change(key, record(0))])
    (pages,) = store._database.execute("PRAGMA page_count").fetchone()
    store._database.execute(f"PRAGMA max_page_count = {pages}")
    (error,) = store.write([Change(key, record(1, size=100_000))])
    assert error.status == "UNAVAILABLE: Sequence store is not reachable: database or disk is full"
    assert store.read(key).step == 0
    store._database.execute("PRAGMA max_page_count = 100000")
    assert store.write([Change(key, record(2))]) == [None]
    store.stop()
    store = opened(tmp_path)
    assert store.read(key).step == 2
    store.stop()


def test_a_folder_that_cannot_be_made_ends_the_start(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ServingError, match=re.escape(f"{tmp_path}/file/s cannot be used: ")):
        opened(tmp_path / "file" / "s")


def test_changes_that_come_together_are_written_together(tmp_path):
    store = opened(tmp_path, always_sync=True)
    commits = []
    store._database.set_trace_callback(lambda text: commits.append(text) if text == "COMMIT" else None)
    store._commit_lock.acquire()  # as if one were being written
    threads = [
        threading.Thread(target=store.write, args=[[Change(Key("m", number), record(number))]]) for number in range(8)
    ]
    for thread in threads:
        thread.start()
    while len(store._waiting) < 8:
        pass
    store._commit_lock.release()
    for thread in threads:
        thread.join()
    assert commits == ["COMMIT"]
    assert [store.read(Key("m", number)).step for number in range(8)] == list(range(8))
    store.stop()


def test_the_file_does_not_grow_with_the_number_of_steps(tmp_path):
    store = opened(tmp_path)
    for step in range(3000):
        store.write([Change(Key("m", step % 10), record(step))])
    assert size(tmp_path) < 17 * 1024 * 1024  # the log included
    store.stop()
    assert size(tmp_path) < 200_000


def size(folder):
    return sum(path.stat().st_size for path in folder.iterdir())


def test_the_room_of_sequences_that_are_no_more_is_given_back_at_the_next_start(tmp_path):
    store = opened(tmp_path)
    keys = [Key("m", number) for number in range(2000)]
    store.write([Change(key, record(number % 7)) for number, key in enumerate(keys)])
    store.write([Change(key, None) for key in keys[5:]])
    store.stop()
    assert size(tmp_path) > 2_000_000
    store = opened(tmp_path)
    assert size(tmp_path) < 200_000
    assert [store.read(key).step for key in keys[:5]] == [0, 1, 2, 3, 4]
    assert store.live("m") == 5
    store.stop()


class Process:
    """`python -m serving` as a user starts it."""

    def __init__(self, base, store):
        arguments = ["--port=0", "--grpc_socket_path=" + str(base.parent / "socket"), "--model_name=m"]
        arguments += [f"--model_base_path={base}", f"--sequence_store={store}", "--max_sequence_number=100000"]
        command = [sys.executable, "-m", "serving", *arguments]
        self.process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        for line in self.process.stderr:
            if "Running gRPC" in line:
                break
        self.ask = Grpc(f"unix:{base.parent}/socket")
        self.drain = threading.Thread(target=self.process.stderr.read, daemon=True)
        self.drain.start()

    def kill(self):
        os.kill(self.process.pid, signal.SIGKILL)
        self.process.wait()


def test_after_kill_9_every_acknowledged_step_is_there_and_counted_once(repository, tmp_path):
    repository("running", 1)
    first = Process(repository.base, f"file:{tmp_path}/s")
    chunks = chunk(*[1] * 2000)
    answered = dict.fromkeys(range(1, 9), -1)

    def drive(number):
        step = Driver(first.ask, "m")
        try:
            for index in range(2000):
                step(chunks[index], number, int(index == 0), index)
                answered[number] = index
        except grpc.RpcError:
            return

    threads = [threading.Thread(target=drive, args=[number]) for number in answered]
    try:
        for thread in threads:
            thread.start()
        while min(answered.values()) < 20:
            threads[0].join(0.01)
    finally:
        first.kill()
    for thread in threads:
        thread.join()
    second = Process(repository.base, f"file:{tmp_path}/s")
    try:
        step = Driver(second.ask, "m")
        for number, last in answered.items():
            assert last < 1999
            repeated = step(chunks[last], number, 0, last) if _is_last(step, number, last) else None
            if repeated is not None:
                np.testing.assert_array_equal(repeated["y"], sums(*chunks[: last + 1]))
            again = step(chunks[last + 1], number, 0, last + 1)  # done already, or now: once
            np.testing.assert_array_equal(again["y"], sums(*chunks[: last + 2]))
            assert step.end(chunks[0], number, step=last + 2)["number"].tolist() == [[last + 3]]
    finally:
        second.kill()


def _is_last(step, number, last):
    """Whether the step after it did not happen: it may have, without its answer being heard."""
    try:
        step(None, number, 0, last)
    except grpc.RpcError as error:
        assert f"step {last} does not follow step {last + 1}" in error.details()  # noqa: PT017
        return False
    return True


@pytest.mark.parametrize(("always_sync", "level"), [(False, 1), (True, 2)])
def test_with_sync_always_each_commit_waits_for_the_disk(tmp_path, always_sync, level):
    store = opened(tmp_path, always_sync=always_sync)
    assert store._database.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert store._database.execute("PRAGMA synchronous").fetchone() == (level,)  # NORMAL: at checkpoints only; FULL
    store.stop()
