"""A model server that speaks TensorFlow Serving's gRPC and REST API, for any SavedModel.

The names below are imported when they are asked for: TensorFlow takes seconds, and `python -m serving --help` passes
through here without it."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from serving.async_sequence import AsyncSequence
    from serving.client import GrpcClient, RestClient
    from serving.client_error import ClientError
    from serving.client_tls import Tls
    from serving.errors import Code, ServingError
    from serving.options import ServerOptions
    from serving.sequence_client import Sequence
    from serving.server import ModelServer

__all__ = [
    "AsyncSequence",
    "ClientError",
    "Code",
    "GrpcClient",
    "ModelServer",
    "RestClient",
    "Sequence",
    "ServerOptions",
    "ServingError",
    "Tls",
]
_HOMES = {
    "AsyncSequence": "async_sequence",
    "ClientError": "client_error",
    "Code": "errors",
    "GrpcClient": "client",
    "ModelServer": "server",
    "RestClient": "client",
    "Sequence": "sequence_client",
    "ServerOptions": "options",
    "ServingError": "errors",
    "Tls": "client_tls",
}


def __getattr__(name: str) -> Any:
    """The public name, from the module that it lives in."""
    if name not in _HOMES:
        raise AttributeError(f"module 'serving' has no attribute {name!r}; it has {', '.join(__all__)}")
    return getattr(import_module(f"serving.{_HOMES[name]}"), name)
