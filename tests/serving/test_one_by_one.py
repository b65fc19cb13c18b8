import asyncio

from serving.one_by_one import APART, OneByOne


def test_a_call_may_run_at_once_after_many_that_came_alone_until_two_meet():
    async def found():
        calls = OneByOne()
        alone = []
        for _ in range(APART + 2):
            alone.append(calls.enter() is not None)
            calls.leave()
        meeting = [calls.enter() is not None, calls.enter() is not None]
        calls.leave()
        calls.leave()
        return alone, meeting, calls.enter()

    alone, meeting, after = asyncio.run(found())
    assert alone == [False] * APART + [True] * 2
    assert meeting == [True, False]
    assert after is None
