import mlflow
import pytest

from tests.training import small
from training.pipeline import train
from training.run import with_settings
from training.tasks import weather as weather_task
from training.tracking import store


@pytest.fixture(scope="session")
def trained(tmp_path_factory):
    """One small training in its own home: (home, what the pipeline returned, the lines it said)."""
    home = tmp_path_factory.mktemp("trained")
    patch = pytest.MonkeyPatch()
    patch.setenv("SEQZOO_HOME", str(home))
    said: list[str] = []
    result = train(with_settings(weather_task.RUN, small.SMALL), home / "repository", say=said.append)
    patch.undo()
    return home, result, said


@pytest.fixture
def trained_run(trained, monkeypatch):
    """The MLflow run of the small training, in its store."""
    home, result, _ = trained
    monkeypatch.setenv("SEQZOO_HOME", str(home))
    store.connect()
    return mlflow.get_run(result.version.run_id)
