"""The MLflow experiment UI on one store."""

import sys


def command(store_uri: str, host: str, port: int) -> list[str]:
    """The process that serves the UI; one worker, since one person looks at it."""
    where = ["--backend-store-uri", store_uri, "--host", host, "--port", str(port)]
    return [sys.executable, "-m", "mlflow", "server", *where, "--workers", "1"]
