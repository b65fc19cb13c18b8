"""Electricity transformer temperature, hourly from July 2016 to June 2018: six loads and the oil temperature (OT).

The split is that of the field: months of 30 days, 12 for training, 4 for validation, 4 for the test; the rest of the
file is not used.
"""

from pathlib import Path

from training.datasets import files
from training.datasets.files import DataFile
from training.datasets.time_series import Split

FILE = DataFile(
    data_set="etth1",
    name="ETTh1.csv",
    sha256="f18de3ad269cef59bb07b5438d79bb3042d3be49bdeecf01c1cd6d29695ee066",
    bytes=2_589_657,
    licence="CC BY-ND 4.0: pass on unmodified, with attribution",
    citation="Zhou et al. 2021, Informer: Beyond Efficient Transformer for Long Sequence Time-Series Forecasting",
    url="https://raw.githubusercontent.com/zhouhaoyi/ETDataset/1d16c8f4f9/ETT-small/ETTh1.csv",
)

HOURS_IN_MONTH = 30 * 24
SPLIT = Split(
    train=(0, 12 * HOURS_IN_MONTH),
    validation=(12 * HOURS_IN_MONTH, 16 * HOURS_IN_MONTH),
    test=(16 * HOURS_IN_MONTH, 20 * HOURS_IN_MONTH),
)


def locate() -> Path:
    """The file: the user's copy under `SEQZOO_DATA`, or downloaded once."""
    return files.locate(FILE)
