"""The server's log: lines on stderr, as scripts that wait for TensorFlow Serving read them."""

import json
import logging
import os
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

log = logging.getLogger("serving")


def to_stderr(style: str = "text", level: str = "info") -> None:
    """Writes what the server logs to stderr, and warnings of the libraries: time, level, text, or JSON (style json).

    A stderr that takes no more, as on a full disk, loses lines and never a request: logging passes over it."""
    handler = logging.StreamHandler(sys.stderr)
    text = logging.Formatter("%(asctime)s %(levelname).1s %(name)s] %(message)s")
    handler.setFormatter(JsonFormatter() if style == "json" else text)
    logging.getLogger().addHandler(handler)
    log.setLevel(getattr(logging, level.upper(), logging.INFO))


class JsonFormatter(logging.Formatter):
    """One JSON object a line: time (UTC), level, logger, message, and the fields of a record that has some."""

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        found = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **getattr(record, "fields", {}),
        }
        if record.exc_info:
            found["exception"] = self.formatException(record.exc_info)
        return json.dumps(found, default=str)


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
