"""Sequences by hand with Ray Serve: one actor with `serve.batch`, and a dictionary of states in it."""

import os
import signal
from typing import Any

import ray
from ray import serve
from starlette.requests import Request


@serve.deployment(max_ongoing_requests=200)
class Steps:
    """One replica."""

    def __init__(self) -> None:
        from benchmarks.serving.peers.sequence_call import States

        self.states = States()

    @serve.batch(max_batch_size=32, batch_wait_timeout_s=0.001)
    async def batched(self, requests: list[Any]) -> list[Any]:
        """One step of each."""
        return self.states.step(requests)

    async def __call__(self, request: Request) -> dict[str, Any]:
        """One step."""
        return {"y": [await self.batched(await request.json())]}


if __name__ == "__main__":
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
    serve.start(http_options={"host": "127.0.0.1", "port": int(os.environ["PORT"])})
    deployment: Any = Steps  # what the decorator makes of it
    serve.run(deployment.bind(), route_prefix="/predict")
    signal.sigwait([signal.SIGTERM, signal.SIGINT])
    ray.shutdown()
