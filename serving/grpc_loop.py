"""The event loop that gRPC runs on, in a thread of its own: one for all servers of the process.

grpc.aio has one queue of events for the process. Every loop that uses it wakes for the events of all of them, so that
two servers on a loop each would wake each other."""

import asyncio
import threading
from collections.abc import Coroutine
from typing import Any, TypeVar

Found = TypeVar("Found")
_making = threading.Lock()
_loop: asyncio.AbstractEventLoop | None = None


def loop() -> asyncio.AbstractEventLoop:
    """The loop. It runs from the first time that it is asked for to the end of the process."""
    global _loop
    with _making:
        if _loop is None:
            _loop = asyncio.new_event_loop()
            threading.Thread(target=_loop.run_forever, name="grpc-loop", daemon=True).start()
        return _loop


def run(coroutine: Coroutine[Any, Any, Found]) -> Found:
    """Runs it on the loop, and waits for it; not to be called on the loop."""
    return asyncio.run_coroutine_threadsafe(coroutine, loop()).result()
