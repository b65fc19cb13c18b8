"""Does our server answer more, and sooner, than other Python servers, and how far is it from a bare echo?

    python -m benchmarks.serving.servers --save benchmarks/results/serving.json

One JSON line for each server and number of connections; `--short` measures once and briefly, `--only` some servers;
`--add` joins a further pass to those of the saved file."""

import argparse
import json
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.models.layers import tidy
from benchmarks.models.machine import machine, set_up_process, version
from benchmarks.serving import load
from benchmarks.serving.contenders import CONTENDERS, PORT, SEQUENCE, STEP, Contender
from benchmarks.serving.passes import joined, parted

Row = dict[str, Any]
CONCURRENCIES = {SEQUENCE: (1, 8, 32, 128), STEP: (1, 32)}
WARM = (32, 8, 4, 2, 1)  # connections: shapes are compiled, threads made, before anything counts
BARE_CALLS = 500
IMPORT = "import tensorflow, re; print(re.search(r'VmRSS:\\s+(\\d+)', open('/proc/self/status').read())[1])"


def measured(contender: Contender, repository: Path, questions: Any, seconds: float) -> list[Row]:
    """One row for each request and number of connections, from one start of the server."""
    from benchmarks.serving.running import running

    rows = []
    with running(contender, repository, questions) as server:
        resident = 0.0
        for request, path in contender.paths.items():
            url, body = f"http://127.0.0.1:{PORT + contender.port}{path}", questions.body(contender, request)
            if not questions.answered(contender, request):
                raise RuntimeError(f"{contender.name} does not answer a {request}")
            asks = partial(load.run, contender.form, url, body, answer_bytes=questions.answer_bytes)
            for concurrency in WARM:
                asks(concurrency, 1)
            resident = resident or server.resident_mib()  # of the server that has run the first request alone
            for concurrency in CONCURRENCIES[request]:
                figures = asks(concurrency, seconds)
                rows.append(
                    {
                        "part": "load",
                        "server": contender.name,
                        "form": contender.form,
                        "request": request,
                        "concurrency": concurrency,
                        "tool": load.tool(contender.form),
                        "start_seconds": server.start_seconds,
                        "resident_mib": resident,
                        **vars(figures),
                    }
                )
            if not questions.answered(contender, request):
                raise RuntimeError(f"{contender.name} gives no answer any more after the load")
    return rows


def bare(repository: Path) -> Row:
    """The compiled call alone, and `import tensorflow` alone: what no server can spare."""
    from benchmarks.serving.model import sequence, step
    from serving import servable

    loaded = servable.load("classifier", 1, str(repository / "classifier" / "1"))
    call_ms = median_ms(compiled_call(loaded, "serving_default", {"x": sequence()}))
    step_ms = median_ms(compiled_call(loaded, "step", step()))
    loaded.close()
    seconds, resident = [], []
    for _ in range(3):
        begin = time.perf_counter()
        environment = {**os.environ, "TF_USE_LEGACY_KERAS": "1", "TF_CPP_MIN_LOG_LEVEL": "3"}
        done = subprocess.run([sys.executable, "-c", IMPORT], env=environment, capture_output=True, check=True)
        seconds.append(time.perf_counter() - begin)
        resident.append(int(done.stdout) / 1024)
    return {
        "part": "bare",
        "call_ms": call_ms,
        "step_ms": step_ms,
        "import_seconds": min(seconds),
        "import_mib": statistics.median(resident),
    }


def compiled_call(loaded: Any, name: str, inputs: Any) -> Callable[[], Any]:
    """The signature of a loaded version, compiled, on these inputs; it has run once."""
    signature = loaded.signatures[name]
    feeds = {signature.inputs[alias].tensor: array for alias, array in inputs.items()}
    fetches = loaded.compiled([*feeds], [slot.tensor for slot in signature.outputs.values()])
    loaded.run(feeds, fetches)
    return partial(loaded.run, feeds, fetches)


