from serving.time_left import TimeLeft


def test_it_counts_down_to_nothing(clock):
    left = TimeLeft(3, clock)
    assert left.seconds() == 3
    clock.now += 2_500_000
    assert left.seconds() == 0.5
    clock.now += 2_500_000
    assert left.seconds() == 0


def test_more_is_there_also_when_nothing_is_left(clock):
    left = TimeLeft(1, clock)
    assert left.seconds(more=2) == 3
    clock.now += 9_000_000
    assert left.seconds(more=2) == 2


def test_no_limit_stays_none(clock):
    assert TimeLeft(None, clock).seconds(more=2) is None
