"""How figures are shown."""

DIGITS = 4  # after the point
LARGE = 10.0


def shown(figure: float, digits: int = DIGITS) -> str:
    """A figure with so many digits after the point; one from 10 on, as perplexities are published."""
    return f"{figure:.{digits if abs(figure) < LARGE else 1}f}"
