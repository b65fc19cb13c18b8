"""The networks, one file each, and the table that names them."""

from models.zoo.entry import Entry
from models.zoo.table import ZOO, UnknownModelError, entry

__all__ = ["ZOO", "Entry", "UnknownModelError", "entry"]
