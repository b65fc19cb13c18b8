"""MLServer as its documentation writes it: a runtime class, numpy codecs, adaptive batching on (settings below).

python -m benchmarks.serving.peers.mlserver_app FOLDER writes the settings and starts `mlserver start FOLDER`."""

import json
import os
import sys
from pathlib import Path

import numpy as np
from mlserver import MLModel
from mlserver.codecs import decode_args


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


def main(folder: Path) -> None:
    """Settings, then the server in the place of this process."""
    folder.mkdir(parents=True, exist_ok=True)
    port = int(os.environ["PORT"])
    settings = {"host": "127.0.0.1", "http_port": port, "grpc_port": port + 1, "metrics_port": port + 2, "debug": False}
    model = {
        "name": "classifier",
        "implementation": "benchmarks.serving.peers.mlserver_app.Classifier",
        "max_batch_size": 32,
        "max_batch_time": 0.001,
    }
    (folder / "settings.json").write_text(json.dumps(settings))
    (folder / "model-settings.json").write_text(json.dumps(model))
    command = Path(sys.executable).with_name("mlserver")
    os.execv(command, [str(command), "start", str(folder)])


if __name__ == "__main__":
    main(Path(sys.argv[1]))
