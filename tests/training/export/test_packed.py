"""Weights made small: what rounding keeps, what a damaged pack says, how much all of them take."""

import numpy as np
import pytest
import tensorflow as tf

from training.errors import InputError
from training.export import packed
from training.export.saved_model import write


@pytest.fixture
def version(tmp_path):
    """A SavedModel of one matrix and one vector: y = x W + b, and the two."""
    rng = np.random.default_rng(0)
    W, b = rng.normal(size=(40, 30)).astype("f4"), (1000 + rng.normal(size=30)).astype("f4")
    variables = [tf.Variable(W), tf.Variable(b)]

    class Model:
        name = "line"

    model = Model()
    model.variables = [type("V", (), {"value": variable})() for variable in variables]

    @tf.function(input_signature=[tf.TensorSpec([None, 40], tf.float32, "x")], autograph=False)
    def serving_default(x):
        return {"y": tf.linalg.matmul(x, variables[0]) + variables[1]}

    x = {"x": np.eye(40, dtype="f4")}
    write(tmp_path / "1", model, {"serving_default": serving_default}, {"serving_default": x}, "# line\n", {"a": 1})
    return tmp_path / "1", W, b


def answers(folder):
    loaded = tf.saved_model.load(str(folder))
    return loaded.signatures["serving_default"](x=tf.eye(40))["y"].numpy()


def test_half_precision_rounds_the_matrices_and_leaves_the_vectors(version, tmp_path):
    folder, W, b = version
    packed.pack(folder, tmp_path / "packed", half=True)
    packed.unpack(tmp_path / "packed", tmp_path / "2")
    np.testing.assert_array_equal(answers(tmp_path / "2"), W.astype("f2").astype("f4") + b)
    assert not np.array_equal(answers(tmp_path / "2"), answers(folder))
    for name in ("tf_serving_warmup_requests", "model_card.md", "lineage.json"):
        assert (tmp_path / "2/assets.extra" / name).read_bytes() == (folder / "assets.extra" / name).read_bytes()


def test_numbers_that_half_precision_cannot_hold_keep_theirs(version, tmp_path):
    folder, W, _ = version
    assert packed._rounded(W * 1e6, half=True).dtype == np.float32
    assert packed._rounded(np.arange(12, dtype=np.uint32).reshape(3, 4), half=True).dtype == np.uint32
    packed.pack(folder, tmp_path / "full", half=False)
    packed.pack(folder, tmp_path / "half", half=True)
    assert packed.size(tmp_path / "full") - packed.size(tmp_path / "half") == pytest.approx(2 * W.size, rel=0.3)


@pytest.mark.parametrize("name", [packed.GRAPH, packed.VARIABLES])
def test_a_damaged_pack_is_an_error_that_names_it(version, tmp_path, name):
    packed.pack(version[0], tmp_path / "packed", half=True)
    whole = (tmp_path / "packed" / name).read_bytes()
    (tmp_path / "packed" / name).write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match=r"the weights in .*packed cannot be read \(.*\); install seqzoo again"):
        packed.unpack(tmp_path / "packed", tmp_path / "2")


def test_all_weights_together_are_small_enough_to_come_along():
    sizes = [packed.size(folder) for folder in packed.WEIGHTS.iterdir()]
    assert max(sizes) <= 16 * packed.MEGABYTE
    assert sum(sizes) <= 64 * packed.MEGABYTE
