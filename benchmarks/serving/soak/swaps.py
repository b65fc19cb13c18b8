"""Versions swapped under load on both faces, each with a reload that adds a second model or takes it away.

No request may fail, and the server must take no more at the end than at the beginning."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import grpc
from tensorflow_serving.apis import (
    get_model_status_pb2,
    model_management_pb2,
    model_service_pb2_grpc,
)
from tensorflow_serving.config import model_server_config_pb2

from benchmarks.serving.soak.load import CLASSIFIER, SCALE, loaded
from benchmarks.serving.soak.process import ROOT, Process, Taken, serving
from tests.serving import exports

THREADS = 8  # that ask, on each face
RELOAD_SECONDS, LONGEST_SWAP_SECONDS = 300, 300
AVAILABLE, END = 30, 50
SECOND = "second"  # the model that comes and goes
EVERY = 10  # swaps between two lines of progress
Say = Callable[[str], None]


def run(folder: Path, swaps: int, say: Say, model: str = CLASSIFIER, threads: int = THREADS) -> dict[str, Any]:
    """Swaps so often on a server of its own in the folder. Returns the row: `taken` is measured after each swap.

    Raises RuntimeError when a swap does not come to its end."""
    write(folder, model)
    began = time.monotonic()
    with serving(folder, f"--model_config_file={folder}/models.config") as server:
        swapper = Swapper(folder, server, model)
        taken: list[Taken] = []
        with (
            loaded("grpc", server.grpc_port, model, threads) as grpc_load,
            loaded("rest", server.rest_port, model, threads) as rest_load,
        ):
            for number in range(1, swaps + 1):
                swapper.swap(number)
                taken.append(server.taken())
                if number % EVERY == 0:
                    said = " ".join(f"{name} {value:.0f}" for name, value in asdict(taken[-1]).items())
                    say(f"swaps: {number} of {swaps}, {time.monotonic() - began:.0f} s, {said}")
    row = {"part": "swaps", "swaps": swaps, "reloads": swaps, "threads": 2 * threads}
    row |= {"seconds": round(time.monotonic() - began), "grpc": grpc_load, "rest": rest_load}
    return row | {"taken": [[round(each.resident_mib, 1), each.threads, each.files] for each in taken]}


def write(folder: Path, model: str) -> None:
    """The model as version 1, a second one, and the list with the first of them."""
    if model == SCALE:
        exports.scale(folder / SCALE / "1", 2)
    else:
        command = [sys.executable, "-m", "benchmarks.serving.model", str(folder / model / "1")]
        subprocess.run(command, cwd=ROOT, check=True, env={**os.environ, "PYTHONPATH": str(ROOT)})
    exports.scale(folder / SECOND / "1", 2)
    (folder / "models.config").write_text(str(config(folder, [model])))


def config(folder: Path, names: Sequence[str]) -> Any:
    """The list of these models."""
    found = model_server_config_pb2.ModelServerConfig()
    for name in names:
        base = str(folder / name)
        found.model_config_list.config.add(name=name, base_path=base, model_platform="tensorflow")
    return found


class Swapper:
    """Puts versions of the model into place, one after the other, and reloads."""

    def __init__(self, folder: Path, server: Process, model: str) -> None:
        self._folder = folder
        self._model = model
        self._server = server
        self._stub = model_service_pb2_grpc.ModelServiceStub(grpc.insecure_channel(f"localhost:{server.grpc_port}"))

    def swap(self, number: int) -> None:
        """Version number + 1 takes the place of version number; returns when that is unloaded and gone."""
        old, new = (self._folder / self._model / str(version) for version in (number, number + 1))
        writing = self._folder / "writing"
        shutil.copytree(old, writing, copy_function=os.link)
        writing.rename(new)
        names = [self._model, SECOND] if number % 2 else [self._model]
        request = model_management_pb2.ReloadConfigRequest(config=config(self._folder, names))
        self._stub.HandleReloadConfigRequest(request, timeout=RELOAD_SECONDS)
        end = time.monotonic() + LONGEST_SWAP_SECONDS
        while self._state(number + 1) != AVAILABLE or self._state(number) != END:
            if time.monotonic() > end or not self._server.running():
                raise RuntimeError(f"swap {number} does not end:\n{self._server.said()}")
            time.sleep(0.02)
        shutil.rmtree(old)

    def _state(self, version: int) -> int:
        request = get_model_status_pb2.GetModelStatusRequest()
        request.model_spec.name = self._model
        request.model_spec.version.value = version
        try:
            (found,) = self._stub.GetModelStatus(request, timeout=RELOAD_SECONDS).model_version_status
        except grpc.RpcError as error:
            if error.code() is grpc.StatusCode.NOT_FOUND:  # not seen yet
                return 0
            raise
        return int(found.state)