def median_ms(call: Callable[[], Any], calls: int = BARE_CALLS) -> float:
    """Milliseconds of a call."""
    times = []
    for _ in range(calls):
        begin = time.perf_counter()
        call()
        times.append((time.perf_counter() - begin) * 1e3)
    return statistics.median(times)


def questions_of(folder: Path, repository: Path) -> Any:
    """The requests, and their answers by TensorFlow's own loader."""
    import tensorflow as tf

    from benchmarks.serving.model import sequence, step
    from benchmarks.serving.questions import Question, Questions

    loaded = tf.saved_model.load(str(repository / "classifier" / "1"))  # its variables live as long as it does

    def question(inputs: Any, signature: str = "") -> Question:
        call = loaded.signatures[signature or "serving_default"]
        found = call(**{alias: tf.constant(array) for alias, array in inputs.items()})
        return Question(inputs, found["probabilities"].numpy(), signature)

    return Questions(folder, {SEQUENCE: question({"x": sequence()}), STEP: question(step(), "step")})


def arguments(words: list[str]) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--short", action="store_true", help="one pass of 2 seconds each")
    parser.add_argument("--only", nargs="+", help="servers whose name begins with one of these (all)")
    parser.add_argument("--add", action="store_true", help="keep the passes that the saved file has")
    parser.add_argument("--save", type=Path, help="a file for all rows, which the report is made from")
    return parser.parse_args(words)


def main(words: list[str]) -> int:
    """Prints a JSON line for each row, and saves them all when asked to."""
    asked = arguments(words)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the servers are ended as well
    set_up_process()
    absent = sorted({tool for tool in load.NEEDED.values() if shutil.which(tool) is None})
    if absent:
        packages = " ".join(load.PACKAGES[tool] for tool in absent)
        print(f"Without {' and '.join(absent)} Python makes the load; `apt-get install {packages}`.", file=sys.stderr)
    where = {**machine(), **{name: found for name in ("grpcio", "uvicorn") if (found := version(name))}}
    names = tuple(asked.only or ("",))
    contenders = [found for found in CONTENDERS if found.name.startswith(names)]
    passes, seconds = (1, 2.0) if asked.short else (3, 3.0)
    rows: list[Row] = []
    absences: dict[str, str] = {}
    with tempfile.TemporaryDirectory() as folder:
        repository = Path(folder) / "repository"
        (repository / "classifier").mkdir(parents=True)
        version_folder = repository / "classifier" / "1"
        subprocess.run([sys.executable, "-m", "benchmarks.serving.model", str(version_folder)], check=True)
        questions = questions_of(Path(folder), repository)
        alone = tidy(bare(repository))
        print(json.dumps(alone), flush=True)
        for _ in range(passes):
            for contender in contenders:
                if contender.name in absences:
                    continue
                try:
                    if why_not := contender.why_not():
                        raise RuntimeError(why_not)
                    found = tidy(measured(contender, repository, questions, seconds))
                except (RuntimeError, ArithmeticError) as error:
                    absences[contender.name] = str(error)
                    print(f"{contender.name} is left out: {error}", file=sys.stderr, flush=True)
                    continue
                rows += found
                for row in found:
                    print(json.dumps(row), flush=True)
    if asked.save:
        save(asked.save, where, words, [alone, *rows], absences, add=asked.add)
    return 0


def save(file: Path, where: dict[str, str], words: list[str], rows: list[Row], absences: Any, *, add: bool) -> None:
    """Writes the passes as one row for each place; add: beside those that the file has."""
    commands = [words]
    if add and file.exists():
        before = json.loads(file.read_text())
        where, commands = before["machine"], [*(before.get("commands") or [before["command"]]), words]
        rows = parted([row for row in before["rows"] if row["part"] != "absent"]) + rows
    measured_ones = {row["server"] for row in rows if row["part"] == "load"}
    absent = [{"part": "absent", "server": name} for name in absences if name not in measured_ones]
    file.parent.mkdir(parents=True, exist_ok=True)
    out = [*tidy(joined(rows)), *absent]
    file.write_text(json.dumps({"machine": where, "commands": commands, "rows": out}, indent=1) + "\n")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
