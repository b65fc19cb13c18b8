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
from pathlib import Path
from typing import Any

from benchmarks.models.layers import tidy
from benchmarks.models.machine import machine, set_up_process, version
from benchmarks.serving import load
from benchmarks.serving.contenders import CONTENDERS, PORT, Contender
from benchmarks.serving.passes import joined, parted

Row = dict[str, Any]
CONCURRENCIES = (1, 8, 32, 128)
BARE_CALLS = 500
IMPORT = "import tensorflow, re; print(re.search(r'VmRSS:\\s+(\\d+)', open('/proc/self/status').read())[1])"


def measured(contender: Contender, repository: Path, questions: Any, seconds: float) -> list[Row]:
    """One row for each number of connections, from one start of the server."""
    from benchmarks.serving.running import running

    rows = []
    with running(contender, repository, questions) as server:
        url, body = f"http://127.0.0.1:{PORT + contender.port}{contender.path}", questions.body(contender)
        for concurrency in (32, 8, 4, 2, 1):  # shapes are compiled, threads made, before anything counts
            load.run(contender.form, url, body, concurrency, 1)
        resident = server.resident_mib()
        for concurrency in CONCURRENCIES:
            figures = load.run(contender.form, url, body, concurrency, seconds)
            rows.append(
                {
                    "part": "load",
                    "server": contender.name,
                    "form": contender.form,
                    "concurrency": concurrency,
                    "start_seconds": server.start_seconds,
                    "resident_mib": resident,
                    **vars(figures),
                }
            )
        if not questions.answered(contender):
            raise RuntimeError(f"{contender.name} gives no answer any more after the load")
    return rows


def bare(repository: Path) -> Row:
    """The compiled call alone, and `import tensorflow` alone: what no server can spare."""
    from benchmarks.serving.model import sequence
    from serving import servable

    loaded = servable.load("classifier", 1, str(repository / "classifier" / "1"))
    signature = loaded.signatures["serving_default"]
    given = signature.inputs["x"].tensor
    fetches = loaded.compiled([given], [signature.outputs["probabilities"].tensor])
    feeds, times = {given: sequence()}, []
    loaded.run(feeds, fetches)
    for _ in range(BARE_CALLS):
        begin = time.perf_counter()
        loaded.run(feeds, fetches)
        times.append((time.perf_counter() - begin) * 1e3)
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
        "call_ms": statistics.median(times),
        "import_seconds": min(seconds),
        "import_mib": statistics.median(resident),
    }


def questions_of(folder: Path, repository: Path) -> Any:
    """The request, and its answer by TensorFlow's own loader."""
    import tensorflow as tf

    from benchmarks.serving.model import sequence
    from benchmarks.serving.questions import Questions

    loaded = tf.saved_model.load(str(repository / "classifier" / "1"))  # its variables live as long as it does
    signature = loaded.signatures["serving_default"]
    return Questions(folder, sequence(), signature(x=tf.constant(sequence()))["probabilities"].numpy())


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
        print(f"{' and '.join(absent)} make the load; `apt-get install {packages}` has them.", file=sys.stderr)
        return 2
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
    if add and file.exists():
        before = json.loads(file.read_text())
        where = before["machine"]
        rows = parted([row for row in before["rows"] if row["part"] != "absent"]) + rows
    measured_ones = {row["server"] for row in rows if row["part"] == "load"}
    absent = [{"part": "absent", "server": name} for name in absences if name not in measured_ones]
    file.parent.mkdir(parents=True, exist_ok=True)
    out = [*tidy(joined(rows)), *absent]
    file.write_text(json.dumps({"machine": where, "command": words, "rows": out}, indent=1) + "\n")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
