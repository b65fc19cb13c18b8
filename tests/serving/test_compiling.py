import numpy as np
import pytest
import tensorflow as tf

from serving import servable
from serving.compiling import add_compiled, give_memory_back


class Looping(tf.Module):
    """A variable, a loop and a branch in functions, behind two inputs."""

    def __init__(self):
        super().__init__()
        self.weight = tf.Variable([[2.0, 1.0], [0.0, 3.0]])

    @tf.function(input_signature=[tf.TensorSpec([None, 2], tf.float32, "a"), tf.TensorSpec([None, 2], tf.float32, "b")])
    def __call__(self, a, b):
        _, power = tf.while_loop(lambda i, h: i < 3, lambda i, h: (i + 1, h @ self.weight), [0, a])
        fewer = tf.cond(tf.shape(a)[0] < 3, lambda: power, lambda: -power)
        return {"power": fewer, "sum": a + b}


@pytest.fixture(scope="module")
def loaded(tmp_path_factory):
    module = Looping()
    folder = str(tmp_path_factory.mktemp("looping") / "1")
    tf.saved_model.save(module, folder, signatures=module.__call__.get_concrete_function())
    found = servable.load("m", 1, folder)
    yield found
    found.close()


def names(loaded):
    signature = loaded.signatures["serving_default"]
    inputs = [signature.inputs[alias].tensor for alias in ("a", "b")]
    return inputs, [signature.outputs[alias].tensor for alias in ("power", "sum")]


@pytest.mark.parametrize("rows", [2, 3])
def test_a_compiled_run_gives_the_numbers_of_the_graph(loaded, rows):
    inputs, fetches = names(loaded)
    a = np.arange(2 * rows, dtype=np.float32).reshape(rows, 2)
    power, total = loaded.run(dict(zip(inputs, [a, 10 * a], strict=True)), loaded.compiled(inputs, fetches))
    expected = a @ np.linalg.matrix_power(np.float32([[2, 1], [0, 3]]), 3)
    assert power.tolist() == (expected if rows < 3 else -expected).tolist()
    assert total.tolist() == (11 * a).tolist()


def test_the_part_is_one_function_that_the_runtime_compiles(loaded):
    inputs, fetches = names(loaded)
    nodes = {node.name: node for node in loaded.graph_def().node}
    (output, _) = loaded.compiled(inputs, fetches)
    nodes = {node.name: node for node in loaded.graph_def().node}
    call = nodes[nodes[output.partition(":")[0]].input[0].partition(":")[0]]
    assert call.attr["_XlaMustCompile"].b


def test_an_input_that_is_not_read_need_not_be_there(loaded):
    inputs, fetches = names(loaded)
    total = loaded.compiled(inputs, fetches[1:])
    x = np.float32([[1, 2]])
    assert loaded.run(dict(zip(inputs, [x, x], strict=True)), total)[0].tolist() == [[2, 4]]


def test_what_comes_back_as_it_came_is_not_compiled():
    graph = tf.Graph()
    with graph.as_default():
        given = tf.compat.v1.placeholder(tf.float32, [None])
    with pytest.raises(ValueError, match="an output is an input"):
        add_compiled(graph, [given.name], [given.name])


def test_giving_memory_back_is_harmless_everywhere(monkeypatch):
    give_memory_back()
    monkeypatch.setattr("ctypes.CDLL", lambda name: object())  # another C library
    give_memory_back()
