"""Sequences by hand with FastAPI: a plain function on its threads, and a dictionary of states."""

import os
from typing import Any

import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel

from benchmarks.serving.peers.sequence_call import States

app = FastAPI()
states = States()


class Request(BaseModel):
    """One step."""

    id: str
    x: list[float]


@app.post("/predict")
def step(request: Request) -> dict[str, list[Any]]:
    """What the model says at this step."""
    return {"y": states.step([{"id": request.id, "x": request.x}])}


if __name__ == "__main__":
    uvicorn.run(app, host="127.0.0.1", port=int(os.environ["PORT"]), access_log=False, log_level="warning")
