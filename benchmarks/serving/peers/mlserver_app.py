"""MLServer as its documentation writes it: runtime classes, numpy codecs, adaptive batching on (settings below).

python -m benchmarks.serving.peers.mlserver_app FOLDER writes the settings and starts `mlserver start FOLDER`."""

import json
import os
import sys
from pathlib import Path

import numpy as np
from mlserver import MLModel
from mlserver.codecs import decode_args

Arrays = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]


class Classifier(MLModel):
    """The runtime."""

    async def load(self) -> bool:
        """Loads the model in the worker."""
        from benchmarks.serving.peers import model_call

        self.call = model_call.load()
        return True

    @decode_args
    async def predict(self, x: np.ndarray) -> np.ndarray:
        """Class probabilities."""
        return self.call(x.astype(np.float32, copy=False))


class Step(MLModel):
    """The same model's one step, in the same worker."""

    async def load(self) -> bool:
        """Nothing: it is made when it is first asked."""
        return True

    @decode_args
    async def predict(
        self, x: np.ndarray, state_h1: np.ndarray, state_c1: np.ndarray, state_h2: np.ndarray, state_c2: np.ndarray
    ) -> Arrays:
        """Class probabilities, and the states after the step."""
        from benchmarks.serving.peers import model_call

        given = {"x": x, "state_h1": state_h1, "state_c1": state_c1, "state_h2": state_h2, "state_c2": state_c2}
        found = model_call.step({alias: array.astype(np.float32, copy=False) for alias, array in given.items()})
        return found["probabilities"], found["state_h1"], found["state_c1"], found["state_h2"], found["state_c2"]


def main(folder: Path) -> None:
    """Settings, then the server in the place of this process."""
    port = int(os.environ["PORT"])
    settings = {"host": "127.0.0.1", "http_port": port, "grpc_port": port + 1, "metrics_port": port + 2, "debug": False}
    for name, runtime in (("classifier", "Classifier"), ("step", "Step")):
        model = {
            "name": name,
            "implementation": f"benchmarks.serving.peers.mlserver_app.{runtime}",
            "max_batch_size": 32,
            "max_batch_time": 0.001,
        }
        (folder / name).mkdir(parents=True, exist_ok=True)
        (folder / name / "model-settings.json").write_text(json.dumps(model))
    (folder / "settings.json").write_text(json.dumps(settings))
    command = Path(sys.executable).with_name("mlserver")
    os.execv(command, [str(command), "start", str(folder)])


if __name__ == "__main__":
    main(Path(sys.argv[1]))
