"""What a run says of its data."""

import warnings

import mlflow
import pandas as pd
import pytest

from training.datasets.summary import DataSummary
from training.tracking import recording, store

TABLE = pd.DataFrame({"rows": [1, 2]})


@pytest.mark.parametrize("source", ["/data/my own.tsv", "https://example.org/data.tsv"])
def test_the_data_of_a_run_name_their_source_and_warn_of_nothing(seqzoo_home, source):
    store.connect()
    with mlflow.start_run(experiment_id=store.use_experiment("m")) as run, warnings.catch_warnings():
        warnings.simplefilter("error")
        recording.log_data(DataSummary("mine", source, "0" * 64, "mine", TABLE, split=""))
    found = mlflow.get_run(run.info.run_id)
    (used,) = found.inputs.dataset_inputs
    assert source in used.dataset.source
    assert found.data.tags["data.source"] == source
