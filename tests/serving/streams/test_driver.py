import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from serving import servable
from serving.calls.model_spec import ModelSpec
from serving.clock import SystemClock
from serving.errors import Code
from serving.sequences.contract import contract_of
from serving.sequences.joining import Joiner
from serving.sequences.patience import Patience
from serving.streams import driver, text_model
from serving.streams.asking import Asked
from serving.streams.events import MOST_WAITING, Done, Failed, Outbox, Token
from tests.serving.asking import SECONDS, wait_until
from tests.serving.streams.conftest import VERSE


class Client:
    """Takes the events of a stream when it is told to."""

    def __init__(self, server, model, **keys):
        self.changed = threading.Semaphore(0)
        self.outbox = Outbox(self.changed.release)
        self.events = []
        asked = Asked.of({"prompt": "a", "temperature": 0, **keys})
        self.stream = server._streams.open(ModelSpec(model), asked, self.outbox, None)

    def take_all(self):
        """All events to the end."""
        while not self.events or isinstance(self.events[-1], Token):
            self.events += self.outbox.take()
            if not self.events or isinstance(self.events[-1], Token):
                assert self.changed.acquire(timeout=SECONDS)
        return self.events


def test_a_client_that_takes_nothing_stops_its_own_stream_only(text_server):
    slow = Client(text_server, "endless", max_tokens=500)
    other = Client(text_server, "endless", max_tokens=500)
    assert len(other.take_all()) == 501
    wait_until(lambda: not slow.outbox.has_room())
    assert len(slow.stream.text_tokens) == MOST_WAITING
    *tokens, last = slow.take_all()
    assert "".join(token.text for token in tokens) == "ba" * 250
    assert last == Done(500, "length", None)


def test_streams_run_together_and_join_and_leave_at_every_token(text_server, gate, monkeypatch):
    rows = []
    write = gate._write
    gate._write = lambda model, streams, logits: (rows.append(len(streams)), write(model, streams, logits))
    first = Client(text_server, "endless", max_tokens=40)
    assert gate.reached.wait(SECONDS)
    others = [Client(text_server, "endless", max_tokens=3 + place) for place in range(3)]
    gate.open()
    for client in (first, *others):
        client.take_all()
    assert rows[:5] == [1, 4, 4, 3, 2]
    assert set(rows[5:]) == {1}


def test_a_token_without_a_text_fails_its_own_stream_only(text_server, gate, monkeypatch):
    bad, good = [Client(text_server, "endless", max_tokens=5) for _ in range(2)]
    draw = driver.draw

    def drawn(logits, *how):
        tokens = draw(logits, *how)
        tokens[0] = 999
        return tokens

    monkeypatch.setattr(driver, "draw", drawn)
    write = gate._write
    gate._write = lambda *given: (write(*given), monkeypatch.setattr(driver, "draw", draw))
    gate.open()
    *_, failed = bad.take_all()
    assert isinstance(failed, Failed)
    assert failed.error.code is Code.INVALID_ARGUMENT
    assert good.take_all()[-1] == Done(5, "length", None)


@pytest.mark.parametrize("left", [0, 2])
def test_a_step_that_fails_ends_the_stream_and_leaves_the_sequence_as_it_was(
    text, text_server, monkeypatch, live, left
):
    kept = text.events("verse", prompt="Z", max_tokens=3, keep=True)[-1]["sequence_id"]
    wrote = driver.write

    def broken(*given):
        nonlocal left
        if not left:
            raise RuntimeError("broke")
        left -= 1
        wrote(*given)

    monkeypatch.setattr(driver, "write", broken)
    last = Client(text_server, "verse", sequence_id=kept).take_all()[-1]
    assert isinstance(last, Failed)
    assert (last.error.code.name, last.error.message) == ("INTERNAL", "RuntimeError: broke")
    monkeypatch.undo()
    assert live("verse") == 1
    assert text.text("verse", prompt=" ", sequence_id=kept, temperature=0) == VERSE[5:]
    assert live("verse") == 0


class Watched:
    """A version that notes the rows of each run, and holds the first one until it is told."""

    def __init__(self, found):
        self.found, self.rows = found, []
        self.running, self.go = threading.Event(), threading.Event()
        self.batching = None

    @property
    def unbatched(self):
        return self

    def run(self, feeds, fetches):
        self.rows.append(len(next(iter(feeds.values()))))
        self.running.set()
        assert self.go.wait(SECONDS)
        return self.found.run(feeds, fetches)

    def is_brief(self, feeds, fetches):
        return False


def test_steps_of_streams_and_of_plain_sequences_run_as_one_batch(text_models, dreamer):
    found = servable.load("dreamer", 1, str(text_models["dreamer"]))
    model, contract = text_model.text_model(found)
    watched, written = Watched(found), []
    joiner = Joiner(watched, contract, SystemClock(), written.extend, lambda rows, seconds: None, True)

    def step(token):
        return model.step(contract.zeros(), np.array([token]))

    steps, plain = [step(token) for token in b"abc"], [step(token) for token in b"xy"]
    with ThreadPoolExecutor() as threads:
        running = [threads.submit(joiner.run, plain[0])]
        assert watched.running.wait(SECONDS)
        running += [threads.submit(joiner.run_all, steps), threads.submit(joiner.run, plain[1])]
        wait_until(lambda: sum(len(queue.waiting) for queue in joiner._queues.values()) == 4)
        watched.go.set()
        assert [future.result(SECONDS) for future in running] == [None] * 3
    assert watched.rows == [1, 4]
    for token, done in zip(b"abcxy", [*steps, *plain], strict=True):
        assert done.error is None
        assert np.array_equal(done.found["logits"][0, 0], dreamer.table.numpy()[[0, 1, 2], [0, 0, token]].sum(0))
    assert contract_of(found) is contract
    found.close()


def test_more_streams_than_a_batch_holds_run_in_several(text_models):
    found = servable.load("dreamer", 1, str(text_models["dreamer"]))
    model, contract = text_model.text_model(found)
    watched = Watched(found)
    watched.go.set()
    joiner = Joiner(watched, contract, SystemClock(), lambda steps: None, lambda rows, seconds: None, True)
    steps = [model.step(contract.zeros(), np.array([97])) for _ in range(150)]
    steps[3].patience = Patience(gone=lambda: True)
    joiner.run_all(steps)
    assert watched.rows == [63, 64, 22]
    assert [place for place, step in enumerate(steps) if step.error is not None] == [3]
    found.close()
