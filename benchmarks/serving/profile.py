"""What do the parts of an answer take, each alone: the model, JSON, protobuf, the stack below?

    python -m benchmarks.serving.profile --save benchmarks/results/serving_profile.json

Prints a table, in microseconds: what the server's own code takes for the benchmark's requests, medians of many calls,
the echo's answers, by the benchmark's load, and where a gRPC call spends its time in the server (`inside.py`). The
report puts the saved table on its page."""

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.models.layers import tidy
from benchmarks.models.machine import machine, set_up_process
from benchmarks.serving import load
from benchmarks.serving.contenders import CONTENDERS, PORT, SEQUENCE, STEP
from benchmarks.serving.report import parts_table
from benchmarks.serving.servers import compiled_call, median_ms, questions_of

Row = dict[str, Any]
ROWS = (1, 32)  # of a run
NAMES = {SEQUENCE: ("serving_default", "a sequence"), STEP: ("step", "one step")}
ECHO_SECONDS = 2.0
INSIDE_SECONDS, ANY_BYTES = 5.0, 1  # long enough for thousands of calls; answers of any length


def own_parts(loaded: Any, questions: Any) -> Iterator[Row]:
    """The model and the codecs. loaded: the version, by the server's own loader."""
    from benchmarks.serving.model import sequence, step

    rest, rpc = CONTENDERS[:2]
    for request, inputs in ((SEQUENCE, {"x": sequence()}), (STEP, step())):
        name, text = NAMES[request]
        for rows in ROWS:
            call = compiled_call(loaded, name, {alias: np.repeat(x, rows, axis=0) for alias, x in inputs.items()})
            yield part(f"the compiled model, {text}, {rows} row{'s' * (rows > 1)}", call)
        signature = loaded.signatures[name]
        answer = dict(zip(signature.outputs, compiled_call(loaded, name, inputs)(), strict=True))
        yield from json_parts(text, questions.body(rest, request).read_bytes(), signature, answer)
        yield from protobuf_parts(text, questions.body(rpc, request).read_bytes()[len(load.frame(b"")) :], answer)


def json_parts(text: str, body: bytes, signature: Any, answer: Any) -> Iterator[Row]:
    """Reading a body, making its arrays, writing the answer."""
    from serving.rest_json import predict_request, predict_response

    document = predict_request.parse(body)
    _, form = predict_request.tensors(document, signature.inputs)
    yield part(f"JSON of {text} read, {len(body):,} bytes", lambda: predict_request.parse_plain(body))
    yield part(f"its arrays made, {text}", lambda: predict_request.tensors(document, signature.inputs))
    yield part(f"JSON of its answer written, {text}", lambda: predict_response.encode(answer, form))


def protobuf_parts(text: str, content: bytes, answer: Any) -> Iterator[Row]:
    """Reading a message with its arrays, writing the answer."""
    from tensorflow_serving.apis import predict_pb2

    from serving import tensor_proto

    def read() -> None:
        for proto in predict_pb2.PredictRequest.FromString(content).inputs.values():
            tensor_proto.decode(proto)

    def write() -> None:
        response = predict_pb2.PredictResponse()
        for alias, array in answer.items():
            tensor_proto.fill(response.outputs[alias], array)
        response.SerializeToString()

    yield part(f"protobuf of {text} read with its arrays, {len(content):,} bytes", read)
    yield part(f"protobuf of its answer written, {text}", write)


def part(what: str, call: Any) -> Row:
    """A row of the table."""
    return {"what": what, "us": median_ms(call) * 1e3}


def echo_parts(repository: Path, questions: Any) -> Iterator[Row]:
    """The stack below: the echo's answer to a lone connection, and the time between two answers to 32."""
    from benchmarks.serving.running import running

    for contender in (found for found in CONTENDERS if found.name == "echo"):
        url, face = f"http://127.0.0.1:{PORT + contender.port}{contender.path}", contender.form
        with running(contender, repository, questions):
            asked = (face, url, questions.body(contender))
            alone = load.run(*asked, 1, ECHO_SECONDS, questions.answer_bytes)
            busy = load.run(*asked, 32, ECHO_SECONDS, questions.answer_bytes)
        name = {"rest": "REST", "grpc": "gRPC"}[face]
        yield {"what": f"the echo over {name}, an answer to 1 connection", "us": alone.p50 * 1e3}
        yield {"what": f"the echo over {name}, from one answer to the next at 32", "us": 1e6 / busy.rate}


def inside_parts(repository: Path, questions: Any) -> Iterator[Row]:
    """Where a gRPC call of a lone connection spends its time in the server, as it is served."""
    from benchmarks.serving.running import running

    ours = next(found for found in CONTENDERS if found.name == "ours" and found.form == "grpc")
    url = f"http://127.0.0.1:{PORT + ours.port}{ours.path}"
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "inside.json"
        timed = replace(ours, command=("-m", "benchmarks.serving.inside", str(file), *ours.command[2:]))
        for request in (SEQUENCE, STEP):
            with running(timed, repository, questions):
                body = questions.body(ours, request)
                alone = [load.run("grpc", url, body, 1, INSIDE_SECONDS, ANY_BYTES) for _ in range(2)][-1]
            found = json.loads(file.read_text())
            file.unlink()  # what is there after the next request is that one's
            yield {"what": f"gRPC, {NAMES[request][1]}, an answer to 1 connection", "us": alone.p50 * 1e3}
            yield from ({"what": f"of it: {place}", "us": us} for place, us in found.items())


def main(words: list[str]) -> int:
    """Prints the table, and saves it when asked to."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--save", type=Path, help="a file for the rows, which the report is made from")
    asked = parser.parse_args(words)
    set_up_process()
    where = machine()
    from serving import servable

    with tempfile.TemporaryDirectory() as folder:
        repository = Path(folder) / "repository"
        version = repository / "classifier" / "1"
        version.parent.mkdir(parents=True)
        subprocess.run([sys.executable, "-m", "benchmarks.serving.model", str(version)], check=True)
        questions = questions_of(Path(folder), repository)
        loaded = servable.load("classifier", 1, str(version))
        parts = own_parts(loaded, questions), echo_parts(repository, questions), inside_parts(repository, questions)
        rows = tidy([row for each in parts for row in each])
        loaded.close()
    print(parts_table(rows))
    if asked.save:
        asked.save.parent.mkdir(parents=True, exist_ok=True)
        asked.save.write_text(json.dumps({"machine": where, "command": words, "rows": rows}, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
