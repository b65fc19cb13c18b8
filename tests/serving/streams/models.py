"""Models that write text byte by byte, as a user writes them: token b is the byte b, token 256 is the end."""

import numpy as np
import tensorflow as tf

from tests.serving.sequences import models

VOCABULARY, END = 257, 256
HISTORY = 3


class Text(tf.Module):
    """The signatures; what may follow is said by a subclass: states [batch, time, ...] to logits."""

    state = tf.TensorSpec([None], tf.int32, "state_seen")
    with_lengths = True
    with_end = True

    def signature(self):
        tokens = tf.TensorSpec([None, None], tf.int32, "tokens")
        lengths = tf.TensorSpec([None], tf.int32, "lengths")
        given = [tokens, self.state, *([lengths] if self.with_lengths else [])]
        return {
            "step": tf.function(self.step, autograph=False).get_concrete_function(*given),
            "encode": tf.function(self.encode).get_concrete_function(text=tf.TensorSpec([None], tf.string, "text")),
            "decode": tf.function(self.decode).get_concrete_function(tokens=tokens),
        }

    def encode(self, text):
        found = {"tokens": tf.cast(tf.io.decode_raw(text, tf.uint8), tf.int32)}
        return {**found, "end_token": tf.constant(END)} if self.with_end else found

    def decode(self, tokens):
        """Whoever asks for the end token, or for padding, gets an error."""
        bounds = [tf.debugging.assert_less(tokens, END), tf.debugging.assert_non_negative(tokens)]
        with tf.control_dependencies(bounds):
            characters = tf.gather(tf.constant([bytes([b]) for b in range(256)]), tokens)
        return {"text": tf.strings.reduce_join(characters, axis=1)}


class Reciter(Text):
    """Says what it has learnt by heart, from the place to which it was prompted: each token leads one byte on."""

    def __init__(self, text, ends=True):
        super().__init__()
        self.tokens = tf.constant([*text, END] if ends else [*text], tf.int32)

    def step(self, tokens, seen, lengths=None):
        steps = tf.shape(tokens)[1]
        lengths = tf.fill([tf.shape(tokens)[0]], steps) if lengths is None else lengths
        place = seen[:, None] + tf.range(1, steps + 1)[None]
        follows = tf.gather(self.tokens, place % tf.size(self.tokens))
        return {"logits": 100.0 * tf.one_hot(follows, VOCABULARY), "state_seen": seen + lengths}


class Dreamer(Text):
    """Letters whose chances depend on the last ones and on how many came before: whole numbers, so that no order of
    additions matters."""

    state = tf.TensorSpec([None, HISTORY], tf.int32, "state_last")
    with_lengths = False
    with_end = False

    def __init__(self, seed=0):
        super().__init__()
        table = np.full((HISTORY, VOCABULARY, VOCABULARY), -100, np.float32)
        letters = np.frombuffer(b"abcdefghijklmnopqrstuvwxyz ", np.uint8)
        rng = np.random.default_rng(seed)
        table[:, :, letters] = rng.integers(-2, 3, (HISTORY, VOCABULARY, len(letters)))
        self.table = tf.constant(table)

    def step(self, tokens, last):
        whole = tf.concat([last, tokens], axis=1)
        steps = tf.shape(tokens)[1]
        logits = tf.add_n([tf.gather(self.table[i], whole[:, i + 1 : i + 1 + steps]) for i in range(HISTORY)])
        return {"logits": logits, "state_last": tf.ensure_shape(whole[:, -HISTORY:], [None, HISTORY])}


LACKS = {
    "step": "it has no signature step",
    "encode": "it has no signature encode",
    "decode": "it has no signature decode",
    "tokens": "signature step has no input tokens",
    "logits": "signature step has no output logits",
    "text": "signature decode has no output text",
}


class Lacking(Reciter):
    """A Reciter without one signature, or with another name for one input or output."""

    def __init__(self, lack):
        super().__init__(b"ab")
        self.lack = lack

    def signature(self):
        found = super().signature()
        if self.lack in found:
            del found[self.lack]
            return found
        if self.lack == "tokens":
            step = found["step"]
            found["step"] = tf.function(
                lambda ids, state_seen, lengths: step(tokens=ids, state_seen=state_seen, lengths=lengths),
                autograph=False,
            ).get_concrete_function(
                ids=tf.TensorSpec([None, None], tf.int32), state_seen=self.state,
                lengths=tf.TensorSpec([None], tf.int32),
            )  # fmt: skip
        return found

    def step(self, tokens, seen, lengths=None):
        found = super().step(tokens, seen, lengths)
        return {"chances" if name == "logits" and self.lack == "logits" else name: v for name, v in found.items()}

    def decode(self, tokens):
        return {"words" if self.lack == "text" else "text": super().decode(tokens)["text"]}


def write(module, folder):
    """Writes a version."""
    return models.write(module, folder)


def follow(module, prompt, tokens, temperature, top_k, seed):
    """The text that a Dreamer writes, worked out token by token with numpy alone."""
    table, chance = module.table.numpy().astype(np.float64), np.random.Generator(np.random.Philox(key=seed))
    written = [0] * HISTORY + list(prompt)
    for _ in range(tokens):
        logits = sum(table[i, written[len(written) - HISTORY + i]] for i in range(HISTORY))
        u = chance.random()
        if not temperature:
            written.append(int(logits.argmax()))
            continue
        order = sorted(range(VOCABULARY), key=lambda token: (-logits[token], token))
        allowed = sorted(order[: top_k or VOCABULARY])
        weights = np.exp((logits[allowed] - logits.max()) / temperature)
        place = int(np.searchsorted(np.cumsum(weights), u * weights.sum(), side="right"))
        written.append(allowed[place])
    return bytes(written[HISTORY + len(prompt) :])
