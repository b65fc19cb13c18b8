"""The arithmetic of spans, on made-up threads; reading, on a profile that TensorFlow wrote."""

import pytest
import tensorflow as tf

from benchmarks.models.profile_spans import Span, kind, own_times, profiled, read

SECOND = 10**12


def test_the_time_of_what_lies_within_is_not_the_time_of_what_is_around():
    threads = [
        [Span("inner", 2 * SECOND, 5 * SECOND), Span("outer", 0, 10 * SECOND), Span("leaf", 3 * SECOND, 4 * SECOND)],
        [Span("outer", 0, SECOND), Span("inner", SECOND, 3 * SECOND)],  # one after the other, in another thread
    ]
    found = {name: (own.times, own.seconds) for name, own in own_times(threads).items()}
    assert found == {"outer": (2, 7.0 + 1.0), "inner": (2, 2.0 + 2.0), "leaf": (1, 1.0)}


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("MatMul_1.2", "MatMul"),
        ("loop_add_fusion.1.clone", "loop_add_fusion"),
        ("lstm/concat_1:ConcatV2", "ConcatV2"),
        ("end: MatMul.6", "end"),
        ("EagerLocalExecute: __inference_step_520", "EagerLocalExecute"),
        ("ExecutorState::Process", "ExecutorState::Process"),
    ],
)
def test_what_differs_by_its_number_is_of_one_kind(name, expected):
    assert kind(name) == expected


def test_operations_are_found_in_the_profile_that_tensorflow_writes():
    """The message is TensorFlow's own affair; where it goes, this fails."""
    x = tf.ones([64, 64])
    for compiled in (False, True):
        product = tf.function(lambda x: tf.linalg.matmul(x, x), jit_compile=compiled)
        product(x)
        found = own_times(profiled(lambda product=product: [product(x).numpy() for _ in range(3)]))
        (own,) = (own for name, own in found.items() if "matmul" in name.lower() and not name.startswith("end"))
        assert own.times == 3
        assert own.seconds > 0


def test_a_folder_without_a_profile_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no \*\.xplane\.pb below .*it expected what tf\.profiler"):
        read(tmp_path)
