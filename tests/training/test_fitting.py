"""The epochs, on a network of one weight whose best is known."""

import os
import signal
from types import SimpleNamespace

import keras
import numpy as np
import pytest

from models.zoo.weather import Weather
from training import checkpoint
from training.checkpoint import Progress
from training.fitting import TrainingInterruptedError, fit, optimizer
from training.run import TrainingRun
from training.walk import ShuffledExamples

INPUTS = {"x": np.linspace(-1, 1, 64, dtype="float32")[:, None]}
TARGETS = {"y": 3 * INPUTS["x"]}


def line(run):
    keras.utils.set_random_seed(run.seed)
    x = keras.Input((1,), name="x")
    y = keras.layers.Dense(1, use_bias=False, name="y")(keras.layers.Dropout(0.1)(x))
    model = keras.Model({"x": x}, {"y": y})
    model.compile(optimizer(run, 64), loss={"y": "mse"})
    return model


def training(
    model, run, validate=None, state=None, progress=None, after_epoch=lambda epoch, figures: None, minutes=None
):
    said = []
    validate = validate or (lambda: {"error": abs(float(model.get_weights()[0].item()) - 3)})
    progress = progress or Progress("line", "run", {})
    walk = ShuffledExamples(model, run, INPUTS, TARGETS)
    result = fit(model, run, walk, validate, "error", progress, state, after_epoch, said.append, minutes)
    return result, said


def run_of(**fields):
    return TrainingRun("line", Weather(), **{"epochs": 4, "batch_size": 16, "learning_rate": 0.3, **fields})


def test_training_reaches_the_weight_that_the_data_have(seqzoo_home):
    model = line(run_of(epochs=25))
    training(model, run_of(epochs=25))
    assert model.get_weights()[0].item() == pytest.approx(3, abs=0.2)


@pytest.fixture
def now(monkeypatch):
    """The time, in a list; a test moves it on."""
    now = [0.0]
    # the module's own name alone: servers of other tests run on the real clock
    monkeypatch.setattr("training.fitting.time", SimpleNamespace(monotonic=lambda: now[0]))
    return now


@pytest.mark.parametrize(("minutes", "epochs"), [(3.5, 3), (3.0, 3), (2.9, 2), (0.1, 1), (100, 6)])
def test_no_epoch_begins_that_would_end_after_the_minutes(seqzoo_home, now, minutes, epochs):
    def validate():
        now[0] += 60  # an epoch takes a minute
        return {"error": 10 - now[0] / 60}

    progress, said = training(line(run_of(epochs=6)), run_of(epochs=6), validate, minutes=minutes)
    assert progress.epoch == epochs
    assert said[-1].endswith("minutes") == (epochs < 6)


def test_the_best_epoch_is_kept_and_training_stops_after_patience(seqzoo_home):
    model, seen = line(run_of(epochs=9, patience=3)), []

    def validate():
        seen.append(model.get_weights()[0].item())
        return {"error": [5.0, 1.0, 2.0, 2.0, 2.0, 0.0][len(seen) - 1]}

    progress, _ = training(model, run_of(epochs=9, patience=3), validate)
    assert (progress.epoch, progress.best_epoch, progress.best_value) == (5, 2, 1.0)
    assert model.get_weights()[0].item() == seen[1]


def test_figures_of_each_epoch_are_handed_on_and_kept(seqzoo_home):
    model, got = line(run_of()), []
    progress, said = training(model, run_of(), after_epoch=lambda epoch, figures: got.append((epoch, figures)))
    assert [epoch for epoch, _ in got] == [1, 2, 3, 4]
    assert progress.history == {name: [f[name] for _, f in got] for name in ("loss", "error")}
    assert len(said) == 4
    assert "4/4" in said[-1]
    assert "0 s left" in said[-1]


