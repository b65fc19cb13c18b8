"""Methods that are plain functions, on grpc.aio's server: each call has a thread, and a context as grpc.server has it.

grpc.aio can run such methods itself, but their context says neither that the caller has gone nor when the call ends."""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Executor
from contextlib import closing, suppress
from typing import Any, NoReturn

import grpc

Method = Callable[[Any, Any], Any]
SEND_SECONDS = 60.0  # a client that takes no message of a stream for so long has gone
SENDING = (grpc.aio.UsageError, grpc.aio.BaseError)


class AbortedError(Exception):
    """Ends a call with a status; raised by ThreadContext.abort."""

    def __init__(self, code: grpc.StatusCode, details: str) -> None:
        super().__init__(code, details)
        self.code, self.details = code, details


class ThreadContext:
    """A call, as the thread that answers it sees it."""

    def __init__(self, context: Any, loop: asyncio.AbstractEventLoop) -> None:
        """context: the call, as the event loop sees it."""
        self._context = context
        self._loop = loop
        self._lock = threading.Lock()
        self._active = True
        self._callbacks: list[Callable[[], None]] = []
        self.invocation_metadata: Callable[[], Any] = context.invocation_metadata
        self.set_trailing_metadata: Callable[[Any], None] = context.set_trailing_metadata
        self.time_remaining: Callable[[], float | None] = context.time_remaining
        context.add_done_callback(self._done)

    def is_active(self) -> bool:
        """False when the call has ended, also because the caller has gone."""
        return self._active

    def add_callback(self, callback: Callable[[], None]) -> None:
        """Called when the call ends: on the event loop, or at once where it has ended."""
        with self._lock:
            if self._active:
                self._callbacks.append(callback)
                return
        callback()

    def _done(self, _: Any) -> None:
        with self._lock:
            self._active = False
        for callback in self._callbacks:
            callback()

    def abort(self, code: grpc.StatusCode, details: str) -> NoReturn:
        """Ends the call with this status."""
        raise AbortedError(code, details)

    def send(self, response: Any) -> bool:
        """One message of a stream; False when the call has ended, or its client takes nothing."""
        if not self._active:
            return False
        writing = asyncio.run_coroutine_threadsafe(self._context.write(response), self._loop)
        with suppress(*SENDING, asyncio.CancelledError, TimeoutError):
            writing.result(SEND_SECONDS)
            return True
        writing.cancel()
        return False


async def answer(executor: Executor, method: Method, request: Any, context: Any) -> Any:
    """The response of a method, which runs on a thread of the executor."""
    return await _on_thread(executor, context, lambda ours: method(request, ours))


async def stream(executor: Executor, method: Method, request: Any, context: Any) -> None:
    """Sends what a method that is a generator yields; it runs on a thread of the executor."""

    def run(ours: ThreadContext) -> None:
        with closing(method(request, ours)) as responses:
            for response in responses:
                if not ours.send(response):
                    return

    await _on_thread(executor, context, run)


async def _on_thread(executor: Executor, context: Any, run: Callable[[ThreadContext], Any]) -> Any:
    loop = asyncio.get_running_loop()
    try:
        return await loop.run_in_executor(executor, run, ThreadContext(context, loop))
    except AbortedError as aborted:
        await context.abort(aborted.code, aborted.details)
