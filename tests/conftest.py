"""What all tests share: a home of their own, and small trainings to look at."""

import os
import sys

import pytest

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # before TensorFlow is imported anywhere
data_sets = os.environ.pop("SEQZOO_DATA", None)  # the tests need no data beside the project
if data_sets:
    os.environ["SEQZOO_TEST_DATA"] = data_sets  # some read a whole data set where there is one
os.environ.pop("MLFLOW_TRACKING_URI", None)


@pytest.fixture
def seqzoo_home(tmp_path, monkeypatch):
    """An empty SEQZOO_HOME for one test."""
    home = tmp_path / "home"
    monkeypatch.setenv("SEQZOO_HOME", str(home))
    return home


@pytest.fixture(scope="session")
def trained(tmp_path_factory):
    """One small training in its own home: (home, what the pipeline returned, the lines it said)."""
    from tests.training import small
    from training.pipeline import train
    from training.run import with_settings
    from training.tasks import weather

    home, said = tmp_path_factory.mktemp("trained"), []
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SEQZOO_HOME", str(home))
        result = train(with_settings(weather.RUN, small.SMALL), home / "repository", say=said.append)
    return home, result, said


@pytest.fixture(autouse=True, scope="module")
def no_graphs_of_other_files():
    """What a file of tests traces may go when it is done: a process that runs all would need many gigabytes."""
    if "keras" not in sys.modules:  # it traces nothing, or no recurrence of ours
        yield
        return
    from training.registered_gradients import forgotten_after

    with forgotten_after():
        yield
