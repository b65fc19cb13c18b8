"""The page that compares the recurrences, with its pictures: trains what it shows, a section for each model.

    python -m training.zoo.comparison_page docs/comparison.md MODEL ...

which is `make comparison`. Sections of other models stay as they are.
"""

import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from training.zoo.comparison import STEPS_BACK, Compared, compare, pictures

CELLS, SEEDS = ("vanilla", "lstm", "gru"), (0,)
SETTINGS: Mapping[str, Mapping[str, str]] = {  # by model whose own would take hours: fewer epochs, the same for all
    "intent-slots": {"epochs": "3"},
    "speaker": {"epochs": "25"},
    "tagger": {"epochs": "2"},
}
SECTION = "## "

HEAD = """# The recurrences, compared

Made by `make comparison`: the same task, data, settings and number of trained parameters for a vanilla RNN, an LSTM and
a GRU, with the seeds {seeds}. `seqzoo compare NAME --cells vanilla,lstm,gru` does the same for one model, and logs one
MLflow run with a nested run for each. The settings are those of the zoo's own network, chosen for its recurrence and
not anew for the others; what is set otherwise stands above a table. A table has the mean over the seeds with the least
and the greatest. Dashes in the pictures of the gradient are untrained weights; a share below some 1e-21 is too small
for float32 and is shown as 0.
"""


def page(sections: Mapping[str, str]) -> str:
    """The page as Markdown, its sections in the order of their models' names."""
    head = HEAD.format(seeds=", ".join(map(str, SEEDS)))
    return "\n".join([head, *(sections[model] for model in sorted(sections))])


def sections_of(text: str) -> dict[str, str]:
    """The sections of a page by their model."""
    _, *parts = f"\n{text}".split(f"\n{SECTION}")
    return {part.split("\n", 1)[0]: f"{SECTION}{part.rstrip()}\n" for part in parts}


def section(model: str, compared: Sequence[Compared], settings: Mapping[str, str], folder: str) -> str:
    """What the page says of one model; folder: where the pictures lie, as the page sees it."""
    lines = [f"{SECTION}{model}", ""]
    if settings:
        lines += [f"With {', '.join(f'`--set {name}={value}`' for name, value in settings.items())}.", ""]
    lines += [*_table(compared), ""]
    lines += [f"![The curves of each recurrence, {model}]({folder}/comparison_{model}.png)", ""]
    lines += [*_gradients(compared), ""]
    lines += [f"![How the gradient shrinks over the time steps, {model}]({folder}/gradients_{model}.png)", ""]
    return "\n".join(lines)


def _table(compared: Sequence[Compared]) -> Iterator[str]:
    metrics = list(compared[0].tests[0])
    yield "| recurrence | units | parameters | epochs | " + " | ".join(f"test {name}" for name in metrics) + " |"
    yield "|---" * (4 + len(metrics)) + "|"
    for each in compared:
        figures = [_mean_and_range([test[name] for test in each.tests]) for name in metrics]
        epochs = ", ".join(str(len(history["loss"])) for history in each.histories)
        yield f"| {each.cell} | {each.units} | {each.parameters:,} | {epochs} | " + " | ".join(figures) + " |"


def _mean_and_range(values: Sequence[float]) -> str:
    return f"{np.mean(values):.3f} ({min(values):.3f} to {max(values):.3f})"


def _gradients(compared: Sequence[Compared]) -> Iterator[str]:
    yield f"The gradient {STEPS_BACK - 1} time steps back, as a share of that at the last one:"
    yield ""
    yield "| recurrence | untrained | trained |"
    yield "|---|---|---|"
    for each in compared:
        yield f"| {each.cell} | {each.gradients['untrained'][0]:.1e} | {each.gradients['trained'][0]:.1e} |"


def main() -> None:
    """Trains, draws and writes."""
    path = Path(sys.argv[1])
    drawn = path.parent / "pictures"
    for model in sys.argv[2:]:
        settings = SETTINGS.get(model, {})
        print(model)
        found = compare(model, CELLS, SEEDS, settings)
        for name, figure in pictures(model, found).items():
            figure.savefig(drawn / f"{'comparison' if name == 'recurrences' else name}_{model}.png")
        before = sections_of(path.read_text(encoding="utf-8")) if path.exists() else {}
        text = page({**before, model: section(model, found, settings, drawn.name)})
        path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
