"""Text walked with the state carried over: what it learns, and what goes on from chunk to chunk."""

import keras
import numpy as np
import pytest

from models.zoo.char_lm import CharLM
from training.carried import CarriedText, chunks_of
from training.errors import InputError

TEXT = "the cook bakes a pie, the cook eats a burger, the cook fries a chicken. " * 12
STILL = {"input_dropout": 0.0, "dropout": 0.0, "recurrent_dropout": 0.0, "unknown_rate": 0.0}


def walk(steps, rate=1e-2, reset=0.0, text=TEXT, **network):
    keras.utils.set_random_seed(0)
    model = CharLM(embedding=8, units=24, layers=1, **{**STILL, **network}).build(sorted(set(TEXT)))
    model.memory[0].cell.kernel.assign(2 * model.memory[0].cell.kernel)  # what was read before shows in the logits
    model.embedding.embeddings.assign(20 * model.embedding.embeddings)
    model.optimizer = keras.optimizers.Adam(rate)
    return model, CarriedText(model, model.characters.tokens(text), 4, steps, reset, seed=3)


def test_it_learns_a_short_text_by_heart():
    _, text = walk(16)
    losses = [text.epoch(number, lambda: None) for number in range(1, 26)]
    assert losses[0] > 2
    assert losses[-1] < 0.3


def test_the_state_goes_on_from_chunk_to_chunk():
    text = TEXT[:200]  # 48 characters and one or two more in each of four rows
    whole, chunks = (walk(steps, rate=0.0, text=text)[1].epoch(1, lambda: None) for steps in (48, 8))
    reset = walk(8, rate=0.0, reset=1.0, text=text)[1].epoch(1, lambda: None)
    assert chunks == pytest.approx(whole, abs=1e-5)
    assert abs(reset - whole) > 1e-3


def test_each_epoch_begins_elsewhere_and_one_seed_gives_one_result():
    walks = [walk(16, rate=0.0, dropout=0.3, unknown_rate=0.1)[1] for _ in range(2)]
    first, second = ([text.epoch(number, lambda: None) for number in (1, 2)] for text in walks)
    assert first == second
    assert first[0] != first[1]


def test_the_signatures_stay_free_of_compiled_loops():
    model, text = walk(16)
    text.epoch(1, lambda: None)
    assert [layer.engine for layer in model.memory] == ["auto"]


def test_a_text_too_short_for_one_chunk_is_refused():
    with pytest.raises(
        InputError, match="batch_size=4 and unroll_steps=16 ask for 65 tokens to train on, the text has 64"
    ):
        chunks_of(64, 4, 16)
    assert chunks_of(np.int64(65), 4, 16) == 1
