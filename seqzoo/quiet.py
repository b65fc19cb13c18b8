"""TensorFlow without the notes that its libraries write while they load; they tell a user nothing."""

import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager


def import_tensorflow() -> None:
    """Imports TensorFlow, once, with what it writes to standard error meanwhile dropped. Errors are raised as ever."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    if "tensorflow" not in sys.modules:
        with _no_standard_error():
            import tensorflow  # noqa: F401
        logging.getLogger("absl").setLevel(logging.ERROR)  # warns of gradients, which nothing exported is asked for


@contextmanager
def _no_standard_error() -> Iterator[None]:
    """Drops what C++ code writes to file descriptor 2, which Python's own redirection does not reach."""
    sys.stderr.flush()
    kept = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)
