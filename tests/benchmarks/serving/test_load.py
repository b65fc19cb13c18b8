import pytest

from benchmarks.serving.load import Figures, frame, read_h2load

PRINTED = """finished in 4.00s, 50.00 req/s, 7KB/s
requests: 100 total, 100 started, 100 done, 98 succeeded, 2 failed, 0 errored, 0 timeout"""


def test_a_frame_is_a_flag_the_length_and_the_message():
    assert frame(b"abc") == b"\0\0\0\0\3abc"


def test_h2loads_log_gives_the_percentiles_in_milliseconds():
    log = "".join(f"0\t{200 if at else 500}\t{(at + 1) * 1000}\n" for at in range(100))
    assert read_h2load(PRINTED, log) == Figures(50.0, 51.0, 100.0, 100, 2)


def test_a_run_without_an_answer_is_an_error():
    with pytest.raises(RuntimeError, match="no answer"):
        read_h2load(PRINTED, "")
    with pytest.raises(RuntimeError, match="req/s"):
        read_h2load("nothing", "0\t200\t5\n")
