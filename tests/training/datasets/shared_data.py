"""Where the data sets that do not ship are, on a machine that has them."""

import os
from pathlib import Path

SHARED = Path(os.environ.get("SEQZOO_TEST_DATA") or "data sets that are not here")
