"""The choice by device: its two branches, cuDNN's weights, and what runs without a GPU. The kernel itself needs one."""

import numpy as np
import pytest
import tensorflow as tf

from models.layers import GRU, LSTM, VanillaRNN, engines
from models.layers.engines.cudnn_weights import CUDNN_FORMS, pack, unpack
from models.layers.engines.gradient import weights_of
from tests.models.layers.peers import PEERS

GPUS = tf.config.list_physical_devices("GPU")
KERNELS = ("CudnnRNNV3", "CudnnRNNBackpropV3")


def built(Layer, features=3, units=4, **options):
    layer = Layer(units, return_sequences=True, return_state=True, engine="cudnn", **options)
    layer.build((None, None, features))
    rng = np.random.default_rng(4)
    layer.set_weights([rng.normal(scale=0.5, size=w.shape) for w in layer.get_weights()])
    return layer


def by_hand(layer):
    """cuDNN's vector, from its documentation: matrices [units, inputs] gate by gate, then both biases."""
    W, U, bias = (w.numpy() for w in layer.weights)
    n = layer.units
    if isinstance(layer, GRU):  # cuDNN: reset, update, new; ours: update, reset, new
        order, (b_in, b_rec) = (1, 0, 2), bias
    else:
        order, b_in, b_rec = range(W.shape[1] // n), bias, np.zeros_like(bias)
    parts = [W[:, k * n : (k + 1) * n].T for k in order] + [U[:, k * n : (k + 1) * n].T for k in order]
    parts += [b_in[k * n : (k + 1) * n] for k in order] + [b_rec[k * n : (k + 1) * n] for k in order]
    return np.concatenate([part.ravel() for part in parts])


def test_the_weights_lie_as_cudnn_wants_them(Layer):
    layer = built(Layer)
    packed = pack(weights_of(layer.cell), CUDNN_FORMS[layer.cell.equation])
    np.testing.assert_array_equal(packed, by_hand(layer))


def test_unpacking_gives_the_weights_back(Layer):
    layer = built(Layer)
    form, weights = CUDNN_FORMS[layer.cell.equation], weights_of(layer.cell)
    for mine, original in zip(unpack(pack(weights, form), form, 3, 4), weights, strict=True):
        np.testing.assert_array_equal(mine, original)


def nodes_by_branch(graph_def):
    """For each choice by device in the graph: the ops that the branches hold, theirs included, CPU's first."""
    functions = {f.signature.name: f for f in graph_def.library.function}

    def ops(name):
        for node in functions[name].node_def:
            yield node
            for attr in node.attr.values():
                for called in [attr.func.name, *(f.name for f in attr.list.func)]:
                    if called in functions:
                        yield from ops(called)

    all_nodes = [*graph_def.node, *(n for f in functions.values() for n in f.node_def)]
    choices = [n for n in all_nodes if n.op in ("Case", "StatelessCase") and "execute_fn" in n.name]
    return [[[n.op for n in ops(f.name)] for f in choice.attr["branches"].list.func] for choice in choices]


@pytest.mark.parametrize("masked", [False, True])
def test_one_graph_holds_both_ways_there_and_back(Layer, masked):
    layer = built(Layer)

    @tf.function(input_signature=[tf.TensorSpec([None, None, 3]), tf.TensorSpec([None], tf.int32)])
    def step(inputs, lengths):
        mask = tf.sequence_mask(lengths, tf.shape(inputs)[1]) if masked else None
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(layer(inputs, mask=mask)[0])
        return tape.gradient(loss, [v.value for v in layer.trainable_variables])

    graph_def = step.get_concrete_function().graph.as_graph_def()
    choices = nodes_by_branch(graph_def)
    found = sorted(tuple(sum(op == kernel for op in gpu) for kernel in KERNELS) for gpu, _ in choices)
    assert found == [(0, 1), (1, 0)], "one choice for the way there, one for the way back"
    for _, elsewhere in choices:
        assert not set(KERNELS) & set(elsewhere)
    loops = [n for function in graph_def.library.function for n in function.node_def if n.op.endswith("While")]
    assert len(loops) == 2, "one for the way there, one for the way back, whoever calls it"


def test_an_exported_graph_holds_both_ways_and_answers_on_this_device(Layer, tmp_path):
    layer = built(Layer)
    call = tf.function(lambda x: {"y": layer(x)[0]}, input_signature=[tf.TensorSpec([None, None, 3], name="x")])
    module = tf.Module()
    module.kept = [w.value for w in layer.weights]
    tf.saved_model.save(module, str(tmp_path), signatures=call)
    x = np.random.default_rng(0).normal(size=(2, 5, 3)).astype("float32")
    graph = tf.Graph()
    with tf.compat.v1.Session(graph=graph) as session:
        meta = tf.compat.v1.saved_model.loader.load(session, ["serve"], str(tmp_path))
        signature = meta.signature_def["serving_default"]
        answer = session.run(signature.outputs["y"].name, {signature.inputs["x"].name: x})
        ops = {n.op for f in graph.as_graph_def().library.function for n in f.node_def}
    assert KERNELS[0] in ops
    peer = PEERS[Layer](4, return_sequences=True)
    peer.build(x.shape)
    peer.set_weights(layer.get_weights())
    np.testing.assert_allclose(answer, peer(x), atol=2e-6)


@pytest.mark.parametrize("engine", ["cudnn", "fused", "compiled"])
def test_a_second_derivative_is_refused_in_words(Layer, engine):
    layer = Layer(3, engine=engine)
    x = tf.random.stateless_normal([2, 3, 2], seed=(0, 1))
    layer(x)
    with tf.GradientTape() as outer:
        outer.watch(x)
        with tf.GradientTape() as inner:
            inner.watch(x)
            y = tf.reduce_sum(layer(x))
        slope = tf.reduce_sum(inner.gradient(y, x) ** 2)
    with pytest.raises(NotImplementedError, match="differentiated twice; only engine='equation' can be"):
        outer.gradient(slope, x)


def test_the_equation_engine_has_second_derivatives(Layer):
    layer = Layer(3, engine="equation", dtype="float64")
    x = tf.constant(np.random.default_rng(0).normal(size=(1, 3, 2)))
    layer(x)

    def slope(x):
        with tf.GradientTape() as inner:
            inner.watch(x)
            y = tf.reduce_sum(layer(x))
        return tf.reduce_sum(inner.gradient(y, x) ** 2)

    with tf.GradientTape() as outer:
        outer.watch(x)
        value = slope(x)
    direction = tf.constant(np.random.default_rng(1).normal(size=x.shape))
    numeric = (slope(x + 1e-6 * direction) - slope(x - 1e-6 * direction)) / 2e-6
    np.testing.assert_allclose(tf.reduce_sum(outer.gradient(value, x) * direction), numeric, rtol=1e-5)


def test_reasons_why_cudnn_cannot():
    assert engines.why_not("cudnn", LSTM(4)) == []
    assert engines.why_not("cudnn", VanillaRNN(4)) == []
    assert engines.why_not("cudnn", GRU(4, reset_after=False)) == ["gru_step has no fused step"]
    assert engines.why_not("cudnn", LSTM(4, recurrent_dropout=0.2)) == ["recurrent_dropout is 0.2, cuDNN has none"]
    assert engines.why_not("cudnn", LSTM(4, use_cudnn=False)) == ["use_cudnn is False"]
    (reason,) = engines.why_not("cudnn", LSTM(4, dtype="mixed_bfloat16"))
    assert reason == "the compute dtype is bfloat16, cuDNN has float16, float32 and float64"
    (reason,) = engines.why_not("cudnn", LSTM(4, recurrent_activation="hard_sigmoid"))
    assert reason.startswith("sigm is hard_sigmoid")


def test_the_switch_of_keras_chooses_too():
    assert engines.choose(LSTM(4, use_cudnn=False)).name == "fused"
    assert engines.choose(LSTM(4, use_cudnn=True)).name == "cudnn"
    with pytest.raises(ValueError, match=r"engine='cudnn' cannot run LSTM .*recurrent_dropout is 0.5"):
        engines.choose(LSTM(4, use_cudnn=True, recurrent_dropout=0.5))
    with pytest.raises(ValueError, match="GRU got use_cudnn='yes'; it expected 'auto', True or False"):
        GRU(4, use_cudnn="yes")


@pytest.mark.skipif(not GPUS, reason="this machine has no GPU that TensorFlow sees: cuDNN's kernels cannot run")
@pytest.mark.parametrize("masked", [False, True])
def test_the_gpu_gives_what_the_cpu_gives(Layer, masked):
    layer = built(Layer)
    x = tf.constant(np.random.default_rng(0).normal(size=(3, 6, 3)).astype("float32"))
    mask = tf.sequence_mask([6, 4, 1], 6) if masked else None

    @tf.function
    def step():
        with tf.GradientTape() as tape:
            tape.watch(x)
            outputs = layer(x, mask=mask)
            loss = sum(tf.reduce_sum(tf.sin(o)) for o in outputs)
        return outputs, tape.gradient(loss, [x, *(v.value for v in layer.trainable_variables)])

    with tf.device("GPU"):
        on_gpu = step()
    with tf.device("CPU"):
        on_cpu = step()
    for mine, its in zip(tf.nest.flatten(on_gpu), tf.nest.flatten(on_cpu), strict=True):
        np.testing.assert_allclose(mine, its, atol=2e-4)
