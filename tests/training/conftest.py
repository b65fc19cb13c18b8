import shutil

import mlflow
import pytest

from training.home import home
from training.tracking import store


@pytest.fixture(autouse=True, scope="session")
def tables_made_once(tmp_path_factory):
    """New stores of this process are copies of one: MLflow needs seconds to make its tables."""
    make, patch = store._make_tables, pytest.MonkeyPatch()
    with patch.context() as at:
        at.setenv("SEQZOO_HOME", str(tmp_path_factory.mktemp("tables")))
        store.connect()
        empty = home() / "mlflow.db"

    def copied():
        home().mkdir(parents=True, exist_ok=True)
        if not (home() / "mlflow.db").exists():
            shutil.copy(empty, home())
        make()

    patch.setattr(store, "_make_tables", copied)
    yield
    patch.undo()


@pytest.fixture
def trained_run(trained, monkeypatch):
    """The MLflow run of the small training, in its store."""
    home, result, _ = trained
    monkeypatch.setenv("SEQZOO_HOME", str(home))
    store.connect()
    return mlflow.get_run(result.version.run_id)
