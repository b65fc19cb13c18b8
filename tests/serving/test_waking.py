import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from serving.waking import Waking


class Counting(asyncio.SelectorEventLoop):
    """Counts how often another thread wakes it."""

    woken = 0

    def call_soon_threadsafe(self, *args, **more):
        self.woken += 1
        return super().call_soon_threadsafe(*args, **more)


def run(main, loop_factory=None):
    """What a coroutine function of a Waking gives."""

    async def made():
        return await main(Waking(asyncio.get_running_loop()))

    with asyncio.Runner(loop_factory=loop_factory) as runner:
        return runner.run(made())


def test_what_ends_together_wakes_the_loop_once():
    async def main(waking):
        waiting = [waking.waiting() for _ in range(5)]
        thread = threading.Thread(target=lambda: [one.end() for one in waiting])
        thread.start()
        thread.join()  # the loop runs nothing meanwhile
        woken = asyncio.get_running_loop().woken
        await asyncio.gather(*(one.in_time(None) for one in waiting))
        return woken

    assert run(main, Counting) == 1


def test_what_ends_on_the_loop_itself_wakes_nothing():
    async def main(waking):
        waiting = waking.waiting()
        asyncio.get_running_loop().call_soon(waiting.end)
        await waiting.in_time(60.0)
        return asyncio.get_running_loop().woken

    assert run(main, Counting) == 0


def test_the_time_is_limited_where_a_limit_is_given():
    async def main(waking):
        with pytest.raises(TimeoutError):
            await waking.waiting().in_time(0.001)
        waiting = waking.waiting()
        waiting.end()
        await waiting.in_time(60.0)

    run(main)


def test_what_is_left_to_be_done_is_done_at_the_end_though_nobody_waits():
    async def main(waking):
        done, late, last = [], waking.waiting(), waking.waiting()
        with pytest.raises(TimeoutError):
            await late.in_time(0)
        late.afterwards(lambda: done.append("late"))
        assert done == []
        late.end()
        last.end()
        await last.in_time(None)
        assert done == ["late"]
        last.afterwards(lambda: done.append("at once"))
        assert done == ["late", "at once"]

    run(main)


def test_an_end_after_that_of_the_loop_is_harmless():
    async def main(waking):
        return waking.waiting()

    with ThreadPoolExecutor(1) as another:
        another.submit(run(main).end).result()
