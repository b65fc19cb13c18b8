"""The methods of a gRPC server by name, as grpc.aio takes them: behind a guard, and with a bound for their message.

gRPC asks it for the method when the headers of a call have come. What it gives takes a stream of messages as bytes, so
that it begins before the message is there; it reads one. Methods that are coroutines run on the event loop, others on
threads."""

import inspect
from collections.abc import Callable, Iterable
from concurrent.futures import Executor
from functools import partial
from typing import Any, Protocol

import grpc

from serving import grpc_threads
from serving.grpc_receiving import Receiving


class Guard(Protocol):
    """Looks at each call before it is read."""

    def refusing(self, details: Any) -> Any:
        """A handler that refuses the call; None where it may pass."""
        ...


class Methods(grpc.GenericRpcHandler):
    """Takes services as a grpc.Server does. One for all, since grpc.aio asks each handler for each call."""

    def __init__(self, receiving: Receiving, executor: Executor, guard: Guard | None = None) -> None:
        """executor: runs the methods that are plain functions and bring no executor of their own."""
        self._receiving = receiving
        self._executor = executor
        self._guard = guard
        self._services: list[Any] = []
        self._handlers: dict[str, Any] = {}

    def add_generic_rpc_handlers(self, handlers: Iterable[Any]) -> None:
        """Offers these as well."""
        self._services += handlers

    def add_registered_method_handlers(self, service: str, handlers: Any) -> None:
        """Nothing: they come as generic handlers too. grpc.aio waits for calls of each registered method apart, and
        sets up all these waits anew after every call."""

    def service(self, handler_call_details: Any) -> Any:
        """The handler of a call; None for a method that is not offered."""
        if self._guard is not None:
            refusing = self._guard.refusing(handler_call_details)
            if refusing is not None:
                return refusing
        method = handler_call_details.method
        found = self._handlers.get(method)
        if found is None:
            handler = next(filter(None, (each.service(handler_call_details) for each in self._services)), None)
            if handler is not None:
                found = self._handlers[method] = self._receiving_one(handler, method)
        return found

    def _receiving_one(self, handler: Any, method: str) -> Any:
        behavior = handler.unary_stream if handler.response_streaming else handler.unary_unary
        run: Callable[[Any, Any], Any] = behavior
        if not inspect.iscoroutinefunction(behavior):
            executor = getattr(behavior, "experimental_thread_pool", self._executor)
            through = grpc_threads.stream if handler.response_streaming else grpc_threads.answer
            run = partial(through, executor, behavior)
        message, decode = self._receiving.message, handler.request_deserializer

        async def call(_: Any, context: Any) -> Any:
            return await run(await message(context, decode, method), context)

        made = (
            grpc.stream_stream_rpc_method_handler
            if handler.response_streaming
            else (grpc.stream_unary_rpc_method_handler)
        )
        return made(call, None, handler.response_serializer)
