"""What compiling gains: each signature of the zoo as TensorFlow calls it, as the server runs it plainly, and compiled.

    python -m benchmarks.serving.compiling --save benchmarks/results/compiling.json --page docs/compiling_performance.md

One example a call, that with which the export itself is warmed up; the contenders take turns, and a row has their
medians. Compiled runs are those of shapes that were compiled before."""

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.models.layers import tidy
from benchmarks.models.machine import machine, set_up_process
from benchmarks.models.report import table

Row = dict[str, Any]
ROUNDS = 15
SECONDS = 0.02  # of one contender's turn, at least one call
WARMUP = "assets.extra/tf_serving_warmup_requests"
PAGE = """# What compiling gains

`make bench-compiling`: every signature of the zoo that comes along, one example a call, in process. *TensorFlow* is
`tf.saved_model.load` and a call of the signature, *plain* the server's own run, *compiled* the same where the server
compiles ([how](serving.md#compiled-signatures)). Median microseconds of a call; the contenders took turns. The ratio is
that of the whole call, with what stays plain in it. A server goes on plainly where compiled takes more than four fifths
of plain. This page is made from `{source}`; no number on it is typed by hand.

{table}

What is not compiled, and why:

{left}

The machine: {processor}, {cores} cores, load {load} before the run, {system}, Python {python}, TensorFlow {tensorflow}.
"""


def requests(folder: Path) -> Iterator[tuple[str, Mapping[str, np.ndarray]]]:
    """Signature, alias -> array: what the export brings to be warmed up with."""
    import tensorflow as tf
    from tensorflow_serving.apis import prediction_log_pb2

    for record in tf.data.TFRecordDataset(str(folder / WARMUP)).as_numpy_iterator():
        request = prediction_log_pb2.PredictionLog.FromString(record).predict_log.request
        yield request.model_spec.signature_name, {a: tf.make_ndarray(t) for a, t in request.inputs.items()}


def measured(folder: Path, name: str) -> Iterator[Row]:
    """A row for each signature of an export."""
    import tensorflow as tf

    from serving import servable
    from serving.compiling.guarded import Guarded
    from serving.compiling.rewriting import NotCompiledError

    public, loaded = tf.saved_model.load(str(folder)), servable.load(name, 1, str(folder))
    for signature_name, inputs in requests(folder):
        signature = loaded.signatures[signature_name]
        feeds = {signature.inputs[alias].tensor: array for alias, array in inputs.items()}
        fetches = [slot.tensor for slot in signature.outputs.values()]
        row: Row = {"model": name, "signature": signature_name}
        call = public.signatures[signature_name]
        given = {alias: tf.constant(array) for alias, array in inputs.items()}
        contenders: dict[str, Callable[[], Any]] = {
            "tensorflow": partial(numbers, call, given),
            "plain": partial(loaded.run, feeds, fetches),
        }
        try:
            guarded = Guarded(loaded, loaded.compiled([*feeds], fetches))
        except NotCompiledError as error:
            row["why"] = str(error)
        else:
            for shapes in guarded.shapes(feeds):
                guarded.know(shapes)
            contenders["compiled"] = partial(guarded.run, feeds, None)
        yield row | medians(contenders)
    loaded.close()


def numbers(call: Callable[..., Any], given: Mapping[str, Any]) -> list[np.ndarray]:
    """The outputs of a call by TensorFlow's public way."""
    return [one.numpy() for one in call(**given).values()]


def medians(contenders: Mapping[str, Callable[[], Any]]) -> Row:
    """Microseconds of a call of each, in turns."""
    times: dict[str, list[float]] = {name: [] for name in contenders}
    for call in contenders.values():
        call()
    for _ in range(ROUNDS):
        for name, call in contenders.items():
            end = time.perf_counter() + SECONDS
            while (begin := time.perf_counter()) < end or not times[name]:
                call()
                times[name].append(1e6 * (time.perf_counter() - begin))
    return {name: statistics.median(found) for name, found in times.items()}


def page(saved: Mapping[str, Any], source: str) -> str:
    """The page for a saved run."""
    columns: dict[str, Callable[[Row], str]] = {
        "model": lambda row: f"`{row['model']}`",
        "signature": lambda row: f"`{row['signature']}`",
        "TensorFlow": lambda row: f"{row['tensorflow']:.0f}",
        "plain": lambda row: f"{row['plain']:.0f}",
        "compiled": lambda row: f"{row['compiled']:.0f}",
        "compiled, times plain": lambda row: f"{row['plain'] / row['compiled']:.2f}",
        "compiled, times TensorFlow": lambda row: f"{row['tensorflow'] / row['compiled']:.2f}",
    }
    compiled = [row for row in saved["rows"] if "compiled" in row]
    left = [f"- `{row['model']}` `{row['signature']}`: {row['why']}" for row in saved["rows"] if "why" in row]
    return PAGE.format(source=source, table=table(columns, compiled), left="\n".join(left), **saved["machine"])


def main(words: list[str]) -> int:
    """Measures what is named, or all; saves and writes the page where asked to."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("models", nargs="*", help="of the zoo; all that come along where none is named")
    parser.add_argument("--save", type=Path, help="a file for the rows")
    parser.add_argument("--page", type=Path, help="the Markdown file to write")
    asked = parser.parse_args(words)
    set_up_process()
    where = machine()
    from models.zoo import ZOO, entry
    from training.export import packed
    from training.export.command import export

    rows = []
    for name in asked.models or [name for name in ZOO if entry(name).data is None or packed.come_along(name)]:
        with tempfile.TemporaryDirectory() as folder:
            os.environ["SEQZOO_HOME"] = folder  # where nothing was trained, so that what comes along is exported
            rows += tidy([*measured(export(name, Path(folder)), name)])
    saved = {"machine": where, "command": words, "rows": rows}
    print(text := page(saved, asked.save.as_posix() if asked.save else "this run"))
    if asked.save:
        asked.save.write_text(json.dumps(saved, indent=1) + "\n")
    if asked.page:
        asked.page.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
