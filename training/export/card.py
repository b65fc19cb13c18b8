"""The model card: what the model is, then the figures of this version."""

from collections.abc import Mapping
from importlib import resources
from typing import Any

Figures = Mapping[str, Mapping[str, float]]


def card(model: str) -> str:
    """The part of the card that every version shares. Raises FileNotFoundError when the model has none."""
    return (resources.files("models.zoo") / "cards" / f"{model}.md").read_text(encoding="utf-8")


def with_figures(text: str, figures: Figures, lineage: Mapping[str, Any]) -> str:
    """The card with a table of figures, one row for each contender, and where the version comes from."""
    names = list(dict.fromkeys(name for row in figures.values() for name in row))
    lines = ["| | " + " | ".join(names) + " |", "|---" * (len(names) + 1) + "|"]
    for contender, row in figures.items():
        cells = [f"{row[name]:.3f}" if name in row else "" for name in names]
        lines.append(f"| {contender} | " + " | ".join(cells) + " |")
    origin = [f"- {name}: {value}" for name, value in sorted(lineage.items()) if not isinstance(value, Mapping)]
    return "\n".join([text.rstrip(), "", "## This version", "", *lines, "", *origin, ""])
