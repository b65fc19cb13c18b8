"""The models that are fuzzed: those of the server's tests, with a signature for each thing that a call can meet."""

from pathlib import Path

from google.protobuf import text_format
from tensorflow_serving.config import model_server_config_pb2

from tests.serving import exports


def write(folder: Path) -> None:
    """scale with versions 1 (times 2) and 2 (times 3), kinds, tf1; and models.config, which lists them."""
    exports.scale(folder / "scale" / "1", 2)
    exports.scale(folder / "scale" / "2", 3)
    exports.kinds(folder / "kinds" / "1")
    exports.tf1(folder / "tf1" / "123")
    (folder / "models.config").write_text(text_format.MessageToString(config(folder)))


def config(folder: Path) -> model_server_config_pb2.ModelServerConfig:
    """All of them; scale with both versions and a label."""
    found = model_server_config_pb2.ModelServerConfig()
    for name in ("scale", "kinds", "tf1"):
        entry = found.model_config_list.config.add(name=name, model_platform="tensorflow")
        entry.base_path = str(folder / name)
    scale = found.model_config_list.config[0]
    scale.model_version_policy.all.SetInParent()
    scale.version_labels["stable"] = 1
    return found
