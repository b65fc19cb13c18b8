"""The server's log: lines on stderr, as scripts that wait for TensorFlow Serving read them."""

import logging
import os
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager

log = logging.getLogger("serving")


def to_stderr() -> None:
    """Writes what the server logs to stderr: time, level, text."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname).1s %(name)s] %(message)s"))
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    log.propagate = False


def log_unexpected(error: BaseException) -> None:
    """An error that no code foresaw: its traceback goes to the log, the caller gets INTERNAL."""
    log.error("Unexpected error in a call:\n%s", "".join(traceback.format_exception(error)))


def import_tensorflow() -> None:
    """Imports TensorFlow and looks for GPUs, without the notes that its libraries write meanwhile."""
    with _no_stderr():
        import tensorflow as tf

        tf.config.list_physical_devices()
    tf.get_logger().setLevel(logging.ERROR)


@contextmanager
def _no_stderr() -> Iterator[None]:
    """Drops what C++ code writes to file descriptor 2; Python's errors are raised as ever."""
    sys.stderr.flush()
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)