def test_one_seed_gives_one_result_and_another_gives_another(seqzoo_home):
    histories = []
    for seed in (1, 1, 2):
        run = run_of(seed=seed)
        histories.append(training(line(run), run)[0].history)
    assert histories[0] == histories[1]
    assert histories[0] != histories[2]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_between_batches_and_resuming_ends_as_an_undisturbed_run(seqzoo_home, number):
    undisturbed = line(run_of())
    expected, _ = training(undisturbed, run_of())

    def interrupt(epoch, figures):
        if epoch == 2:
            os.kill(os.getpid(), number)

    with pytest.raises(TrainingInterruptedError, match=f"stopped by {number.name}") as stopped:
        training(line(run_of()), run_of(), after_epoch=interrupt)
    assert stopped.value.signal_number == number
    progress, state = checkpoint.load(checkpoint.newest("line"))
    assert progress.epoch == 2
    resumed = line(run_of(seed=9))  # starts elsewhere: all must come from the checkpoint
    result, _ = training(resumed, run_of(), state=state, progress=progress)
    assert result.history == expected.history
    np.testing.assert_array_equal(resumed.get_weights()[0], undisturbed.get_weights()[0])


def test_the_time_of_a_training_is_that_of_its_finished_epochs_without_a_pause(seqzoo_home, now):
    def validate():
        now[0] += 60
        return {"error": 1.0}

    training(line(run_of(epochs=2)), run_of(epochs=2), validate)
    progress, state = checkpoint.load(checkpoint.newest("line"))
    assert progress.seconds == 120
    now[0] += 3600
    result, _ = training(line(run_of()), run_of(), validate, state, progress)
    assert result.seconds == 240


def test_the_average_of_the_weights_is_validated_and_kept_and_resuming_goes_on_with_it(seqzoo_home):
    run, seen = run_of(average_decay=0.9, patience=9), []
    whole = line(run)

    def validate():
        seen.append(whole.get_weights()[0].item())
        return {"error": 5.0 - len(seen)}

    training(whole, run, validate)
    assert whole.get_weights()[0].item() == seen[-1]
    (own,) = (v.item() for v in checkpoint.load(checkpoint.newest("line"))[1].variables if v.shape == (1, 1))
    assert own != seen[-1], "the weights that are trained on are not the average"

    started = line(run)
    training(started, run_of(average_decay=0.9, patience=9, epochs=2), lambda: {"error": 1.0})
    progress, state = checkpoint.load(checkpoint.newest("line"))
    assert len(state.average) == 2
    rest = []
    resumed = line(run_of(seed=9))
    training(resumed, run, lambda: (rest.append(resumed.get_weights()[0].item()), {"error": 1.0})[1], state, progress)
    assert len(rest) == 2


def test_sequences_of_like_length_are_trained_on_together(seqzoo_home):
    lengths = np.random.default_rng(0).integers(1, 9, 64)
    x = np.where(np.arange(8) < lengths[:, None], 1.0, 0.0).astype("float32")[..., None]
    inputs, targets, widths = {"x": x}, {"y": 3 * x}, []
    run = run_of(epochs=10, batch_size=8)
    keras.utils.set_random_seed(0)
    given = keras.Input((None, 1), name="x")
    model = keras.Model({"x": given}, {"y": keras.layers.Dense(1, use_bias=False, name="y")(given)})
    model.compile(optimizer(run, 64), loss={"y": lambda true, said: noted(widths, true, said)}, run_eagerly=True)
    walk = ShuffledExamples(model, run, inputs, targets, lengths)
    fit(
        model, run, walk, lambda: {"error": abs(model.get_weights()[0].item() - 3)}, "error",
        Progress("line", "run", {}), None, lambda epoch, figures: None, lambda text: None,
    )  # fmt: skip
    assert model.get_weights()[0].item() == pytest.approx(3, abs=0.1)
    assert len(set(widths)) > 3


def noted(widths, true, said):
    widths.append(true.shape[1])
    return keras.ops.mean((true - said) ** 2, axis=(1, 2))


def test_signals_are_handled_as_before_when_training_has_ended(seqzoo_home):
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    training(line(run_of(epochs=1)), run_of(epochs=1))
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before


def test_a_loss_that_is_no_number_ends_the_training_with_advice(seqzoo_home):
    model = line(run_of())
    model.set_weights([np.full((1, 1), np.nan)])
    with pytest.raises(FloatingPointError, match="the loss became nan in epoch 1; try a lower learning_rate"):
        training(model, run_of())
