import sys

import numpy as np
import pytest

from serving import servable
from serving.errors import Code, ServingError
from tests.serving import exports

MODULES = ("tensorflow_text", "tensorflow_decision_forests")


@pytest.fixture(autouse=True)
def none_is_imported(monkeypatch):
    """As before the first import, and again after the test."""
    for module in MODULES:
        monkeypatch.delitem(sys.modules, module, raising=False)
    yield
    for module in MODULES:
        sys.modules.pop(module, None)


@pytest.fixture
def with_op(written, tmp_path):
    """Writes a version whose multiplication is another operation."""

    def write(op):
        folder = exports.copy(written["scale"], tmp_path / "1")

        def rename(meta_graph):
            nodes = [node for function in meta_graph.graph_def.library.function for node in function.node_def]
            found = [node for node in (*nodes, *meta_graph.graph_def.node) if node.op == "Mul"]
            assert found
            for node in found:
                node.op = op

        exports.edit(folder, rename)
        return folder

    return write


def refused(folder):
    with pytest.raises(ServingError) as error:
        servable.load("m", 1, str(folder))
    return error.value


def installed(monkeypatch, folder, module, code):
    """Puts a package of that name where Python looks first."""
    folder.mkdir()
    (folder / f"{module}.py").write_text(code)
    monkeypatch.syspath_prepend(str(folder))


def test_an_operation_that_nobody_knows_is_named(with_op):
    error = refused(with_op("InventedOp"))
    assert "Op type not registered 'InventedOp'" in error.message
    assert "install" not in error.message


@pytest.mark.parametrize(
    ("op", "package"),
    [
        ("TFText>FastWordpieceTokenizeWithOffsets", "tensorflow-text"),
        ("SentencepieceOp", "tensorflow-text"),
        ("SimpleMLInferenceOpWithHandle", "tensorflow-decision-forests"),
    ],
)
def test_the_package_that_has_it_is_named_where_it_is_absent(with_op, monkeypatch, op, package):
    monkeypatch.setitem(sys.modules, package.replace("-", "_"), None)  # Python's way to say that there is none
    error = refused(with_op(op))
    assert error.message.startswith(f"Op type not registered '{op}'")
    assert error.message.endswith(f"{op} is an operation of {package}: install it beside this server.")
    assert error.code is Code.NOT_FOUND


def test_a_package_that_is_installed_is_imported_and_the_load_tried_once_more(with_op, monkeypatch, tmp_path):
    folder = with_op("SentencepieceOp")
    renamed = (
        f"from tests.serving import exports\n"
        f"def known(meta_graph):\n"
        f"    nodes = [node for function in meta_graph.graph_def.library.function for node in function.node_def]\n"
        f"    for node in (*nodes, *meta_graph.graph_def.node):\n"
        f"        node.op = 'Mul' if node.op == 'SentencepieceOp' else node.op\n"
        f"exports.edit({str(folder)!r}, known)\n"
    )
    installed(monkeypatch, tmp_path / "packages", "tensorflow_text", renamed)
    loaded = servable.load("m", 1, str(folder))
    signature = loaded.signatures["serving_default"]
    feeds = {signature.inputs["x"].tensor: np.float32([[3]])}
    assert loaded.run(feeds, [signature.outputs["y"].tensor])[0].tolist() == [[6]]
    loaded.close()


def test_a_package_that_cannot_be_imported_is_told_in_the_log_and_the_load_fails_as_before(
    with_op, monkeypatch, tmp_path, logged
):
    installed(monkeypatch, tmp_path / "packages", "tensorflow_text", "raise OSError('made for another TensorFlow')")
    error = refused(with_op("SentencepieceOp"))
    assert "Op type not registered 'SentencepieceOp'" in error.message
    assert "tensorflow-text is installed, but cannot be imported: made for another TensorFlow" in logged()


def test_no_package_is_imported_for_a_model_that_loads(written, monkeypatch, tmp_path):
    installed(monkeypatch, tmp_path / "packages", "tensorflow_text", "raise OSError")
    servable.load("m", 1, str(written["scale"])).close()
    assert "tensorflow_text" not in sys.modules
