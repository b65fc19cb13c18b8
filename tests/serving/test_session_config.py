import pytest

from serving.errors import Code, ServingError
from serving.options import ServerOptions
from serving.session_config import session_config


def threads(**flags):
    config = session_config(ServerOptions(**flags))
    return config.intra_op_parallelism_threads, config.inter_op_parallelism_threads


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        ({}, (0, 0)),
        ({"tensorflow_session_parallelism": 3}, (3, 3)),
        ({"tensorflow_session_parallelism": 3, "tensorflow_intra_op_parallelism": 2}, (2, 0)),
        ({"tensorflow_inter_op_parallelism": 4}, (0, 4)),
    ],
)
def test_thread_counts_come_from_the_flags(flags, expected):
    assert threads(**flags) == expected


def test_a_file_gives_the_rest_but_never_threads_or_the_gpu_fraction(tmp_path):
    path = tmp_path / "session"
    path.write_text(
        "intra_op_parallelism_threads: 9 log_device_placement: true gpu_options { per_process_gpu_memory_fraction: .5 }"
    )
    config = session_config(ServerOptions(tensorflow_session_config_file=str(path)))
    assert config.log_device_placement
    assert config.intra_op_parallelism_threads == 0
    assert config.gpu_options.per_process_gpu_memory_fraction == 0


def test_an_absent_file_is_an_error(tmp_path):
    with pytest.raises(ServingError) as error:
        session_config(ServerOptions(tensorflow_session_config_file=str(tmp_path / "absent")))
    assert error.value.code is Code.NOT_FOUND


def test_mixed_precision_is_bfloat16_or_nothing(logged):
    def turned_on(value):
        options = session_config(ServerOptions(mixed_precision=value)).graph_options.rewrite_options
        return bool(options.auto_mixed_precision_onednn_bfloat16)

    assert turned_on("bfloat16")
    assert not turned_on("")
    assert logged() == []
    assert not turned_on("float16")
    assert logged() == ["--mixed_precision=float16 has no effect; expected bfloat16"]
