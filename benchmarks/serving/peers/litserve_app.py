"""LitServe as its documentation writes it: decode, predict, encode, with its batching on."""

import os
from typing import Any

import litserve
import numpy as np

from benchmarks.serving.peers import model_call


class Classifier(litserve.LitAPI):
    """The four methods of LitServe's contract, and the two that make and part a batch.

    A sequence is an array; a single step is a dict of them by alias. The load has one of both at a time."""

    def setup(self, device: str) -> None:
        """Loads the model in the worker."""
        self.call = model_call.load()

    def decode_request(self, request: dict[str, Any]) -> Any:
        """One sequence, or step, of the body."""
        if "inputs" in request:
            return {alias: np.array(values[0], np.float32) for alias, values in request["inputs"].items()}
        return np.array(request["instances"][0], np.float32)

    def batch(self, inputs: list[Any]) -> Any:
        """Sequences, or steps, to a batch."""
        return model_call.stacked(inputs) if isinstance(inputs[0], dict) else np.stack(inputs)

    def predict(self, x: Any) -> Any:
        """The batch's answers."""
        return model_call.step(x) if isinstance(x, dict) else self.call(x)

    def unbatch(self, output: Any) -> list[Any]:
        """One for each request."""
        return model_call.parted(output) if isinstance(output, dict) else list(output)

    def encode_response(self, output: Any) -> dict[str, Any]:
        """The answer."""
        if isinstance(output, dict):
            return {"outputs": {alias: [array.tolist()] for alias, array in output.items()}}
        return {"predictions": [output.tolist()]}


if __name__ == "__main__":
    api = Classifier(max_batch_size=32, batch_timeout=0.001)
    server = litserve.LitServer(api, accelerator="cpu", workers_per_device=1)
    server.run(host="127.0.0.1", port=int(os.environ["PORT"]), generate_client_file=False, log_level="warning")
