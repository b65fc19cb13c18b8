"""The floor: the request's bytes come in, a fixed answer goes out, over the stack that our server stands on.

uvicorn with httptools for REST; grpc.aio for gRPC, without the messages being read."""

import asyncio
import os
from typing import Any

import grpc
import uvicorn

BACKLOG = 1024  # as our server's; its module would bring TensorFlow into this process
REST_ANSWER = b'{\n    "predictions": [[0.123456789, 0.223456789, 0.323456789, 0.223456789, 0.106172844]\n    ]\n}'
GRPC_ANSWER = bytes(96)  # as long as a PredictResponse of 5 floats


async def echo(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """An ASGI application that reads the body and answers."""
    while (await receive()).get("more_body"):
        pass
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(REST_ANSWER)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": REST_ANSWER})


async def answer(request: bytes, context: Any) -> bytes:
    """A gRPC method."""
    return GRPC_ANSWER


async def main() -> None:
    """Both, in one process; one is asked at a time."""
    port = int(os.environ["PORT"])
    handlers = {"Predict": grpc.unary_unary_rpc_method_handler(answer)}
    rpc = grpc.aio.server()
    rpc.add_generic_rpc_handlers(
        (grpc.method_handlers_generic_handler("tensorflow.serving.PredictionService", handlers),)
    )
    rpc.add_insecure_port(f"127.0.0.1:{port + 1}")
    await rpc.start()
    config = uvicorn.Config(
        echo,
        host="127.0.0.1",
        port=port,
        http="httptools",
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        backlog=BACKLOG,
    )
    await uvicorn.Server(config).serve()
    await rpc.stop(0)


if __name__ == "__main__":
    asyncio.run(main())
