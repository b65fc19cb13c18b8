"""From a data set and a zoo entry to a run, a registered version and an exported SavedModel."""

import os

os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")  # what is trained here is nobody else's business
