"""Who keeps the states: our server by its stores, the client, and servers written by hand."""

import shutil
from dataclasses import dataclass

from benchmarks.serving.contenders import OURS, PORT, PREDICT, REST_PATH, RIVALS, Contender
from benchmarks.serving.sequences.steps import ALONE, HELD, PASSED, WRITTEN

REDIS_PORT = PORT + 9
STORES = {
    "memory": "memory",
    "file": "file:{folder}/store",
    "file, sync=always": "file:{folder}/store?sync=always",
    "redis": f"redis://127.0.0.1:{REDIS_PORT}/0",
}
MOST_SEQUENCES = "--max_sequence_number=200000"
MODULES = {"FastAPI": "fastapi", "LitServe": "litserve", "Ray Serve": "ray"}


@dataclass(frozen=True)
class Way:
    """One way to ask a server: held, passed, alone or hand-written; over rest or grpc."""

    kind: str
    form: str

    @property
    def contender(self) -> Contender:
        """The address."""
        if self.kind == WRITTEN:
            return Contender(self.kind, ())
        grpc = self.form == "grpc"
        return Contender(self.kind, OURS, self.form, PREDICT if grpc else REST_PATH, port=int(grpc))


@dataclass(frozen=True)
class Server:
    """A server, and the ways in which it is asked."""

    name: str
    contender: Contender
    ways: tuple[Way, ...]
    is_ours: bool = True

    def why_not(self) -> str | None:
        """Why it cannot be measured here; None when it can."""
        if self.name == "redis" and shutil.which("redis-server") is None:
            return "there is no redis-server"
        return self.contender.why_not()


def ours(store: str) -> Contender:
    """Our server with that store."""
    return Contender(store, (*OURS, MOST_SEQUENCES, f"--sequence_store={STORES[store]}"))


def _written(name: str) -> Contender:
    folder, package, _, path = RIVALS[name]
    module = f"benchmarks.serving.peers.sequence_{MODULES[name]}"
    return Contender(name, ("-m", module), "rest", path, 0, folder, package, "plain")


BOTH = tuple(Way(kind, form) for kind in (HELD, PASSED) for form in ("grpc", "rest"))
SERVERS = [
    *(Server(store, ours(store), BOTH if store == "memory" else (Way(HELD, "grpc"),)) for store in STORES),
    *(Server(name, _written(name), (Way(WRITTEN, "rest"),), is_ours=False) for name in MODULES),
]
LONE = tuple(Way(kind, form) for form in ("grpc", "rest") for kind in (HELD, ALONE))
