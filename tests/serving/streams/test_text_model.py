import numpy as np
import pytest
import tensorflow as tf

from serving import servable
from serving.errors import InvalidArgumentError, ServingError
from serving.streams.text_model import text_model
from tests.serving.streams import models


def loaded(module, folder):
    return servable.load("m", 1, str(models.write(module, folder / "m" / "1")))


class Padded(models.Reciter):
    """As a tokenizer that pads: `encode` says how many tokens count, `decode` passes over -1."""

    def __init__(self, known=True):
        super().__init__(b"ab")
        self.known = known

    def encode(self, text):
        tokens = tf.strings.unicode_decode(text, "UTF-8")
        return {"tokens": tokens.to_tensor(-1, shape=[None, 8]), "lengths": tokens.row_lengths()}

    def decode(self, tokens):
        first = tf.where(tokens < 0, 0, tokens) if self.known else tf.abs(tokens)
        shown = tf.gather(tf.constant([b"", *[bytes([b]) for b in range(1, 256)]]), first)
        return {"text": tf.strings.reduce_join(shown, axis=1)}


@pytest.mark.parametrize("known", [True, False])
def test_rows_of_different_lengths_are_decoded_as_they_are_alone(tmp_path, known):
    model, _ = text_model(loaded(Padded(known), tmp_path))
    rows = [list(b"abc"), [], list(b"d"), list(b"efghi"), list(b"xyz")]
    for _ in range(2):  # the first time it is found out whether padding is passed over
        assert model.decode(rows) == [b"abc", b"", b"d", b"efghi", b"xyz"]
    assert model._pads is known


def test_a_row_that_cannot_be_decoded_harms_no_other(tmp_path):
    model, _ = text_model(loaded(models.Reciter(b"ab"), tmp_path))
    for rows in ([[97], [999], [98]], [[97], [999, 1], [98, 99]]):
        good, bad, other = model.decode(rows)
        assert isinstance(bad, ServingError)
        assert [good, other] == [bytes(rows[0]), bytes(rows[2])]


def test_a_prompt_has_the_tokens_that_count(tmp_path):
    model, _ = text_model(loaded(Padded(), tmp_path))
    encoded = model.encode("aß".encode())
    assert encoded.tokens.tolist() == [97, 223]
    assert encoded.end_token is None
    with pytest.raises(InvalidArgumentError, match="generate_stream: prompt gives no token"):
        model.encode(b"")


def test_the_end_token_is_that_of_encode(tmp_path):
    model, _ = text_model(loaded(models.Reciter(b"ab"), tmp_path))
    assert model.encode(b"a").end_token == models.END


@pytest.mark.parametrize(
    ("spec", "rule"),
    [
        (
            tf.TensorSpec([1, None], tf.int32, "tokens"),
            "input tokens of signature decode has the shape [1,-1], expected [batch, time], batch and time of unknown "
            "size",
        ),
        (
            tf.TensorSpec([None, None], tf.float32, "tokens"),
            "input tokens of signature decode is float, expected int32 or int64",
        ),
    ],
)
def test_a_wrong_shape_or_dtype_is_named(tmp_path, spec, rule):
    class Wrong(models.Reciter):
        def signature(self):
            found = super().signature()
            found["decode"] = tf.function(lambda tokens: {"text": tf.as_string(tokens[:, 0])}).get_concrete_function(
                tokens=spec
            )
            return found

    with pytest.raises(ServingError) as raised:
        text_model(loaded(Wrong(b"ab"), tmp_path))
    assert raised.value.status == f"UNIMPLEMENTED: Model m version 1 cannot stream text: {rule}"


def test_what_text_needs_is_checked_before_what_sequences_need(tmp_path):
    class Stateless(models.Reciter):
        def signature(self):
            found = super().signature()
            found["step"] = tf.function(lambda tokens: {"logits": tf.one_hot(tokens, 9)}).get_concrete_function(
                tokens=tf.TensorSpec([None, None], tf.int32)
            )
            return found

    with pytest.raises(ServingError) as raised:
        text_model(loaded(Stateless(b"ab"), tmp_path))
    assert raised.value.status == (
        "FAILED_PRECONDITION: Model m version 1 holds no sequences: signature step has no input that begins with state_"
    )


def test_an_input_that_text_cannot_fill_is_named(tmp_path):
    class Wanting(models.Reciter):
        def signature(self):
            found = super().signature()
            found["encode"] = tf.function(
                lambda text, language: {"tokens": tf.zeros([tf.size(text) + tf.size(language), 1], tf.int32)}
            ).get_concrete_function(text=tf.TensorSpec([None], tf.string), language=tf.TensorSpec([None], tf.string))
            return found

    with pytest.raises(ServingError, match="signature encode has an input language beside text"):
        text_model(loaded(Wanting(b"ab"), tmp_path))


def test_a_step_reads_tokens_with_the_dtype_of_the_signature(tmp_path):
    model, contract = text_model(loaded(models.Reciter(b"ab"), tmp_path))
    step = model.step(contract.zeros(), np.array([1, 2, 3]))
    lengths, tokens = sorted(step.feeds.values(), key=np.ndim)
    assert (lengths.dtype, lengths.tolist()) == (np.int32, [3])
    assert (tokens.dtype, tokens.tolist()) == (np.int32, [[1, 2, 3]])
