"""Whatever is given, every engine gives what keras.layers and a reference in numpy doubles give."""

from typing import Any, NamedTuple

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from models.layers import engines
from tests.models.layers import slides_in_numpy
from tests.models.layers.peers import PEERS
from tests.models.layers.side_by_side import FORMS, UNITS, assert_close, built, outputs_and_gradients, pair, sequences

# of the largest value: outputs and states, gradients; the goal in float32 is 2e-5 and 1e-4
TOLERANCES = {"float32": (5e-6, 2e-5), "float64": (1e-13, 1e-12)}


class Case(NamedTuple):
    batch: int
    steps: int
    valid: Any  # [batch, steps] bool, or None
    given_state: bool
    dtype: str
    training: bool | None
    options: dict[str, bool]


@st.composite
def cases(draw):
    batch, steps = draw(st.integers(1, 3)), draw(st.integers(1, 5))
    lengths = st.lists(st.integers(0, steps), min_size=batch, max_size=batch)
    right = lengths.map(lambda lengths: np.arange(steps) < np.array(lengths)[:, None])
    left = right.map(lambda valid: valid[:, ::-1])
    nothing = st.just(np.zeros([batch, steps], bool))
    valid = draw(st.one_of(st.none(), right, left, arrays(bool, (batch, steps)), nothing))
    options = {name: draw(st.booleans(), name) for name in ("use_bias", "go_backwards", "zero_output_for_mask")}
    drawn = (st.booleans(), st.sampled_from(sorted(TOLERANCES)), st.sampled_from([None, False, True]))
    return Case(batch, steps, valid, *map(draw, drawn), options)


@settings(max_examples=6, deadline=None)
@given(case=cases())
@pytest.mark.parametrize("form", FORMS)
def test_every_engine_gives_what_keras_and_the_slides_give(form, case):
    Layer, of_form = FORMS[form]
    options = {**of_form, **case.options, "dtype": case.dtype, "return_sequences": True, "return_state": True}
    inputs, start = sequences(case.batch, case.steps, len(Layer.Cell.State._fields), dtype=case.dtype)
    start = start if case.given_state else [tf.zeros_like(part) for part in start]
    call = (inputs, start, None if case.valid is None else tf.constant(case.valid), case.training)

    theirs = built(PEERS[Layer](UNITS, **options))
    expected, expected_gradients = outputs_and_gradients(theirs, *call)
    arguments = [np.array(part, np.float64) for part in (inputs, *start, *theirs.get_weights())]

    def slides(arguments):
        x, before, weights = arguments[0], arguments[1 : 1 + len(start)], arguments[1 + len(start) :]
        walk = (case.options["go_backwards"], case.options["zero_output_for_mask"])
        return slides_in_numpy.layer(form, x, before, weights, case.valid, *walk)

    for engine in engines.ENGINES:
        ours = built(Layer(UNITS, engine=engine, **options))
        if engines.why_not(engine, ours):
            assert form == "GRU, reset before", "every other form has every engine"
            continue
        results, gradients = outputs_and_gradients(ours, *call)
        of_outputs, of_gradients = TOLERANCES[case.dtype]
        assert_close(results, expected, of_outputs)
        assert_close(results, slides(arguments), of_outputs)
        assert_close(gradients, expected_gradients, of_gradients)
        if case.dtype == "float64":
            assert_slopes(gradients, slides, arguments)


def assert_slopes(gradients, function, arguments):
    """The gradients are the slopes of `outputs_and_gradients`'s sum, along a random direction of each argument."""
    rng = np.random.default_rng(8)

    def loss(arguments):
        return sum(np.sum(np.sin(result * (k + 1))) for k, result in enumerate(function(arguments)))

    for k, (gradient, argument) in enumerate(zip(gradients, arguments, strict=True)):
        direction = rng.normal(size=argument.shape)
        ends = [loss([*arguments[:k], argument + sign * 1e-5 * direction, *arguments[k + 1 :]]) for sign in (1, -1)]
        slope = (ends[0] - ends[1]) / 2e-5
        np.testing.assert_allclose(np.sum(gradient * direction), slope, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("form", FORMS)
def test_bfloat16_gives_what_keras_gives_in_bfloat16(form):
    """Within 8 steps of its 8 bits for outputs, 16 for gradients: each sum is rounded, in an order of its own."""
    Layer, options = FORMS[form]
    inputs, start = sequences(3, 5, len(Layer.Cell.State._fields))
    mask = tf.constant([[True] * 5, [True, True, True, False, False], [False, True, False, True, True]])
    for engine in engines.ENGINES:
        ours, theirs = pair(Layer, engine, None, None, dtype="mixed_bfloat16", **options)
        if engines.why_not(engine, ours):
            continue
        results, gradients = outputs_and_gradients(ours, inputs, start, mask)
        expected, expected_gradients = outputs_and_gradients(theirs, inputs, start, mask)
        assert {result.dtype for result in results} == {tf.bfloat16}
        assert {gradient.dtype for gradient in gradients} == {tf.float32}
        assert_close(*([tf.cast(part, tf.float32) for part in parts] for parts in (results, expected)), 8 / 256)
        assert_close(gradients, expected_gradients, 16 / 256)
