import threading

from serving.clock import SystemClock


def test_time_goes_forward_and_a_wait_ends_with_its_event_or_its_time():
    clock, event = SystemClock(), threading.Event()
    before = clock.micros()
    assert not clock.wait(event, 2000)
    assert clock.micros() - before >= 2000
    event.set()
    assert clock.wait(event, 60_000_000)
