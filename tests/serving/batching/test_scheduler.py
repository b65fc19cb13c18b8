import threading

import numpy as np

from serving.batching.parameters import Parameters
from serving.batching.queue import Queue
from serving.batching.scheduler import Scheduler
from serving.clock import SystemClock


def feeds(value):
    return {"x": np.array([value])}


def test_a_lone_request_waits_no_longer_than_batch_timeout_micros(clock):
    scheduler, queue = Scheduler(1, clock), Queue(Parameters(8, batch_timeout_micros=500))
    scheduler.add_queue(queue, lambda batch: None)
    scheduler.submit(queue, feeds(1), 1, None)
    assert scheduler.take() == 500
    clock.now += 499
    assert scheduler.take() == 1
    clock.now += 1
    batch, _ = scheduler.take()
    assert [task.feeds["x"].tolist() for task in batch.tasks] == [[1]]
    assert scheduler.take() is None


def test_queues_take_turns(clock):
    scheduler = Scheduler(1, clock)
    queues = [Queue(Parameters(1)) for _ in range(2)]
    for name, queue in zip("ab", queues, strict=True):
        scheduler.add_queue(queue, name)
        for _ in range(2):
            scheduler.submit(queue, feeds(1), 1, None)
    assert [scheduler.take()[1] for _ in range(4)] == ["a", "b", "a", "b"]


def test_the_nearest_of_several_deadlines_counts(clock):
    scheduler = Scheduler(1, clock)
    for micros in (900, 300):
        queue = Queue(Parameters(8, batch_timeout_micros=micros))
        scheduler.add_queue(queue, lambda batch: None)
        scheduler.submit(queue, feeds(1), 1, None)
    assert scheduler.take() == 300


def test_a_queue_that_is_removed_is_not_looked_at(clock):
    scheduler, queue = Scheduler(1, clock), Queue(Parameters())
    scheduler.add_queue(queue, lambda batch: None)
    scheduler.submit(queue, feeds(1), 1, None)
    scheduler.remove_queues({queue})
    assert scheduler.take() is None


def test_the_threads_answer_requests_of_all_queues_and_end():
    scheduler = Scheduler(2, SystemClock())
    scheduler.start()
    queues = [Queue(Parameters(4, batch_timeout_micros=200)) for _ in range(3)]

    def run(batch):
        for task in batch.tasks:
            task.reply.put(task.part, [task.feeds["x"] * 2])

    for queue in queues:
        scheduler.add_queue(queue, run)
    replies = [(value, scheduler.submit(queues[value % 3], feeds(value), 1, None)) for value in range(20)]
    assert [reply.wait()[0].tolist() for _, reply in replies] == [[2 * value] for value, _ in replies]
    scheduler.stop()


def test_a_batch_that_does_not_end_holds_up_the_end_no_longer_than_it_is_told():
    scheduler, queue = Scheduler(2, SystemClock()), Queue(Parameters(1))
    running, may_end = threading.Event(), threading.Event()

    def run(batch):
        running.set()
        assert may_end.wait(60)
        for task in batch.tasks:
            task.reply.put(task.part, [task.feeds["x"]])

    scheduler.add_queue(queue, run)
    scheduler.start()
    reply = scheduler.submit(queue, feeds(7), 1, None)
    assert running.wait(60)
    scheduler.stop(0.05)
    may_end.set()
    assert reply.wait()[0].tolist() == [7]  # it was left to itself
    scheduler.stop()
