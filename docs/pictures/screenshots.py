"""Takes the pictures of docs/mlflow.md: the MLflow UI on the store under SEQZOO_HOME, seen by a headless Chromium.

python docs/pictures/screenshots.py [FOLDER]

The newest finished run of `weather` is shown, so that store must hold one.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from io import BytesIO
from pathlib import Path

import mlflow
from PIL import Image

from seqzoo import ports, ui
from seqzoo.process import Companion
from training.errors import InputError
from training.tracking import store

MODEL = "weather"
ADDRESS = "10.0.0.1"  # what the browser takes the UI's address for: on a local one the UI opens its assistant
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
ML = "workflowType=machine_learning"  # not that of prompts and agents
WIDTH, HEIGHT = 1360, 820
COLOURS = 128  # of a picture: few, so that it is small
RENDERING_MILLISECONDS = 90_000  # by the page's own clock, which runs faster than ours
UI_SECONDS, BROWSER_SECONDS = 240.0, 240.0


def main(folder: Path) -> None:
    """Writes mlflow_experiments.png, mlflow_run.png and mlflow_registry.png."""
    store.connect()
    client = mlflow.MlflowClient()
    version = client.get_model_version_by_alias(MODEL, "champion")
    experiment = client.get_run(version.run_id).info.experiment_id
    pages = {
        "experiments": f"experiments/{experiment}/runs?{ML}&compareRunsMode=TABLE",
        "run": f"experiments/{experiment}/runs/{version.run_id}/model-metrics?{ML}",
        "registry": f"models/{MODEL}?{ML}",
    }
    port = ports.choose(5000, "the MLflow UI", print)
    with tempfile.TemporaryDirectory() as scratch:
        log = Path(scratch) / "mlflow.log"
        allowed = {"MLFLOW_SERVER_CORS_ALLOWED_ORIGINS": f"http://{ADDRESS}:{port}"}
        with Companion("the MLflow UI", ui.command(store.uri(), "127.0.0.1", port), log, allowed) as page:
            page.wait_for(f"http://127.0.0.1:{port}/health", UI_SECONDS)
            for name, path in pages.items():
                take(f"http://{ADDRESS}:{port}/#/{path}", folder / f"mlflow_{name}.png", Path(scratch))


def take(url: str, path: Path, scratch: Path) -> None:
    """A picture of a page once it has rendered. Raises InputError when there is no browser, or it fails."""
    shot = scratch / "shot.png"
    options = [f"--screenshot={shot}", f"--window-size={WIDTH},{HEIGHT}", f"--user-data-dir={scratch / 'profile'}"]
    options.append(f"--host-resolver-rules=MAP {ADDRESS} 127.0.0.1")
    waits = f"--virtual-time-budget={RENDERING_MILLISECONDS}"
    as_root = ["--no-sandbox"] if os.geteuid() == 0 else []
    command = [browser(), "--headless=new", "--disable-gpu", "--hide-scrollbars", waits, *options, *as_root, url]
    done = subprocess.run(command, capture_output=True, text=True, timeout=BROWSER_SECONDS, check=False)
    if done.returncode or not shot.exists():
        raise InputError(f"{command[0]} took no picture of {url}: {done.stderr.strip()[-300:]}")
    buffer = BytesIO()
    Image.open(shot).convert("RGB").quantize(COLOURS).save(buffer, "png", optimize=True)
    path.write_bytes(buffer.getvalue())
    shot.unlink()
    print(f"{path}: {len(buffer.getvalue()):,} bytes")


def browser() -> str:
    """The first of `BROWSERS` that is installed."""
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        raise InputError(f"found none of {', '.join(BROWSERS)}; on Debian, `apt-get install chromium`.")
    return found


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent)
