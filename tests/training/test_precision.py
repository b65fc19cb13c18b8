"""Training in bfloat16 and with compiled steps: that every model of the zoo can, or says why not; what is exported."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from models.layers import LSTM
from models.layers.recurrence import Recurrence
from models.zoo import entry
from tests.training import small
from tests.training.untrained import DATA, SETTINGS
from training import precision
from training.errors import InputError
from training.export import repository as repositories
from training.pipeline import answering_of, copy_weights, in_memory, prepared, train
from training.run import with_settings
from training.tasks.table import task_module
from training.tasks.weather import RUN

NAMES = ("weather", *DATA)
SMALL = {"weather": {"window_days": "7", "units": "4", "batch_size": "256"}}


def task_of(name, folder, **settings):
    module = task_module(name)
    run = with_settings(module.RUN, {**SETTINGS.get(name, {}), **SMALL.get(name, {}), **settings})
    return module.prepare(run, DATA[name](folder) if name in DATA else None), run


def recurrences(model):
    return [layer for layer in model._flatten_layers() if isinstance(layer, Recurrence)]


@pytest.mark.parametrize("name", NAMES)
def test_each_model_trains_in_bfloat16_and_answers_in_float32(name, tmp_path):
    keras.utils.set_random_seed(0)
    task, run = task_of(name, tmp_path, precision="mixed_bfloat16")
    model, walk = prepared(task, run)
    assert {layer.compute_dtype for layer in recurrences(model)} == {"bfloat16"}
    assert {variable.dtype for variable in model.trainable_variables} == {"float32"}
    before = [variable.numpy() for variable in model.trainable_variables]
    answering = answering_of(task, run, model)
    losses = [walk.epoch(number, lambda: None) for number in (1, 2)]
    assert np.isfinite(losses).all()
    unmoved = [v.path for v, was in zip(model.trainable_variables, before, strict=True) if (v.numpy() == was).all()]
    assert not unmoved

    copy_weights(model, answering)
    signatures = entry(name).signatures(answering)
    for signature, example in task.examples().items():
        for value in in_memory(signatures[signature])(example).values():
            assert value.dtype not in (tf.bfloat16.as_numpy_dtype, np.float16)
    assert keras.config.dtype_policy().name == "float32"


def test_a_loss_in_bfloat16_is_near_that_in_float32_and_not_the_same(tmp_path):
    losses = []
    for kind in ("float32", "mixed_bfloat16"):
        keras.utils.set_random_seed(0)
        task, run = task_of("char-lm", tmp_path, precision=kind)
        _, walk = prepared(task, run)
        losses.append(walk.epoch(1, lambda: None))
    assert losses[0] != losses[1]
    assert losses[0] == pytest.approx(losses[1], rel=1e-2)


def test_the_exported_model_of_a_training_in_bfloat16_answers_in_float32_as_its_figures_say(seqzoo_home):
    run = with_settings(RUN, {**small.SMALL, "precision": "mixed_bfloat16"})
    result = train(run, seqzoo_home / "repository", say=lambda text: None)
    loaded = tf.saved_model.load(str(result.folder)).signatures["serving_default"]
    assert {spec.dtype for spec in loaded.structured_outputs.values()} == {tf.float32}
    task = task_module("weather").prepare(run)

    def predict(inputs):
        return {n: v.numpy() for n, v in loaded(**{n: tf.constant(a) for n, a in inputs.items()}).items()}

    assert task.evaluate(predict, "test") == pytest.approx(result.test, rel=1e-5)
    assert repositories.lineage(result.folder)["parameters"]["precision"] == "mixed_bfloat16"


@pytest.mark.parametrize("name", NAMES)
def test_each_model_trains_with_a_compiled_step_or_says_that_it_cannot(name, tmp_path):
    more = {"sampled_words": "4"} if name == "word-lm" else {}  # of the few words that the made-up text has
    task, run = task_of(name, tmp_path, jit_compile="yes", **more)
    keras.utils.set_random_seed(0)
    tf.config.experimental.enable_op_determinism()
    if name not in NOT_COMPILED:
        assert np.isfinite(prepared(task, run)[1].epoch(1, lambda: None))
        return
    with (
        pytest.raises(InputError, match=f"XLA cannot compile the training step of {name} .*without --jit-compile"),
        precision.explaining_compilation(run),
    ):
        prepared(task, run)[1].epoch(1, lambda: None)


NOT_COMPILED = ("intent-slots", "tagger", "word-lm")  # they read text, or draw words, inside the step


@pytest.mark.parametrize(
    ("setting", "known"), [("precision", "float32, mixed_bfloat16"), ("jit_compile", "auto, yes, no")]
)
def test_another_precision_or_way_to_compile_is_answered_with_those_there_are(setting, known):
    with pytest.raises(InputError, match=f"{setting}=x: expected one of {known}"):
        precision.check(with_settings(RUN, {setting: "x"}))


def test_only_recurrences_compute_low():
    inputs = keras.Input((3, 2))
    model = keras.Model(inputs, keras.layers.Dense(1)(keras.layers.Bidirectional(LSTM(2))(inputs)))
    precision.take_up(model, with_settings(RUN, {"precision": "mixed_bfloat16"}))
    assert {type(layer).__name__: layer.compute_dtype for layer in model._flatten_layers()} == {
        "Functional": "float32", "InputLayer": "float32", "Bidirectional": "float32", "Dense": "float32",
        "LSTM": "bfloat16", "LSTMCell": "bfloat16",
    }  # fmt: skip
