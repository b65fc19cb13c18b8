import asyncio

from serving import grpc_loop, grpc_threads
from serving.grpc_threads import ThreadContext


class Stuck:
    """A call whose client takes no message."""

    def __init__(self):
        self.given_up = asyncio.Event()

    invocation_metadata = set_trailing_metadata = time_remaining = None

    def add_done_callback(self, callback):
        """It never ends by itself."""

    async def write(self, response):
        try:
            await asyncio.Event().wait()
        finally:
            self.given_up.set()


def test_a_stream_whose_client_takes_nothing_is_given_up(monkeypatch):
    monkeypatch.setattr(grpc_threads, "SEND_SECONDS", 0.01)
    call = Stuck()
    assert ThreadContext(call, grpc_loop.loop()).send("a") is False
    grpc_loop.run(asyncio.wait_for(call.given_up.wait(), 30))
