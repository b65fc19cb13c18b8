"""A layer's weights as the one matrix W of the slides, read-only.

    z = W^l ( h_t^(l-1) ; h_(t-1)^l )        slides S9, S10: the layer below above the old state
    z = W   ( h_(t-1) ; x_t )                slide S11: the old state above the input

The slides act on column vectors and order the LSTM's rows i, f, o, g; a layer stores row vectors' matrices with
the columns i, f, g, o. The bias is not part of W.
"""

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from models.layers.recurrence import Recurrence


def slide_matrix(
    layer: Recurrence, columns: Literal["below, before", "before, below"] = "below, before"
) -> NDArray[Any]:
    """W [gates * units, features + units] in the slide's order of rows; columns as on S10, or as on S11.

    Raises ValueError when the layer has no weights yet, or for another order of columns."""
    if not layer.cell.built:
        raise ValueError(f"{layer.name!r} has no weights yet; call it, or build it for an input shape, first.")
    rows = layer.cell.Gates._fields
    below, before = (
        _rows(layer, matrix.numpy().T, rows) for matrix in (layer.kernel.value, layer.recurrent_kernel.value)
    )
    orders = {"below, before": (below, before), "before, below": (before, below)}
    if columns not in orders:
        raise ValueError(f"columns={columns!r} is not known; it expected one of {', '.join(map(repr, orders))}.")
    W = np.concatenate(orders[columns], axis=1)
    W.setflags(write=False)
    return W


def _rows(layer: Recurrence, transposed: NDArray[Any], rows: tuple[str, ...]) -> NDArray[Any]:
    by_gate = dict(zip(layer.cell.gates, np.split(transposed, len(rows)), strict=True))
    return np.concatenate([by_gate[name] for name in rows])
