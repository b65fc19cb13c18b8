"""What a run records of the data that it was trained on."""

from dataclasses import dataclass

import pandas as pd


@dataclass(frozen=True)
class DataSummary:
    """name; source: the file as it was given; sha256 of its bytes; the table as it was read; how it was split."""

    name: str
    source: str
    sha256: str
    licence: str
    table: pd.DataFrame
    split: str = ""
