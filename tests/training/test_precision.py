"""Training in bfloat16 and with compiled steps: that every model of the zoo can, or says why not; what is exported."""

from contextlib import nullcontext

import keras
import numpy as np
import pytest
import tensorflow as tf

from models.layers import LSTM
from models.layers.recurrence import Recurrence
from models.sequence_to_sequence import SequenceToSequence
from tests.training.untrained import DATA, SETTINGS
from training import carried, precision
from training.carried import CarriedText
from training.errors import InputError
from training.pipeline import answering_of, copy_weights, prepared
from training.run import with_settings
from training.tasks.table import task_module
from training.tasks.weather import RUN


def task_of(name, folder, **settings):
    module = task_module(name)
    run = with_settings(module.RUN, {**SETTINGS.get(name, {}), **settings})
    return module.prepare(run, DATA[name](folder) if name in DATA else None), run


def recurrences(model):
    return [layer for layer in model._flatten_layers() if isinstance(layer, Recurrence)]


class EnoughError(Exception):
    """After one batch."""


def after_one_batch(task, run):
    """The network after one batch, without a graph, which would take longer than the batch, as compiled loops
    would: only `char-lm` has them."""
    keras.utils.set_random_seed(0)
    model, walk = prepared(task, run)
    before = [variable.numpy() for variable in model.trainable_variables]
    if isinstance(walk, CarriedText):
        walk._train = walk._train_step
    else:
        model.run_eagerly = True

    def stop():
        raise EnoughError

    with pytest.MonkeyPatch.context() as patch:
        if run.model != "char-lm":
            patch.setattr(carried, "_compiled_loops", nullcontext)
            patch.setattr(SequenceToSequence, "_compiled_loops", nullcontext)
        with pytest.raises(EnoughError):
            walk.epoch(1, stop)
    return model, before


@pytest.mark.parametrize("name", DATA)
def test_each_model_trains_in_bfloat16_and_answers_in_float32(name, tmp_path):
    task, run = task_of(name, tmp_path, precision="mixed_bfloat16", **({"layers": "1"} if name == "char-lm" else {}))
    model, before = after_one_batch(task, run)
    assert {layer.compute_dtype for layer in recurrences(model)} == {"bfloat16"}
    assert {variable.dtype for variable in model.trainable_variables} == {"float32"}
    assert all(np.isfinite(variable.numpy()).all() for variable in model.trainable_variables)
    unmoved = [v.path for v, was in zip(model.trainable_variables, before, strict=True) if (v.numpy() == was).all()]
    assert not unmoved

    answering = answering_of(task, run, model)
    copy_weights(model, answering)
    assert {layer.compute_dtype for layer in recurrences(answering)} == {"float32"}
    assert all(np.array_equal(*pair) for pair in zip(model.get_weights(), answering.get_weights(), strict=True))
    assert keras.config.dtype_policy().name == "float32"


def test_weights_in_bfloat16_are_near_those_in_float32_and_not_the_same(tmp_path):
    moves = []
    for kind in ("float32", "mixed_bfloat16"):
        model, before = after_one_batch(*task_of("speaker", tmp_path, precision=kind))
        after = [variable.numpy() for variable in model.trainable_variables]
        moves.append(np.concatenate([(now - was).ravel() for now, was in zip(after, before, strict=True)]))
    assert (moves[0] != moves[1]).any()
    assert np.corrcoef(*moves)[0, 1] > 0.9


@pytest.mark.parametrize("name", ["intent-slots", "tagger", "word-lm"])
def test_a_model_that_reads_texts_or_draws_words_inside_the_step_cannot_be_compiled_and_says_so(name, tmp_path):
    more = {"sampled_words": "4"} if name == "word-lm" else {}  # of the few words that the made-up text has
    task, run = task_of(name, tmp_path, jit_compile="yes", **more)
    with (
        pytest.raises(InputError, match=f"XLA cannot compile the training step of {name} .*without --jit-compile"),
        precision.explaining_compilation(run),
    ):
        prepared(task, run)[1].epoch(1, lambda: None)


@pytest.mark.parametrize(
    ("name", "said"),
    [("weather", "no"), ("weather", "auto"), *((name, "yes") for name in ("weather", "forecast", "g2p", "speaker"))],
)
def test_the_other_networks_are_compiled_as_the_run_says(name, said, tmp_path):
    tf.config.experimental.enable_op_determinism()
    model, _ = prepared(*task_of(name, tmp_path, jit_compile=said))
    assert model.jit_compile is (said == "yes")


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
