"""What does it cost to stream the text of char-lm, and what do streams gain by running together?

    python -m benchmarks.serving.streams --save benchmarks/results/streams.json

Prints one JSON line. The network is char-lm's, untrained: its text is noise, its cost is that of the trained one. The
server is a process of its own, asked over HTTP; server and clients share the cores. `first_ms`: the median of
(first event after the request, less the median of the prompt's own run of the graph). `tokens_a_second` by the number
of streams at once; `same_texts`: how many of them had the text that the same seed gives alone."""

import argparse
import asyncio
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.models.machine import machine

HOW_MANY = (1, 8, 32)
TOKENS = 400
PROMPT = "First Citizen:\n"
REPEATS = 30
ROUNDS = 3
PORT = 8599


def write_model(folder: Path) -> None:
    """The SavedModel of an untrained char-lm, as version folder."""
    import keras

    from models.zoo import entry
    from training.export import saved_model

    keras.utils.set_random_seed(0)
    found = entry("char-lm")
    model = found.network().build()
    model(np.zeros((1, 1), np.int32))
    saved_model.write(folder, model, found.signatures(model), {}, "", {})


def prompt_ms(folder: Path) -> float:
    """Milliseconds of the prompt's run, alone, in this process: median."""
    from serving import servable
    from serving.streams.text_model import text_model

    version = servable.load("char-lm", 1, str(folder))
    model, contract = text_model(version)
    step = model.step(contract.zeros(), model.encode(PROMPT.encode()).tokens)
    states = {contract.signature.inputs[a].tensor: s for a, s in contract.unpack([step.state]).items()}
    fetches = [slot.tensor for slot in contract.signature.outputs.values()]
    times = []
    for _ in range(REPEATS):
        begin = time.perf_counter()
        version.run({**step.feeds, **states}, fetches)
        times.append((time.perf_counter() - begin) * 1e3)
    version.close()
    return statistics.median(times)


async def stream(port: int, seed: int, tokens: int) -> tuple[float, str]:
    """(seconds to the first event, the text) of one stream."""
    body = json.dumps({"prompt": PROMPT, "seed": seed, "max_tokens": tokens}).encode()
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    head = f"POST /v1/models/char-lm:generate_stream HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n"
    begin = time.perf_counter()
    writer.write(head.encode() + body)
    await reader.readuntil(b"data: ")
    first = time.perf_counter() - begin
    content = b"data: " + await reader.readuntil(b'"done": true')
    writer.close()
    events = [json.loads(line[6:]) for line in content.splitlines() if line.startswith(b"data: ") and b'"text"' in line]
    assert len(events) == tokens, content[-500:]
    return first, "".join(event["text"] for event in events)


async def many(port: int, seeds: list[int]) -> tuple[float, list[str]]:
    """(tokens a second, texts) of so many streams at once."""
    begin = time.perf_counter()
    found = await asyncio.gather(*(stream(port, seed, TOKENS) for seed in seeds))
    return len(seeds) * TOKENS / (time.perf_counter() - begin), [text for _, text in found]


async def measure(port: int) -> dict[str, Any]:
    """The figures of a server that is warm."""
    await many(port, list(range(8)))
    firsts = [(await stream(port, seed, 1))[0] * 1e3 for seed in range(REPEATS)]
    alone = [(await many(port, [seed]))[1][0] for seed in range(max(HOW_MANY))]
    rates: dict[str, list[float]] = {str(number): [] for number in HOW_MANY}
    same: dict[str, int] = {}
    for _ in range(ROUNDS):
        for number in HOW_MANY:
            rate, texts = await many(port, list(range(number)))
            rates[str(number)].append(round(rate))
            same[str(number)] = sum(text == expected for text, expected in zip(texts, alone, strict=False))
    return {"first_ms": statistics.median(firsts), "tokens_a_second": rates, "same_texts": same}


def main(words: list[str]) -> None:
    """Writes the model, starts a server, measures, prints, and saves when asked to."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--save", type=Path, help="a file for the row, which the report is made from")
    asked = parser.parse_args(words)
    where = machine()
    with tempfile.TemporaryDirectory() as folder:
        version = Path(folder) / "char-lm" / "1"
        write_model(version)
        alone = prompt_ms(version)
        command = [sys.executable, "-m", "serving", "--port=0", f"--grpc_socket_path={folder}/grpc"]
        command += [f"--rest_api_port={PORT}", "--host=127.0.0.1", "--model_name=char-lm"]
        server = subprocess.Popen(
            [*command, f"--model_base_path={version.parent}"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        try:
            _wait(server)
            found = asyncio.run(measure(PORT))
        finally:
            server.terminate()
            server.wait()
    rates = {number: statistics.median(values) for number, values in found["tokens_a_second"].items()}
    line = {
        "part": "streams",
        "model": "char-lm",
        "cores": os.cpu_count(),
        "prompt_ms": round(alone, 2),
        "first_ms": round(found["first_ms"] - alone, 2),
        "tokens_a_second": rates,
        "spread": found["tokens_a_second"],
        "32_to_1": round(rates["32"] / rates["1"], 1),
        "same_texts": found["same_texts"],
    }
    print(json.dumps(line))
    if asked.save:
        asked.save.parent.mkdir(parents=True, exist_ok=True)
        asked.save.write_text(json.dumps({"machine": where, "rows": [line]}, indent=1) + "\n")


def _wait(server: "subprocess.Popen[bytes]") -> None:
    while True:
        try:
            with socket.create_connection(("127.0.0.1", PORT), 1):
                return
        except OSError:
            if server.poll() is not None:
                raise RuntimeError(f"the server ended with status {server.returncode}") from None
            time.sleep(0.1)


if __name__ == "__main__":
    main(sys.argv[1:])
