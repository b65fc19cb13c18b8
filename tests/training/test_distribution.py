"""What TF_CONFIG must say; workers that train together are in `end_to_end/test_shared.py`."""

import json

import pytest

from tests.training import small
from training.distribution import Cluster, read_cluster
from training.errors import InputError

WORKERS = ["a:1", "b:2", "c:3"]


def config(task=("worker", 0), **jobs):
    return json.dumps({"cluster": jobs or {"worker": WORKERS}, "task": {"type": task[0], "index": task[1]}})


def test_worker_0_is_the_chief_unless_there_is_one():
    assert read_cluster(config(("worker", 2))) == Cluster(("a:1", "b:2", "c:3"), 2)
    assert read_cluster(config(("worker", 1), chief=["d:4"], worker=WORKERS)) == Cluster(
        ("d:4", "a:1", "b:2", "c:3"), 2
    )
    assert read_cluster(config(("chief", 0), chief=["d:4"], worker=WORKERS)).worker == 0


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (None, "got no TF_CONFIG"),
        ("{", "JSONDecodeError"),
        ("[]", "TypeError"),
        ("{}", "KeyError: 'cluster'"),
        (json.dumps({"cluster": {"worker": WORKERS}}), "KeyError: 'task'"),
        (config(("worker", 3)), "no worker with the index 3"),
        (config(("chief", 0)), "no chief with the index 0"),
        (config(("ps", 0), worker=WORKERS, ps=["p:1"]), "has ps, which do not train by this strategy"),
        (config(worker=["a", "b:2"]), "'a' is no host:port"),
        (config(worker=["a:1", "a:1"]), "an address of its own"),
        (config(("chief", 0), chief=["a:1", "b:2"]), "one may be the chief"),
    ],
)
def test_a_tf_config_that_cannot_be_used_is_answered_with_one_that_can(text, why):
    with pytest.raises(InputError, match=why) as refused:
        read_cluster(text)
    assert '{"cluster": {"worker": ["host1:9000", "host2:9000"]}, "task"' in str(refused.value)
    assert text is None or text in str(refused.value)


def test_without_tf_config_the_command_line_says_so_in_one_line(monkeypatch):
    monkeypatch.delenv("TF_CONFIG", raising=False)
    line = small.refused("train", "weather", "--strategy=multi-worker")
    assert line.startswith("Error: --strategy multi-worker got no TF_CONFIG")
    assert "set that variable for each worker" in line
