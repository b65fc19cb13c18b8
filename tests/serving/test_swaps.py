"""Version swaps and reloads under load, against a server process: 30 of the 500 of `make soak`."""

from benchmarks.serving.soak import goals, swaps
from benchmarks.serving.soak.load import SCALE


def test_30_swaps_under_load_fail_no_request_and_leave_nothing_behind(tmp_path):
    row = swaps.run(tmp_path, 30, lambda text: None, model=SCALE, threads=2)
    assert row["grpc"]["errors"] == []
    assert row["rest"]["errors"] == []
    assert [verdict for verdict in goals.verdicts(row) if not verdict.holds] == []
