"""Opens streams: finds the model, runs the prompt, draws the first token, and hands the stream to its driver."""

import threading
from typing import NamedTuple

from serving.calls.model_spec import ModelSpec
from serving.errors import NotFoundError, ServingError
from serving.sequences import errors
from serving.sequences.holding import Held
from serving.sequences.patience import Patience
from serving.sequences.sequences import TRIES_TO_START, Sequences
from serving.sequences.store import Key
from serving.servable import Servable
from serving.streams.asking import Asked
from serving.streams.driver import Driver, write
from serving.streams.events import GONE, STOPPING, Outbox
from serving.streams.stream import Stream
from serving.streams.text_model import LOGITS, text_model
from serving.time_left import TimeLeft


class _Opening(NamedTuple):
    """What a stream is opened with."""

    asked: Asked
    outbox: Outbox
    timeout_ms: int | None
    patience: Patience  # up to the first token


class Streams:
    """The streams of a server."""

    def __init__(self, sequences: Sequences) -> None:
        self._sequences = sequences
        self._holding = sequences.holding
        self._lock = threading.Lock()
        self._drivers: dict[tuple[str, int], Driver] = {}
        self._ending = False  # clients that go now are sent away by the server
        self._stopping = False

    def open(self, spec: ModelSpec, asked: Asked, outbox: Outbox, timeout_ms: int | None) -> Stream:
        """Returns when the first token is in the outbox; the rest follows by itself. The stream ends by itself, or when
        the outbox is closed: by GONE its sequence ends, by any other reason it is as it was before.

        timeout_ms: the longest that each step may take. Raises ServingError; then there is no stream, and a sequence
        that it was to go on from is as it was."""
        patience = Patience(self._sequences.deadline(timeout_ms), lambda: outbox.closed is not None)
        opening = _Opening(asked, outbox, timeout_ms, patience)
        stream = self._start(spec, opening) if asked.sequence_id is None else self._go_on(spec, opening)
        if not stream.ended:
            self._drive(stream)
        return stream

    def _start(self, spec: ModelSpec, opening: "_Opening") -> Stream:
        for _ in range(TRIES_TO_START):
            with self._sequences.versions.of_start(spec) as servable:
                _, contract = text_model(servable)
                held = self._holding.start(spec, servable, contract, opening.patience)
                if held is not None:
                    return self._begin(opening, held, servable)
            if spec.version is not None or spec.label is not None:
                raise NotFoundError(f"Servable not found for request: Specific({spec.name}, {servable.version})")
        raise NotFoundError(f"Servable not found for request: Latest({spec.name})")

    def _go_on(self, spec: ModelSpec, opening: "_Opening") -> Stream:
        sequence_id = opening.asked.sequence_id
        assert sequence_id is not None
        try:
            held = self._holding.take(spec, Key(spec.name, sequence_id), opening.patience)
        except ServingError as error:
            if error.message == errors.not_found().message:
                with self._sequences.versions.of_start(spec) as servable:  # the model is the first thing to be wrong
                    text_model(servable)
            raise
        try:
            moving = self._holding.moving(held)
            servable = moving.__enter__()
        except BaseException:
            self._holding.leave(held)
            raise
        try:
            return self._begin(opening, held, servable)
        finally:
            moving.__exit__(None, None, None)

    def _begin(self, opening: "_Opening", held: Held, servable: Servable) -> Stream:
        """Runs the prompt, and draws the first token."""
        asked, patience = opening.asked, opening.patience
        try:
            model, _ = text_model(servable)
            prompt = model.encode(asked.prompt)
            stream = Stream(asked, held, self._holding, opening.outbox, prompt.end_token, opening.timeout_ms)
            step = model.step(held.record.state, prompt.tokens)
            step.patience = patience
            joiner, _ = self._sequences.joiner(servable)
            joiner.run(step)
            if stream.outbox.closed is not None:
                raise stream.outbox.closed
        except BaseException:
            if opening.outbox.closed is GONE and not held.is_new:
                self._holding.end(held)
            else:
                self._holding.leave(held)
            raise
        self._holding.began(held)
        held.stepped(step.new_state)
        self._sequences.count_step(held.key.model)
        try:
            write(model, [stream], step.found[LOGITS][:, -1])
        except BaseException:
            self._holding.leave(held)
            raise
        if stream.error is not None:
            raise stream.error
        return stream

    def _drive(self, stream: Stream) -> None:
        """Hands it to the driver of its version."""
        key = stream.held.key.model, stream.held.record.version
        with self._lock:
            if self._stopping:
                stream.outbox.close(STOPPING)
            driver = self._drivers.get(key)
            if driver is None:
                driver = self._drivers[key] = Driver(*key, self._sequences, self._drive)
            driver.add(stream)

    def end_soon(self) -> None:
        """The server is about to end its calls: from now on it is not by their own will that clients go."""
        self._ending = True

    def why_gone(self) -> ServingError:
        """What it means that a client has gone."""
        return STOPPING if self._ending else GONE

    def stop(self, seconds: float | None = None) -> None:
        """Ends all streams; waits until none runs. seconds: the longest wait for all runs together, None for no
        limit."""
        with self._lock:
            self._ending = self._stopping = True
            drivers = list(self._drivers.values())
        left = TimeLeft(seconds)
        for driver in drivers:
            driver.stop(left.seconds())
