"""The signatures of a language model: text to what may follow, chunks of tokens with states, and text from a prompt."""

from collections.abc import Callable, Mapping
from typing import Any

import tensorflow as tf

from models.language.characters import Characters
from models.language.likelihood import log_likelihood, read
from models.language.network import LanguageModel
from models.language.sampling import Sampling, sample
from models.language.vocabulary import Words
from models.layers.equations.lstm import LSTMState

Tensor = Any

MOST_LIKELY = 10  # next tokens that `serving_default` names


def signatures(model: LanguageModel, vocabulary: Characters | Words) -> Mapping[str, Callable[..., dict[str, Tensor]]]:
    """serving_default: text to the next tokens and its log-likelihood. step: a chunk of tokens and the states to
    logits and states. encode, decode: text to tokens and back. generate: a prompt to the text that follows it."""
    states = [
        tf.TensorSpec([None, model.units], tf.float32, name) for name in state_names(len(model.memory))
    ]  # fmt: skip
    text = tf.TensorSpec([None], tf.string, "text")
    tokens = tf.TensorSpec([None, None], tf.int32, "tokens")
    lengths = tf.TensorSpec([None], tf.int32, "lengths")

    @tf.function(input_signature=[text], autograph=False)
    def serving_default(text: Tensor) -> dict[str, Tensor]:
        tokens, lengths = vocabulary.encode(text)
        said = log_likelihood(model, tokens, lengths, vocabulary.line_break)
        empty = tf.equal(text, "")
        probability = tf.nn.softmax(model.logits(said.states[-1].h))[:, 1:]
        most, which = tf.nn.top_k(probability, min(MOST_LIKELY, len(vocabulary) - 1))
        return {
            "next": tf.gather(vocabulary.names(), which + 1),
            "probability": most,
            "log_likelihood": tf.where(empty, 0.0, said.log_likelihood),
            vocabulary.counted: tf.where(empty, 0, lengths),
        }

    @tf.function(input_signature=[tokens, lengths, *states], autograph=False)
    def step(*inputs: Tensor) -> dict[str, Tensor]:
        tokens, lengths, *parts = inputs
        with tf.control_dependencies(_checks(tokens, lengths, model.tokens)):
            tokens = tf.identity(tokens)
        before = [LSTMState(*parts[i : i + 2]) for i in range(0, len(parts), 2)]
        logits, after = model.forward(tokens, lengths, before)
        flat = [part for state in after for part in state]
        return {"logits": logits, **dict(zip(state_names(len(model.memory)), flat, strict=True))}

    @tf.function(input_signature=[text], autograph=False)
    def encode(text: Tensor) -> dict[str, Tensor]:
        tokens, lengths = vocabulary.encode(text)
        return {"tokens": tokens, "lengths": lengths}

    @tf.function(input_signature=[tokens], autograph=False)
    def decode(tokens: Tensor) -> dict[str, Tensor]:
        return {"text": vocabulary.decode(tokens)}

    how = [
        tf.TensorSpec([None], dtype, name)
        for name, dtype in zip(Sampling._fields, (tf.int32, tf.float32, tf.int32, tf.int64), strict=True)
    ]

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "prompt"), *how], autograph=False)
    def generate(prompt: Tensor, *how: Tensor) -> dict[str, Tensor]:
        said = read(model, *vocabulary.encode(prompt))
        return {"text": vocabulary.decode(sample(model, said.states, Sampling(*how)))}

    return {
        "serving_default": serving_default,
        "step": step,
        "encode": encode,
        "decode": decode,
        "generate": generate,
    }


def state_names(layers: int) -> list[str]:
    """The aliases of the states, in the order of the layers: state_1_h, state_1_c, state_2_h, ..."""
    return [f"state_{level}_{part}" for level in range(1, layers + 1) for part in LSTMState._fields]


def _checks(tokens: Tensor, lengths: Tensor, count: int) -> list[Any]:
    time = tf.shape(tokens)[1]
    read = tf.boolean_mask(tokens, tf.sequence_mask(lengths, time))
    ranges = tf.strings.format("lengths got {}; each must be from 0 to the number of tokens, {}", (lengths, time))
    known = tf.strings.format(f"tokens got {{}}; each must be from 0 to {count - 1}", tokens)
    return [
        tf.debugging.Assert(tf.reduce_all((lengths >= 0) & (lengths <= time)), [ranges]),
        tf.debugging.Assert(tf.reduce_all((read >= 0) & (read < count)), [known]),
    ]
