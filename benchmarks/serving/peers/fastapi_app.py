"""FastAPI as its documentation writes it: a body class, a plain function that FastAPI runs on its threads, uvicorn."""

import os
from typing import Any

import numpy as np
import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel

from benchmarks.serving.peers import model_call

app = FastAPI()
call = model_call.load()


class Request(BaseModel):
    """One batch of sequences."""

    instances: list[list[list[float]]]


@app.post("/predict")
def predict(request: Request) -> dict[str, list[list[float]]]:
    """Class probabilities."""
    return {"predictions": call(np.array(request.instances, np.float32)).tolist()}


class Step(BaseModel):
    """One time step: numbers by alias."""

    inputs: dict[str, list[Any]]


@app.post("/step")
def step(request: Step) -> dict[str, dict[str, list[Any]]]:
    """Class probabilities, and the states after it."""
    found = model_call.step({alias: np.array(values, np.float32) for alias, values in request.inputs.items()})
    return {"outputs": {alias: array.tolist() for alias, array in found.items()}}


if __name__ == "__main__":
    uvicorn.run(app, host="127.0.0.1", port=int(os.environ["PORT"]), access_log=False, log_level="warning")
