"""Who is compared, and how each is started: ours, the floor, and the rivals in environments of their own."""

import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
ENVIRONMENTS = ROOT / ".bench-serving"
PORT = 9400
PREDICT = "/tensorflow.serving.PredictionService/Predict"
REST_PATH = "/v1/models/classifier:predict"
SEQUENCE, STEP = "sequence", "step"  # the requests: a whole one, and a single time step with its states


@dataclass(frozen=True)
class Contender:
    """One server in one form.

    form: rest or grpc; path: where it is asked; port: beyond PORT; environment: the folder of its packages, empty for
    ours; package: what pip installs there; call: plain or compiled, empty where the server brings its own; step_path:
    where it is asked for one time step, empty where it is not; command: words after python, {folder} is a scratch
    folder, {repository} that of the models."""

    name: str
    command: tuple[str, ...]
    form: str = "rest"
    path: str = "/predict"
    port: int = 0
    environment: str = ""
    package: str = ""
    call: str = ""
    step_path: str = ""

    @property
    def paths(self) -> dict[str, str]:
        """By request, of those that it is asked."""
        return {SEQUENCE: self.path, **({STEP: self.step_path} if self.step_path else {})}

    @property
    def python(self) -> Path:
        """The interpreter that it runs on."""
        return ENVIRONMENTS / self.environment / "bin" / "python" if self.environment else Path(sys.executable)

    def why_not(self) -> str | None:
        """Why it cannot be measured here; None when it can."""
        if self.environment and not (ENVIRONMENTS / self.environment / ".ok").exists():
            return f"{self.package} is not installed"
        return None


OURS = (
    *("-m", "serving", f"--port={PORT + 1}", f"--rest_api_port={PORT}", "--model_name=classifier"),
    *("--model_base_path={repository}/classifier", "--enable_batching", "--compile_signatures"),
    *("--batching_parameters_file=benchmarks/serving/batching_parameters.txt", "--tensorflow_intra_op_parallelism=1"),
    "--grpc_max_threads=40",
)
ECHO = ("-m", "benchmarks.serving.peers.echo_app")
RIVALS = {  # name: folder and module, package, command, path
    "FastAPI": ("fastapi", "fastapi[standard]==0.165.0", ("-m", "benchmarks.serving.peers.fastapi_app"), "/predict"),
    "LitServe": ("litserve", "litserve==0.2.19", ("-m", "benchmarks.serving.peers.litserve_app"), "/predict"),
    "BentoML": (
        "bentoml",
        "bentoml==1.4.39",
        ("-m", "bentoml", "serve", "benchmarks.serving.peers.bentoml_app:Classifier", "--port", str(PORT)),
        "/predict",
    ),
    "MLServer": (
        "mlserver",
        "mlserver==1.7.1",
        ("-m", "benchmarks.serving.peers.mlserver_app", "{folder}"),
        "/v2/models/classifier/infer",
    ),
    "Ray Serve": ("ray", "ray[serve]==2.60.0", ("-m", "benchmarks.serving.peers.ray_app"), "/predict"),
}
STEP_PATHS = {
    "FastAPI": "/step",
    "LitServe": "/predict",
    "BentoML": "/step/rows",
    "MLServer": "/v2/models/step/infer",
    "Ray Serve": "/predict",
}
CALLS = {"plain": "", "compiled": ", our call inside"}
CONTENDERS = [
    *(
        Contender(name, command, form, path, port, step_path=path)
        for name, command in (("ours", OURS), ("echo", ECHO))
        for form, path, port in (("rest", REST_PATH, 0), ("grpc", PREDICT, 1))
    ),
    *(
        Contender(name + word, command, "rest", path, 0, folder, package, call, STEP_PATHS[name])
        for name, (folder, package, command, path) in RIVALS.items()
        for call, word in CALLS.items()
    ),
]
