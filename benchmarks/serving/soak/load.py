"""Asks a server on one face as fast as it answers, and checks each answer; until its standard input ends.

    python -m benchmarks.serving.soak.load grpc|rest PORT MODEL THREADS

MODEL is classifier, that of benchmarks/serving/model.py, or scale. Prints a JSON line: {"answers": n, "failures": n,
"errors": [...]}."""

import http.client
import json
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import grpc
import numpy as np
from numpy.typing import NDArray
from tensorflow_serving.apis import predict_pb2

from benchmarks.serving.soak.inputs import PREDICTION
from benchmarks.serving.soak.process import ROOT
from serving import tensor_proto

CLASSIFIER, SCALE = "classifier", "scale"
OUTPUTS = {CLASSIFIER: "probabilities", SCALE: "y"}
BEGUN = "begun"
SECONDS = 60  # an answer that takes longer is none
TOLERANCE = 1e-5
MOST_ERRORS = 20
Ask = Callable[[], NDArray[np.float32]]


def ask_grpc(port: int, model: str, x: NDArray[np.float32]) -> Ask:
    """A function that asks over a channel of its own; raises grpc.RpcError."""
    channel = grpc.insecure_channel(f"localhost:{port}", [("grpc.use_local_subchannel_pool", 1)])
    call = channel.unary_unary(PREDICTION + "Predict", response_deserializer=predict_pb2.PredictResponse.FromString)
    request = predict_pb2.PredictRequest()
    request.model_spec.name = model
    request.inputs["x"].CopyFrom(tensor_proto.encode(x, as_content=True))
    content = request.SerializeToString()
    return lambda: tensor_proto.decode(call(content, timeout=SECONDS).outputs[OUTPUTS[model]])


def ask_rest(port: int, model: str, x: NDArray[np.float32]) -> Ask:
    """A function that asks over a connection of its own; raises OSError, or ValueError for another status than 200."""
    connection = http.client.HTTPConnection("localhost", port, timeout=SECONDS)
    content = json.dumps({"instances": x.tolist()}).encode()

    def ask() -> NDArray[np.float32]:
        connection.request("POST", f"/v1/models/{model}:predict", content)
        answer = connection.getresponse()
        text = answer.read()
        if answer.status != 200:
            raise ValueError(f"{answer.status}: {text[:300]!r}")
        return np.array(json.loads(text)["predictions"], np.float32)

    return ask


class Asker:
    """One thread that asks again and again. The first answer says what all others have to be."""

    def __init__(self, ask: Ask, ended: threading.Event) -> None:
        self.answers = 0
        self.errors: list[str] = []
        self.begun = threading.Event()  # it has been answered once, or has failed
        self._ask = ask
        self._ended = ended
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def join(self) -> None:
        """Waits for its last answer."""
        self._thread.join()

    def _run(self) -> None:
        expected = None
        while not self._ended.is_set():
            try:
                found = self._ask()
                expected = found if expected is None else expected
                if found.shape != expected.shape or not np.allclose(found, expected, atol=TOLERANCE):
                    raise ArithmeticError(f"{found.tolist()} in place of {expected.tolist()}")
                self.answers += 1
            except Exception as error:
                self.errors.append(repr(error)[:500])
            self.begun.set()


@contextmanager
def loaded(face: str, port: int, model: str, threads: int) -> Iterator[dict[str, Any]]:
    """Load from a process of its own, which has begun, as long as the block lasts; then the dict has what it prints.

    Raises RuntimeError when a caller gets no first answer."""
    command = [sys.executable, "-m", "benchmarks.serving.soak.load", face, str(port), model, str(threads)]
    asking = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    found: dict[str, Any] = {}
    try:
        if asking.stdout is None or asking.stdout.readline().strip() != BEGUN:
            raise RuntimeError(
                f"the load on {face} does not begin; expected that each of {threads} callers is answered"
            )
        yield found
        found |= json.loads(asking.communicate("", timeout=2 * SECONDS)[0])
    finally:
        asking.kill()
        asking.wait()


def main(words: list[str]) -> None:
    """Asks."""
    face, port, model, threads = words
    x = np.array([[1]], np.float32)
    if model == CLASSIFIER:
        from benchmarks.serving.model import sequence  # imports our layers, and Keras

        x = sequence()
    ended = threading.Event()
    ask = {"grpc": ask_grpc, "rest": ask_rest}[face]
    askers = [Asker(ask(int(port), model, x), ended) for _ in range(int(threads))]
    all_begun = all(asker.begun.wait(SECONDS) and not asker.errors for asker in askers)
    print(BEGUN if all_begun else "not begun", flush=True)
    sys.stdin.read()
    ended.set()
    for asker in askers:
        asker.join()
    errors = [error for asker in askers for error in asker.errors]
    counts = {"answers": sum(asker.answers for asker in askers), "failures": len(errors)}
    print(json.dumps(counts | {"errors": errors[:MOST_ERRORS]}))


if __name__ == "__main__":
    main(sys.argv[1:])
