import pytest

from serving.batching.parameters import Parameters, read
from serving.errors import ServingError


def refused(check):
    with pytest.raises(ServingError) as error:
        check()
    return error.value.message


def test_an_empty_file_of_comments_gives_the_defaults(tmp_path):
    path = tmp_path / "p"
    path.write_text("# nothing")
    assert read(str(path)) == Parameters()
    assert (Parameters().max_batch_size, Parameters().batch_timeout_micros) == (1000, 0)


def test_values_are_wrapped_and_0_is_a_value(tmp_path):
    path = tmp_path / "p"
    path.write_text(
        "max_batch_size { value: 4 } max_enqueued_batches { value: 0 } allowed_batch_sizes: [2, 4] "
        "pad_variable_length_inputs: true enable_large_batch_splitting { value: true } "
        "max_execution_batch_size { value: 2 } num_batch_threads { value: 3 } batch_timeout_micros { value: 9 }"
    )
    assert read(str(path)) == Parameters(4, 9, 0, 3, (2, 4), True, True, 2)


@pytest.mark.parametrize(
    ("given", "text"),
    [
        (
            {"allowed_batch_sizes": (2, 4), "max_batch_size": 5},
            "Last entry in allowed_batch_sizes must match max_batch_size; last entry was 4; expected 5",
        ),
        (
            {"allowed_batch_sizes": (4, 2, 5), "max_batch_size": 5},
            "allowed_batch_sizes entries must be monotonically increasing",
        ),
        ({"max_batch_size": 0}, "input_batch_size_limit must be positive; was 0"),
        ({"batch_timeout_micros": -1}, "batch_timeout_micros must be non-negative; was -1"),
        (
            {"enable_large_batch_splitting": True, "max_enqueued_batches": 0},
            "max_enqueued_batches must be positive; was 0",
        ),
        (
            {"enable_large_batch_splitting": True, "max_batch_size": 4, "max_execution_batch_size": 8},
            "When enable_large_batch_splitting is true, input_batch_size_limit must be greater than or equal to "
            "max_execution_batch_size.148",
        ),
    ],
)
def test_values_that_cannot_be_fail_the_load(given, text):
    assert refused(Parameters(**given).check) == text


def test_no_thread_fails_the_start():
    assert refused(Parameters(num_batch_threads=0).check_threads) == "num_batch_threads must be positive; was 0"


def test_a_run_has_other_rows_than_a_request_only_when_large_ones_are_split():
    assert Parameters(8, max_execution_batch_size=2).rows_of_a_run == 8
    assert Parameters(8, enable_large_batch_splitting=True, max_execution_batch_size=2).rows_of_a_run == 2
    assert Parameters(enable_large_batch_splitting=True).rows_of_a_run == 1000


def test_a_batch_is_padded_to_the_next_allowed_size():
    parameters = Parameters(8, allowed_batch_sizes=(2, 8))
    assert [parameters.padded_size(rows) for rows in (1, 2, 3, 8)] == [2, 2, 8, 8]
    assert Parameters().padded_size(3) == 3
