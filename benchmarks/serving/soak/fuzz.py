"""Many inputs at random on both faces of a server: none may crash it, hang it, or get an answer that is not one."""

import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import requests
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from tensorflow_serving.apis import model_management_pb2, predict_pb2

from benchmarks.serving.soak import models
from benchmarks.serving.soak.faces import Faces, Input
from benchmarks.serving.soak.inputs import PREDICTION, RELOAD, GrpcInput, strategies
from benchmarks.serving.soak.process import Process, serving
from serving import tensor_proto
from serving.compiling.guarded import CALLS_BEFORE

ROUND = 500  # inputs of one kind in a row
RARE = "HandleReloadConfigRequest"  # a list that is taken makes the server load its models anew: a tenth of the others
MOST_COMPLAINTS, LONGEST = 100, 2000  # and characters of a text in one
RESTORE_SECONDS, LOOK_SECONDS = 60, 0.02
WORTH_COMPILING, ASIDE_SECONDS = 20_000, 0.5  # rows that take long enough; until a form is made
SCALED = 3.0  # the answer of scale's version 2 for 1
Say = Callable[[str], None]
Kinds = Mapping[str, st.SearchStrategy[Any]]


@dataclass
class Fuzzed:
    """What a run has found. answers: how many inputs of each kind had which status; complaints: kind, input and what
    was wrong; distinct: how many inputs were not equal to another; taken: memory, threads and files after each round of
    all kinds."""

    answers: dict[str, dict[str, int]] = field(default_factory=dict)
    complaints: list[dict[str, str]] = field(default_factory=list)
    distinct: int = 0
    taken: list[list[float]] = field(default_factory=list)

    @property
    def inputs(self) -> int:
        """How many were sent."""
        return sum(sum(counts.values()) for counts in self.answers.values())


def run(folder: Path, inputs: int, number: int, say: Say) -> dict[str, Any]:
    """Sends at least so many inputs to a server of its own in the folder; number: the seed. Returns the row."""
    from benchmarks.serving.soak import described  # schemathesis takes a second to import

    models.write(folder)
    flags = [f"--model_config_file={folder}/models.config", "--allow_version_labels_for_unavailable_models"]
    began = time.monotonic()
    with serving(folder, *flags, "--max_num_load_retries=0") as server:
        faces = Faces(server.grpc_port, server.rest_port, SCALED)
        session, found = requests.Session(), Fuzzed()
        try:
            kinds = strategies() | described.strategies(f"http://localhost:{server.rest_port}", session)
            for good in (faces.good_over_grpc, faces.good_over_rest):
                good()  # what a first connection takes is no growth
            _bring_in_the_compiler(faces)
            before = server.taken()
            _send(kinds, Judge(faces, models.config(folder)), server, found, inputs, number, say)
            ended = None if server.running() else f"the server ended with {server.popen.returncode}: {server.said()}"
        finally:
            faces.close()
            session.close()
        if ended is not None:
            found.complaints.append({"kind": "", "input": "", "complaint": ended})
        after = before if ended else server.taken()
    row = {"part": "fuzz", "seed": number, "inputs": found.inputs, "seconds": round(time.monotonic() - began)}
    return row | asdict(found) | {"before": asdict(before), "after": asdict(after)}


def _bring_in_the_compiler(faces: Faces) -> None:
    """Asks for what the server compiles aside after a few calls. XLA stays in the process from then on, with some 41
    MiB and 19 threads: whether an input at random asks for it first, and when, hangs on how busy the machine is."""
    request = predict_pb2.PredictRequest()
    request.model_spec.name, request.model_spec.signature_name = "kinds", "matrix"
    request.inputs["x"].CopyFrom(tensor_proto.encode(np.ones((WORTH_COMPILING, 3), np.float32)))
    for _ in range(2 * CALLS_BEFORE + 2):
        code, text = faces.call(PREDICTION + "Predict", request.SerializeToString())
        if code != "OK":
            raise RuntimeError(f"a call before the inputs is answered with {code}: {text}")
        time.sleep(ASIDE_SECONDS)


def _send(kinds: Kinds, judge: "Judge", server: Process, found: Fuzzed, inputs: int, number: int, say: Say) -> None:
    seen: set[int] = set()

    def send(kind: str, value: Input) -> None:
        if not server.running() or len(found.complaints) >= MOST_COMPLAINTS:
            return
        status, complaint = judge(value)
        counts = found.answers.setdefault(kind, {})
        counts[status] = counts.get(status, 0) + 1
        seen.add(hash(value))
        if complaint is not None:
            say(f"{kind}: {complaint[:200]}")
            found.complaints.append({"kind": kind, "input": repr(value)[:LONGEST], "complaint": complaint[:LONGEST]})

    turn = 0
    while found.inputs < inputs and server.running() and len(found.complaints) < MOST_COMPLAINTS:
        for kind, strategy in kinds.items():
            draw(strategy, ROUND // 10 if RARE in kind else ROUND, number + turn, partial(send, kind))
        turn += 1
        found.distinct = len(seen)
        if server.running():
            now = server.taken()
            found.taken.append([round(now.resident_mib, 1), now.threads, now.files])
        say(f"fuzz: {found.inputs} of {inputs} inputs, {len(found.complaints)} complaints")


def draw(strategy: st.SearchStrategy[Any], number: int, number_of_seed: int, use: Callable[[Any], None]) -> None:
    """Calls `use` with so many inputs of the strategy, the same ones for the same seed."""

    @seed(number_of_seed)
    @settings(
        max_examples=number, phases=[Phase.generate], database=None, deadline=None,
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(strategy)
    def each(value: Any) -> None:
        use(value)

    each()


class Judge:
    """Sends an input to a server, and a good request after it."""

    def __init__(self, faces: Faces, config: Any) -> None:
        """config: the list of models that is put in force again after each reload, whatever that has made of it."""
        self._faces = faces
        self._restore = model_management_pb2.ReloadConfigRequest(config=config).SerializeToString()

    def __call__(self, value: Input) -> tuple[str, str | None]:
        """The status of the answer, and what there is to complain of."""
        status, complaint = self._faces.answer(value)
        if isinstance(value, GrpcInput) and value.method == RELOAD:
            complaint = complaint or self._restored()
        return status, complaint or self._faces.good(value)

    def _restored(self) -> str | None:
        """A list with the same names is not waited for, though other versions than before are to be loaded."""
        code, text = self._faces.call(RELOAD, self._restore, seconds=RESTORE_SECONDS)
        if code != "OK":
            return f"a good reload is answered with {code}: {text}"
        end = time.monotonic() + RESTORE_SECONDS
        while (complaint := self._faces.good_over_grpc()) is not None and time.monotonic() < end:
            time.sleep(LOOK_SECONDS)
        return complaint
