"""The MLflow side: where the store is, what a run holds, how a version is registered and becomes champion."""
