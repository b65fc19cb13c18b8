import pytest

from serving.errors import ServingError
from serving.options import ServerOptions
from serving.sequences.settings import ModelSettings, Settings


def settings(tmp_path, text=None, **flags):
    if text is not None:
        path = tmp_path / "sequences"
        path.write_text(text)
        flags["sequence_config_file"] = str(path)
    return ModelSettings(ServerOptions(**flags))


def test_without_flags_the_settings_have_their_defaults(tmp_path):
    assert settings(tmp_path)["m"] == Settings(500, True, 5, 0, 32, 60, "DRAIN", 600)


def test_flags_are_for_all_models_and_the_file_for_one(tmp_path):
    found = settings(
        tmp_path,
        'sequence_config { model_name: "lstm" max_sequence_number: 2000 idle_sequence_cleanup: false '
        'cleaner_poll_wait_minutes: 0 on_version_change: "CARRY" }',
        sequence_idle_ttl_seconds=7,
        sequence_retain_ended_seconds=8,
        sequence_on_version_change="FAIL",
        sequence_max_waiting=3,
        sequence_drain_seconds=4,
    )
    assert found["m"] == Settings(500, True, 5, 7, 3, 8, "FAIL", 4)
    assert found["lstm"] == Settings(2000, False, 0, 7, 3, 8, "CARRY", 4)


@pytest.mark.parametrize(
    ("flags", "text"),
    [
        ({"sequence_on_version_change": "KEEP"}, "on_version_change is 'KEEP'; expected one of DRAIN, CARRY, FAIL."),
        ({"max_sequence_number": -1}, "max_sequence_number is -1; expected 0 or more."),
        ({"text": 'sequence_config { model_name: "m" max_waiting: -2 }'}, "m: max_waiting is -2; expected 0 or more."),
        ({"text": "sequence_config { max_waiting: 2 }"}, "sequence_config has no model_name; expected one entry"),
        ({"text": 'sequence_config { model_name: "m" } ' * 2}, "sequence_config has m twice; expected one entry"),
        ({"text": "sequence_config { memory: 2 }"}, "Invalid protobuf file: "),
    ],
)
def test_values_that_cannot_be_are_refused(tmp_path, flags, text):
    with pytest.raises(ServingError) as refused:
        settings(tmp_path, **flags)
    assert text in refused.value.message


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(ServingError, match="nowhere; No such file"):
        settings(tmp_path, sequence_config_file="nowhere")
