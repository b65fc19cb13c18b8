import json

from benchmarks.serving.passes import joined, parted
from benchmarks.serving.servers import save


def load(rate, errors=0, server="ours"):
    figures = {"rate": rate, "p50": 1.0, "p99": 2.0, "start_seconds": 3.0, "resident_mib": 4.0}
    return {
        "part": "load",
        "server": server,
        "form": "rest",
        "concurrency": 8,
        "requests": 10,
        "errors": errors,
        **figures,
    }


def bare(call_ms):
    return {"part": "bare", "call_ms": call_ms, "import_seconds": 2.0, "import_mib": 500.0}


def test_a_place_has_the_medians_and_the_sums_of_its_passes():
    row, other = joined([load(100, 1), load(300), load(200, 2), load(5, server="echo")])
    assert (row["rate"], row["requests"], row["errors"]) == (200, 30, 3)
    assert row["rounds"]["rate"] == [100, 300, 200]
    assert (other["server"], other["rate"]) == ("echo", 5)


def test_passes_that_are_parted_and_joined_again_are_the_same():
    rows = joined([bare(0.2), load(100, 1), bare(0.4), load(300)])
    assert joined(parted(rows)) == rows


def test_each_request_has_a_row_of_its_own_and_older_rows_are_of_sequences():
    passes = [load(100), {**load(200), "request": "sequence"}, {**load(7), "request": "step"}]
    whole, step = joined(passes)
    assert (whole["rounds"]["rate"], step["rounds"]["rate"]) == ([100, 200], [7])


def test_a_figure_that_older_passes_lack_stays_with_those_that_have_it():
    rows = joined([bare(0.2), {**bare(0.4), "step_ms": 0.1}])
    assert rows[0]["rounds"]["step_ms"] == [0.1]
    assert joined(parted(rows)) == rows


def test_a_further_pass_is_added_and_who_answers_later_is_not_absent(tmp_path):
    file = tmp_path / "serving.json"
    save(file, {"cores": "2"}, ["a"], [bare(0.2), load(100)], {"Ray": "slow"}, add=False)
    save(file, {"cores": "9"}, ["b"], [bare(0.4), load(200), load(7, server="Ray")], {"Bento": "absent"}, add=True)
    found = json.loads(file.read_text())
    assert found["machine"] == {"cores": "2"}
    assert found["commands"] == [["a"], ["b"]]
    rates = {row["server"]: row["rounds"]["rate"] for row in found["rows"] if row["part"] == "load"}
    assert rates == {"ours": [100, 200], "Ray": [7]}
    assert [row["server"] for row in found["rows"] if row["part"] == "absent"] == ["Bento"]
    assert [row["rounds"]["call_ms"] for row in found["rows"] if row["part"] == "bare"] == [[0.2, 0.4]]


def test_a_pass_is_added_to_a_file_from_before_several_commands_were_kept(tmp_path):
    file = tmp_path / "serving.json"
    save(file, {"cores": "2"}, ["a"], [bare(0.2), load(100)], {}, add=False)
    old = json.loads(file.read_text())
    old["command"] = old.pop("commands")[0]
    file.write_text(json.dumps(old))
    save(file, {"cores": "2"}, ["b"], [bare(0.2), load(100)], {}, add=True)
    assert json.loads(file.read_text())["commands"] == [["a"], ["b"]]
