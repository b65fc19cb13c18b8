import numpy as np
import pytest

from serving.batching.parameters import Parameters
from serving.batching.queue import Queue, Reply
from serving.errors import InvalidArgumentError, ServingError, UnavailableError


def feeds(*values):
    return {"x": np.array(values)}


def add(queue, rows, now=0, timeout_ms=None):
    return queue.add(feeds(*range(rows)), rows, timeout_ms, now)


def rows_of(queue):
    """Rows of the batches that are due, in order."""
    found = []
    while queue.due_micros() is not None:
        found.append([task.rows for task in queue.pop().tasks])
    return found


def test_an_empty_queue_has_nothing_due():
    assert Queue(Parameters()).due_micros() is None


def test_tasks_share_a_batch_until_one_does_not_fit():
    queue = Queue(Parameters(4))
    for rows in (1, 2, 2, 4, 1):
        add(queue, rows)
    assert rows_of(queue) == [[1, 2], [2], [4], [1]]


def test_an_open_batch_is_due_when_its_first_task_has_waited_long_enough():
    queue = Queue(Parameters(4, batch_timeout_micros=500))
    add(queue, 1, now=1000)
    add(queue, 1, now=1400)
    assert queue.due_micros() == 1500
    queue.pop()
    assert queue.due_micros() is None


def test_a_full_or_closed_batch_is_due_at_once():
    full = Queue(Parameters(2, batch_timeout_micros=500))
    add(full, 2, now=1000)
    assert full.due_micros() == 0
    closed = Queue(Parameters(2, batch_timeout_micros=500))
    add(closed, 1, now=1000)
    add(closed, 2, now=1000)
    assert closed.due_micros() == 0


def test_a_task_larger_than_a_batch_is_refused():
    with pytest.raises(InvalidArgumentError) as error:
        add(Queue(Parameters(4)), 5)
    assert error.value.message == "Task size 5 is larger than maximum input batch size 4"


@pytest.mark.parametrize(("limit", "batches"), [(2, 2), (1, 1), (0, 1)])
def test_a_full_queue_refuses_with_its_size(limit, batches):
    queue = Queue(Parameters(2, max_enqueued_batches=limit))
    for _ in range(batches):
        add(queue, 2)
    with pytest.raises(UnavailableError) as error:
        add(queue, 1)
    assert error.value.message == (
        "The batch scheduling queue to which this task was submitted is full; currently "
        f"{batches} batches enqueued and max_enqueued_batches is {batches}"
    )
    queue.pop()
    add(queue, 1)


def splitting(**more):
    return Parameters(100, enable_large_batch_splitting=True, max_execution_batch_size=4, **more)


def test_a_large_request_is_split_over_the_open_batch_and_whole_ones():
    queue = Queue(splitting())
    add(queue, 3)
    add(queue, 10)
    assert rows_of(queue) == [[3, 1], [4], [4], [1]]


def test_the_parts_of_a_request_are_joined_again():
    queue = Queue(splitting())
    add(queue, 3)
    reply = add(queue, 10)
    batches = [queue.pop() for _ in range(4)]
    for batch in reversed(batches):
        for task in batch.tasks:
            task.reply.put(task.part, [task.feeds["x"] * 2])
    assert reply.wait()[0].tolist() == [2 * row for row in range(10)]


def test_a_queue_that_splits_says_what_it_could_take():
    queue = Queue(splitting(max_enqueued_batches=2))
    add(queue, 3)
    with pytest.raises(UnavailableError) as error:
        add(queue, 6)
    assert error.value.message == (
        "The batch scheduling queue to which this task was submitted is full; task size is 6 but scheduling capacity "
        "is only 5 (num_enqueued_batches=1, max_enqueued_batches=2, open_batch_size=3, max_execution_batch_size=4)"
    )
    add(queue, 5)


def test_a_failed_part_fails_the_request():
    reply = Reply(2)
    reply.put(0, [np.zeros(1)])
    reply.fail(ServingError("broken"))
    with pytest.raises(ServingError, match="broken"):
        reply.wait()


def test_a_task_is_late_when_its_time_is_over():
    queue = Queue(Parameters())
    add(queue, 1, now=1000, timeout_ms=2)
    add(queue, 1, now=1000)
    first, second = queue.pop().tasks
    assert not first.late(2999)
    assert first.late(3000)
    assert not second.late(1 << 60)
