"""Takes all streams of one version forward together: one token each, in one run, again and again.

A stream comes in after its first token, and leaves after its last one; in between it takes part in every run, unless
its client has too much left to take. Steps of plain sequences that come meanwhile take part as well."""

import threading
from collections.abc import Callable, Sequence

import numpy as np

from serving.errors import InternalError, ServingError
from serving.log import log_unexpected
from serving.sequences.sequences import Sequences
from serving.servable import Servable
from serving.streams.drawing import NONE, draw
from serving.streams.events import STOPPING
from serving.streams.stream import Stream
from serving.streams.text_model import LOGITS, TextModel, text_model


class Driver:
    """The streams of one version, and the thread that runs while there are any."""

    def __init__(self, model: str, version: int, sequences: Sequences, move: Callable[[Stream], None]) -> None:
        """move: hands a stream to the driver of the version that its sequence is on by now."""
        self._model = model
        self._version = version
        self._sequences = sequences
        self._move = move
        self._changed = threading.Condition()
        self._streams: list[Stream] = []
        self._thread: threading.Thread | None = None

    def add(self, stream: Stream) -> None:
        """One more, from the next run on."""
        stream.outbox.changed = self._wake
        with self._changed:
            self._streams.append(stream)
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="text-stream", daemon=True)
                self._thread.start()
            else:
                self._changed.notify()

    def stop(self, seconds: float | None = None) -> None:
        """Ends its streams; the sequences that they went on from are as they were before. seconds: the longest wait
        for a run, None for no limit."""
        with self._changed:
            streams, thread = list(self._streams), self._thread
        for stream in streams:
            stream.outbox.close(STOPPING)
        if thread is not None:
            thread.join(seconds)

    def _wake(self) -> None:
        with self._changed:
            self._changed.notify()

    def _work(self) -> None:
        while ready := self._ready():
            try:
                self._turn(ready)
            except Exception as error:
                failure = error if isinstance(error, ServingError) else _unexpected(error)
                for stream in ready:
                    if not stream.ended:
                        _fail(stream, failure)

    def _ready(self) -> list[Stream]:
        """Those that can go on, when there are some; none when there is no stream left."""
        with self._changed:
            while True:
                self._streams = [stream for stream in self._streams if not stream.ended]
                if not self._streams:
                    self._thread = None
                    return []
                ready = [stream for stream in self._streams if stream.gone() or stream.outbox.has_room()]
                if ready:
                    return ready
                self._changed.wait()

    def _turn(self, ready: Sequence[Stream]) -> None:
        """One token for each."""
        for stream in ready:
            if stream.gone():
                _drop(stream)
        streams = [stream for stream in ready if not stream.ended]
        if not streams:
            return
        with self._sequences.holding.loaded(self._model, self._version) as servable:
            if servable is not None:
                self._run(streams, servable)
                return
        for stream in streams:
            self._carry(stream)

    def _run(self, streams: Sequence[Stream], servable: Servable) -> None:
        model, _ = text_model(servable)
        joiner, _ = self._sequences.joiner(servable)
        steps = [stream.step(model, self._sequences.deadline(stream.timeout_ms)) for stream in streams]
        joiner.run_all(steps)
        going: list[Stream] = []
        logits: list[np.ndarray] = []
        for stream, step in zip(streams, steps, strict=True):
            if stream.gone():
                _drop(stream)
            elif step.error is not None:
                _fail(stream, step.error)
            else:
                stream.held.stepped(step.new_state)
                self._sequences.count_step(self._model)
                if stream.complete:
                    stream.close()
                else:
                    going.append(stream)
                    logits.append(step.found[LOGITS][0, -1])
        if going:
            write(model, going, np.stack(logits))

    def _carry(self, stream: Stream) -> None:
        """Its version is gone: on with another one, if one takes it."""
        with self._changed:
            self._streams.remove(stream)
        try:
            with self._sequences.holding.moving(stream.held) as servable:
                text_model(servable)
        except ServingError as error:
            _fail(stream, error)
            return
        self._move(stream)


def write(model: TextModel, streams: Sequence[Stream], logits: np.ndarray) -> None:
    """Draws the next token of each stream from its row of logits [streams, vocabulary], and sends its text."""
    tokens = draw(
        logits,
        [stream.asked.temperature for stream in streams],
        [stream.asked.top_k for stream in streams],
        [stream.chance.next() for stream in streams],
    )
    drawn: list[Stream] = []
    for stream, token in zip(streams, tokens.tolist(), strict=True):
        if token == NONE:
            _fail(stream, InternalError("The logits of a step are no numbers; no token can be drawn from them."))
            continue
        stream.add(token)
        drawn.append(stream)
    if not drawn:
        return
    for stream, text in zip(drawn, model.decode([stream.text_tokens for stream in drawn]), strict=True):
        if isinstance(text, ServingError):
            _fail(stream, text)
        else:
            stream.show(text)


def _drop(stream: Stream) -> None:
    try:
        stream.drop()
    except Exception as error:
        log_unexpected(error)


def _fail(stream: Stream, error: ServingError) -> None:
    try:
        stream.fail(error)
    except Exception as failure:
        log_unexpected(failure)


def _unexpected(error: Exception) -> ServingError:
    log_unexpected(error)
    return InternalError(f"{type(error).__name__}: {error}")
