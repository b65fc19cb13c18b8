"""`seqzoo evaluate`: test figures with their 95 % intervals, of an exported version or of a server."""

from collections.abc import Iterator
from pathlib import Path

from models.zoo import entry
from seqzoo.ask import connect
from training.evaluation import Evaluation
from training.evaluation import evaluate as run_evaluation
from training.figures import shown
from training.home import default_repository
from training.tasks.task import Arrays

SECONDS = 600.0  # a call of an evaluation may hold thousands of examples


def evaluate(
    model: str,
    version: int | None,
    data: Path | None,
    repository: Path | None,
    endpoint: str | None,
    token: str | None,
    roots: str | None,
) -> Iterator[str]:
    """The lines to be shown; the last ones are `MODEL test_METRIC VALUE`.

    Raises InputError for what a user gave wrongly, and the client's error when the server refuses."""
    where = repository or default_repository()
    if endpoint is None:
        return lines(model, run_evaluation(model, where, version, data))
    signature = entry(model).evaluated
    with connect(endpoint, SECONDS, token, roots) as server:

        def predict(inputs: Arrays) -> Arrays:
            answer: Arrays = server.predict(model, inputs, signature_name=signature, version=version)
            return answer

        return lines(model, run_evaluation(model, where, None, data, (endpoint, predict)))


def lines(model: str, found: Evaluation) -> Iterator[str]:
    """The intervals, then a line for each figure: the plain guesses' first, the model's last."""
    yield f"{model}, answered by {found.source}"
    for metric, (low, high) in found.intervals.items():
        yield f"  test_{metric} {shown(found.test[metric])}, 95 % bootstrap interval {shown(low)} to {shown(high)}"
    for contender, figures in {**found.baselines, model: found.test}.items():
        for metric, value in figures.items():
            yield f"{contender} test_{metric} {shown(value)}"
