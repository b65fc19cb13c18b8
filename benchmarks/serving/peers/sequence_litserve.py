"""Sequences by hand with LitServe: its batching on, and a dictionary of states in its one worker."""

import os
from typing import Any

import litserve

from benchmarks.serving.peers.sequence_call import States


class Steps(litserve.LitAPI):
    """The methods of LitServe's contract."""

    def setup(self, device: str) -> None:
        """Loads the model in the worker."""
        self.states = States()

    def decode_request(self, request: dict[str, Any]) -> Any:
        """As it is."""
        return request

    def batch(self, inputs: list[Any]) -> Any:
        """As they are."""
        return inputs

    def predict(self, x: Any) -> Any:
        """One step of each."""
        return self.states.step(x)

    def unbatch(self, output: Any) -> list[Any]:
        """One for each request."""
        return list(output)

    def encode_response(self, output: Any) -> dict[str, Any]:
        """The answer."""
        return {"y": [output]}


if __name__ == "__main__":
    api = Steps(max_batch_size=32, batch_timeout=0.001)
    server = litserve.LitServer(api, accelerator="cpu", workers_per_device=1)
    server.run(host="127.0.0.1", port=int(os.environ["PORT"]), generate_client_file=False, log_level="warning")
