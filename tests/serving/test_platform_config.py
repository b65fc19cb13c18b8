import numpy as np
import pytest
from tensorflow.core.protobuf import config_pb2

from serving.batching.parameters import Parameters
from serving.errors import Code, ServingError
from serving.options import ServerOptions
from serving.platform_config import load_settings
from serving.server import ModelServer
from tests.serving import exports
from tests.serving.asking import Grpc, refused

ADAPTER = "tensorflow.serving.SavedModelBundleSourceAdapterConfig"


def platform(config, adapter=ADAPTER, field="legacy_config", key="tensorflow"):
    return (
        f'platform_configs {{ key: "{key}" value {{ source_adapter_config {{ [type.googleapis.com/{adapter}] {{ '
        f"{field} {{ {config} }} }} }} }} }}"
    )


@pytest.fixture
def settings(tmp_path):
    """The settings that a file with this text gives, beside these flags."""

    def read(text, **flags):
        path = tmp_path / "platform"
        path.write_text(text)
        return load_settings(ServerOptions(platform_config_file=str(path), **flags))

    return read


def test_all_parts_that_mean_something_are_read(settings):
    found = settings(
        platform(
            'saved_model_tags: "serve" saved_model_tags: "gpu" '
            "session_config { intra_op_parallelism_threads: 3 gpu_options { allow_growth: true } } "
            "batching_parameters { max_batch_size { value: 8 } allowed_batch_sizes: 2 allowed_batch_sizes: 8 } "
            "enable_model_warmup: true model_warmup_options { num_request_iterations { value: 2 } } "
            "prefer_tflite_model: true num_tflite_pools: 2 num_tflite_interpreters_per_pool: 3"
        )
    )
    assert found.tags == ["serve", "gpu"]
    assert found.session_config == config_pb2.ConfigProto(
        intra_op_parallelism_threads=3, gpu_options={"allow_growth": True}
    )
    assert found.batching == Parameters(max_batch_size=8, allowed_batch_sizes=(2, 8))
    assert (found.warmup, found.warmup_iterations) == (True, 2)
    assert (found.prefer_tflite, found.interpreters) == (True, 6)


def test_what_the_file_does_not_say_is_the_messages_default_and_not_the_flag(settings):
    found = settings(
        platform("session_target: ''"), saved_model_tags="odd", enable_model_warmup=True, prefer_tflite_model=True,
        tensorflow_intra_op_parallelism=7, enable_batching=True,
    )  # fmt: skip
    assert (found.tags, found.batching, found.warmup, found.prefer_tflite) == (["serve"], None, False, False)
    assert found.session_config == config_pb2.ConfigProto()


def test_the_older_adapters_configuration_is_read_as_well(settings):
    text = platform('saved_model_tags: "old"', "tensorflow.serving.SessionBundleSourceAdapterConfig", "config")
    assert settings(text).tags == ["old"]


def test_a_field_that_is_not_known_is_passed_over_and_logged(settings, logged):
    found = settings(platform('saved_model_tags: "serve" experimental_odd { deep: 1 }'))
    assert found.tags == ["serve"]
    assert any("Passed over what is not known" in text and "experimental_odd" in text for text in logged())


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("platform_configs {", "Invalid protobuf file: '{path}'"),
        (platform("", key="hashmap"), "{path}: platforms hashmap; expected one, tensorflow."),
        ("# none", "{path}: platforms none; expected one, tensorflow."),
        (
            'platform_configs { key: "tensorflow" value { } }',
            "{path}: source_adapter_config is absent; expected one of "
            "tensorflow.serving.SavedModelBundleSourceAdapterConfig, "
            "tensorflow.serving.SessionBundleSourceAdapterConfig.",
        ),
        (
            platform("batching_parameters { num_batch_threads { value: 0 } }"),
            "num_batch_threads must be positive; was 0",
        ),
    ],
)
def test_a_file_that_cannot_be_is_an_error(settings, tmp_path, text, message):
    with pytest.raises(ServingError) as error:
        settings(text)
    assert (error.value.code, error.value.message) == (
        Code.INVALID_ARGUMENT, message.format(path=tmp_path / "platform"),
    )  # fmt: skip


def test_without_a_file_the_flags_count():
    found = load_settings(
        ServerOptions(
            saved_model_tags="a,b", enable_model_warmup=False, prefer_tflite_model=True, num_tflite_pools=2,
            num_tflite_interpreters_per_pool=2, enable_batching=True,
        )
    )  # fmt: skip
    assert (found.tags, found.warmup, found.batching) == (["a", "b"], False, Parameters())
    assert (found.prefer_tflite, found.interpreters) == (True, 4)


def test_a_server_batches_as_the_file_says(tmp_path, written):
    (tmp_path / "scale").mkdir()
    exports.copy(written["scale"], tmp_path / "scale" / "1")
    path = tmp_path / "platform"
    path.write_text(platform("batching_parameters { max_batch_size { value: 2 } }"))
    flags = {"model_name": "scale", "model_base_path": str(tmp_path / "scale"), "platform_config_file": str(path)}
    with ModelServer.on_free_ports(**flags) as server:
        stub = Grpc(f"localhost:{server.grpc_port}")
        assert stub.predict("scale", {"x": np.float32([[1], [2]])})["y"].tolist() == [[2], [4]]
        assert refused(stub.predict, "scale", {"x": np.float32([[1]] * 3)}) == (
            "INVALID_ARGUMENT", "Task size 3 is larger than maximum input batch size 2",
        )  # fmt: skip
