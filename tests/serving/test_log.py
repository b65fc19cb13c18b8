"""The server's log: text or JSON on stderr."""

import json
import subprocess
import sys

CODE = """
import logging
from serving.log import log, to_stderr
to_stderr(*{arguments!r})
log.debug("fine")
log.info("one\\ntwo", extra={{"fields": {{"model": "m", "odd": {{1}}}}}})
logging.getLogger("uvicorn.error").warning("of a library")
try:
    1 / 0
except ZeroDivisionError:
    log.exception("failed")
"""


def lines(*arguments, **options):
    code = CODE.format(arguments=arguments)
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, **options)
    assert ended.returncode == 0, ended.stderr
    return ended.stderr.splitlines()


def test_json_is_one_object_a_line_whatever_the_text():
    found = [json.loads(line) for line in lines("json", "debug")]
    assert [entry["message"] for entry in found] == ["fine", "one\ntwo", "of a library", "failed"]
    assert [entry["level"] for entry in found] == ["debug", "info", "warning", "error"]
    assert (found[1]["model"], found[1]["odd"]) == ("m", "{1}")
    assert found[3]["exception"].endswith("ZeroDivisionError: division by zero")
    assert all(entry["time"].endswith("+00:00") for entry in found)


def test_text_has_the_form_that_scripts_know():
    found = lines()
    assert found[0].endswith(" I serving] one")
    assert found[1] == "two"
    assert found[2].endswith(" W uvicorn.error] of a library")


def test_levels_below_the_one_that_is_set_are_left_out():
    assert [json.loads(line)["message"] for line in lines("json", "warning")] == ["of a library", "failed"]


def test_a_log_that_cannot_be_written_ends_nothing():
    with open("/dev/full", "w") as full:
        ended = subprocess.run(
            [sys.executable, "-c", CODE.format(arguments=("text", "debug")) + "print('went on')"],
            stdout=subprocess.PIPE, stderr=full, text=True, timeout=60, check=False,
        )  # fmt: skip
    assert ended.stdout == "went on\n"
