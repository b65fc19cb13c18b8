from tensorflow.python.framework import errors as tf_errors

from serving import errors
from serving.errors import Code


def test_the_codes_are_those_of_tensorflow_by_name_and_number():
    from tensorflow.core.protobuf import error_codes_pb2

    theirs = {n: v for n, v in error_codes_pb2.Code.items() if not n.startswith("DO_NOT_USE")}
    assert {code.name: int(code) for code in Code} == theirs


def test_a_status_prints_as_code_and_message():
    assert errors.NotFoundError("no such thing").status == "NOT_FOUND: no such thing"
    assert errors.ServingError("odd").status == "UNKNOWN: odd"
    assert errors.ServingError("lost", Code.DATA_LOSS).code is Code.DATA_LOSS


def test_each_kind_of_error_has_its_own_code():
    kinds = errors.ServingError.__subclasses__()
    ours = [kind for kind in kinds if kind.__module__ == "serving.errors"]
    assert len({kind.code for kind in ours}) == len(ours) == 12


def test_an_error_of_the_runtime_keeps_its_code_and_text():
    found = errors.from_tensorflow(tf_errors.OutOfRangeError(None, None, "the end"))
    assert found.status == "OUT_OF_RANGE: the end"


def test_errors_of_files_get_the_codes_of_tensorflows_file_system(tmp_path):
    cases = {tmp_path / "absent": Code.NOT_FOUND, tmp_path: Code.FAILED_PRECONDITION}
    for path, code in cases.items():
        try:
            path.read_bytes()
        except OSError as error:
            found = errors.from_os(error, str(path))
        assert found.code is code
        assert found.message.startswith(f"{path}; ")
    assert errors.from_os(OSError(28, "No space left on device"), "x").status == "UNKNOWN: x; No space left on device"
