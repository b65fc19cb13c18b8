"""What surrounds cuDNN's kernels and needs no GPU: which sequences it is given, and what is made of its numbers."""

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.python.framework.function_def_to_graph import function_def_to_graph  # no public name reads a branch

from models.layers.engines.cudnn import Gpu
from models.layers.engines.cudnn_weights import CUDNN_FORMS
from models.layers.equations.lstm import lstm_step
from tests.models.layers.peers import by_turns, parametrize
from tests.models.layers.test_cudnn import KERNELS, built, nodes_by_branch

UNITS = 4
MASKS = {  # valid steps by row, and whether cuDNN takes them
    "all valid": ([[1, 1, 1], [1, 1, 1]], True),
    "right-padded": ([[1, 1, 1], [1, 0, 0]], True),
    "right-padded, all of one length": ([[1, 1, 0], [1, 1, 0]], True),
    "left-padded": ([[1, 1, 1], [0, 1, 1]], False),
    "a gap": ([[1, 0, 1], [1, 1, 1]], False),
    "a row without a valid step": ([[1, 1, 1], [0, 0, 0]], False),
    "no step at all": ([[], []], False),
}


def gpu(mask=None):
    mask = None if mask is None else tf.constant(np.array(mask, bool).reshape(2, -1))
    return Gpu(CUDNN_FORMS[lstm_step], mask, UNITS)


@pytest.mark.parametrize("name", MASKS)
def test_cudnn_is_given_right_padded_sequences_of_at_least_one_step(name):
    mask, expected = MASKS[name]
    x = tf.zeros([len(mask[0]), 2, 3])
    assert bool(gpu(mask)._takes(x)) is expected


def test_without_a_mask_cudnn_is_given_sequences_of_at_least_one_step():
    takes = tf.function(lambda x: gpu()._takes(x), input_signature=[tf.TensorSpec([None, 2, 3])])
    assert [bool(takes(tf.zeros([steps, 2, 3]))) for steps in (0, 1, 5)] == [False, True, True]
    assert gpu()._takes(tf.zeros([1, 2, 3])) is None, "known when the graph is made"


@pytest.mark.parametrize("steps", [None, 6])
def test_the_graph_asks_for_the_length_where_it_is_not_known_before(Layer, steps):
    layer = built(Layer)

    @tf.function(input_signature=[tf.TensorSpec([None, steps, 3])])
    def step(inputs):
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(layer(inputs)[0])
        return tape.gradient(loss, [v.value for v in layer.trainable_variables])

    choices = nodes_by_branch(step.get_concrete_function().graph.as_graph_def())
    assert len(choices) == 2
    for on_gpu, _ in choices:
        assert bool({"If", "StatelessIf"} & set(on_gpu)) is (steps is None)
        assert set(KERNELS) & set(on_gpu)
        assert any(op.endswith("While") for op in on_gpu) is (steps is None), "the loops are there for no steps"


def test_past_the_end_stands_the_last_state():
    outputs, last = np.arange(24.0).reshape(3, 2, UNITS) + 1, np.array([[100.0] * UNITS, [200.0] * UNITS])
    shown = gpu([[1, 1, 1], [1, 0, 0]])._past_the_end(tf.constant(outputs), tf.constant(last)).numpy()
    np.testing.assert_array_equal(shown[:, 0], outputs[:, 0])
    np.testing.assert_array_equal(shown[0, 1], outputs[0, 1])
    np.testing.assert_array_equal(shown[1:, 1], [last[1]] * 2)


def test_gradients_of_what_is_shown_past_the_end_go_to_the_last_state(rng):
    """By automatic differentiation of what is shown."""
    engine = gpu([[1, 1, 1], [1, 0, 0]])
    outputs, last, d_shown, d_last = (
        tf.constant(rng.normal(size=shape)) for shape in ((3, 2, UNITS), (2, UNITS), (3, 2, UNITS), (2, UNITS))
    )
    with tf.GradientTape() as tape:
        tape.watch([outputs, last])
        loss = tf.reduce_sum(engine._past_the_end(outputs, last) * d_shown) + tf.reduce_sum(last * d_last)
    for mine, expected in zip(engine._cut(d_shown, d_last), tape.gradient(loss, [outputs, last]), strict=True):
        np.testing.assert_allclose(mine, expected, atol=1e-12)


def test_without_a_mask_nothing_lies_past_the_end(rng):
    outputs, last = tf.constant(rng.normal(size=(3, 2, UNITS))), tf.constant(rng.normal(size=(2, UNITS)))
    assert gpu()._past_the_end(outputs, last) is outputs
    assert gpu()._cut(outputs, last) == (outputs, last)


def branches(graph_def):
    """For each choice by device: the kinds and shapes of what its branches give, CPU's first."""
    library = {f.signature.name: f for f in graph_def.library.function}
    nodes = [*graph_def.node, *(node for f in library.values() for node in f.node_def)]
    choices = [n for n in nodes if n.op in ("Case", "StatelessCase") and "execute_fn" in n.name]
    with tf.Graph().as_default():
        tf.graph_util.import_graph_def(graph_def)  # for the functions that the branches call
        graphs = [[function_def_to_graph(library[b.name]) for b in n.attr["branches"].list.func] for n in choices]
    return [[[(out.dtype, out.shape) for out in branch.outputs] for branch in choice] for choice in graphs]


@parametrize(("Layer", "masked", "dtype"), by_turns([False, True], ["float32", "float64"]))
def test_both_branches_of_an_exported_graph_give_tensors_of_the_same_kinds_and_shapes(Layer, masked, dtype, tmp_path):
    layer = built(Layer, dtype=dtype)
    spec = [tf.TensorSpec([None, None, 3], dtype, "x"), tf.TensorSpec([None], tf.int32, "lengths")]

    @tf.function(input_signature=spec)
    def call(x, lengths):
        mask = tf.sequence_mask(lengths, tf.shape(x)[1]) if masked else None
        return {"y": layer(x, mask=mask)[0]}

    module = tf.Module()
    module.kept = [w.value for w in layer.weights]
    tf.saved_model.save(module, str(tmp_path), signatures=call)
    with tf.compat.v1.Session(graph=tf.Graph()) as session:
        meta = tf.compat.v1.saved_model.loader.load(session, ["serve"], str(tmp_path))
    parts, columns = len(layer.cell.state_size), layer.kernel.shape[1]
    there = [(dtype, 3, UNITS), *[(dtype, 2, UNITS)] * parts]  # outputs, then the last state
    back = [(dtype, 3, 3), *[(dtype, 2, columns)] * 2, *[(dtype, 1, columns)] * 2, *[(dtype, 2, UNITS)] * parts]
    found = branches(meta.graph_def)
    for choice in found:
        cpu, on_gpu = choice[:2]
        assert [kind for kind, _ in cpu] == [kind for kind, _ in on_gpu]
        for (_, here), (_, its) in zip(cpu, on_gpu, strict=True):
            assert here.is_compatible_with(its)
        expected = there if cpu[0][1][-1] == UNITS else back
        for branch in choice:
            assert [(kind.name, shape.rank, shape[-1]) for kind, shape in branch[: len(expected)]] == expected
    assert any(choice[0][0][1][-1] == UNITS for choice in found)
