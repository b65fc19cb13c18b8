"""`python -m serving`: the model server, in the place of `tensorflow_model_server`.

In TensorFlow Serving: model_servers/main.cc."""

import gc
import logging
import os
import resource
import signal
import sys
import threading
from contextlib import suppress
from importlib import metadata

# Else TensorFlow imports Keras where it is installed: 1.3 of 3.0 s, and nothing here needs it.
os.environ.setdefault("TF_USE_LEGACY_KERAS", "1")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("GRPC_VERBOSITY", "ERROR")

from serving.command_line import parse, usage
from serving.errors import InternalError, ServingError
from serving.log import import_tensorflow, to_stderr
from serving.options import ServerOptions

FAILED = 255
MOST_FILES = 1 << 16


def main(arguments: list[str]) -> int:
    """Runs the server until SIGTERM or SIGINT; returns the exit status."""
    parsed = parse(arguments)
    if parsed.options is None:
        say(usage("python -m serving").rstrip())
        return FAILED
    if parsed.options.version:
        say(versions())
        return 0
    if parsed.unknown:
        say(f"unknown argument: {parsed.unknown[0]}\n{usage('python -m serving').rstrip()}")
    to_stderr(parsed.options.log_format, parsed.options.log_level)
    allow_connections()
    ending = threading.Event()

    def end(*_: object) -> None:
        if ending.is_set():
            os._exit(128 + signal.SIGINT)  # asked twice
        ending.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, end)
    return serve(parsed.options, ending)


def allow_connections() -> None:
    """As many open files as the system lets us have: each connection is one, and a shell's default is 1024."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST_FILES if hard == resource.RLIM_INFINITY else min(hard, MOST_FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def serve(options: ServerOptions, ending: threading.Event) -> int:
    """Serves until the event is set; the start, which may wait without limit, has its own thread."""
    import_tensorflow()
    from serving.server import ModelServer

    gc.freeze()  # what TensorFlow's import has made stays: looking through it at each unload would stop calls for 0.2 s
    failures: list[ServingError] = []
    server: ModelServer | None = None
    try:
        server = ModelServer(options)
    except ServingError as error:
        failures.append(error)

    def start() -> None:
        try:
            if server is not None:
                server.start()
                if server.http_error is not None:
                    say(f"Failed to start server. Error: {server.http_error.status}")
        except ServingError as error:
            if not ending.is_set():
                failures.append(error)
        except Exception as error:
            failures.append(InternalError(f"{type(error).__name__}: {error}"))
        if failures:
            ending.set()

    threading.Thread(target=start, name="start", daemon=True).start()
    ending.wait()
    if server is not None:
        server.stop()
    if failures:
        say(f"Failed to start server. Error: {failures[0].status}")
    return FAILED if failures else 0


def end_at_once(status: int) -> None:
    """Ends the process though a run that nobody waits for any more may still go on in a thread."""
    logging.shutdown()
    os._exit(status)


def say(text: str) -> None:
    """Prints it at once; a standard output that takes nothing, as on a full disk, is no reason to end."""
    with suppress(OSError):
        print(text, flush=True)


def versions() -> str:
    """The two lines of `--version`."""
    import_tensorflow()
    import tensorflow as tf

    return (
        f"TensorFlow ModelServer: {metadata.version('tensorflow-serving-api')}+seqzoo.{metadata.version('seqzoo')}\n"
        f"TensorFlow Library: {tf.version.VERSION}"
    )


if __name__ == "__main__":
    end_at_once(main(sys.argv[1:]))
