"""The next time steps of several series: a recurrence over segments of the past, asked for segments of the future.

    e_s = relu( W_e (segment s of the past - level) ),    h_s = GRU( e_s, h_(s-1) )
    segment m of the future = level + W_o GRU( (position m ; series), h ) + segment m of W_d (last values - level)

Slide S7 with segments for time steps; SegRNN: Lin et al. 2023 (arXiv 2308.11200), whose level is the last value. Each
series is read by itself, by the same weights: what tells them apart is a learned vector. All segments of the future are
asked for at once. The last term is there where `direct` is set: for far horizons, of which the GRU alone knows little.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from models.layers.gru import GRU
from models.zoo.entry import Entry

Tensor = Any

SERIES = 7  # of ETTh1


@dataclass(frozen=True)
class Forecast:
    """Segment-wise GRU with dropout before the readout."""

    horizon: int = 96  # time steps that are forecast
    look_back: int = 720  # time steps that are read at most; a multiple of segment
    segment: int = 48  # time steps that the recurrence takes at once
    units: int = 128  # an even number
    output_dropout: float = 0.5
    level: int = 1  # last time steps whose mean is subtracted and added again
    direct: int = 0  # last time steps that also act on the forecast directly, by a matrix that begins as zeros
    direct_l2: float = 0.0  # the loss also gets so many times the sum of the squares of that matrix
    mirrored: float = 0.0  # share of the series that are turned over about their level in training; see `after`

    def build(self, series: int = SERIES) -> keras.Model:
        """The network, untrained; call `adapt` with the training values before the first use.

        Raises ValueError where the fields do not go together."""
        self.check()
        return SegmentForecaster(series=series, **asdict(self))

    def check(self) -> None:
        """Raises ValueError where the fields do not go together."""
        whole = self.look_back % self.segment == 0 and self.units % 2 == 0
        ahead = 0 <= self.direct <= self.look_back and self.direct_l2 >= 0 and 0 <= self.mirrored <= 1
        if not (whole and ahead and 1 <= self.level <= self.segment):
            raise ValueError(
                f"forecast got look_back={self.look_back}, segment={self.segment}, units={self.units}, "
                f"level={self.level}, direct={self.direct}, direct_l2={self.direct_l2}, mirrored={self.mirrored}; "
                "expected a look_back that is a multiple of segment, an even number of units, a level from 1 to "
                "segment, direct from 0 to look_back, direct_l2 from 0, mirrored from 0 to 1. Change one of them."
            )


@keras.saving.register_keras_serializable(package="seqzoo")
class SegmentForecaster(keras.Model):
    """Maps {"values": [batch, look_back, series]} to {"forecast": [batch, horizon, series]}, the latter in z-scores."""

    def __init__(
        self,
        series: int,
        horizon: int,
        look_back: int,
        segment: int,
        units: int,
        output_dropout: float,
        level: int = 1,
        direct: int = 0,
        direct_l2: float = 0.0,
        mirrored: float = 0.0,
    ) -> None:
        super().__init__(name="forecast")
        self.network = {
            "series": series,
            "horizon": horizon,
            "look_back": look_back,
            "segment": segment,
            "units": units,
            "output_dropout": output_dropout,
            "level": level,
            "direct": direct,
            "direct_l2": direct_l2,
            "mirrored": mirrored,
        }
        self.series, self.horizon, self.look_back, self.segment, self.units = series, horizon, look_back, segment, units
        self.level = level
        self.asked = -(-horizon // segment)  # segments of the future; the last is cut where horizon is no multiple
        self.scale = keras.layers.Normalization(name="scale")
        self.scale.build((None, series))
        self.embed = keras.layers.Dense(units, activation="relu", name="embed")
        self.memory = GRU(units, name="memory")
        normal = keras.initializers.RandomNormal(stddev=1.0)
        self.position = self.add_weight(shape=(self.asked, units // 2), initializer=normal, name="position")
        self.which = self.add_weight(shape=(series, units // 2), initializer=normal, name="which")
        self.output_dropout = keras.layers.Dropout(output_dropout)
        self.readout = keras.layers.Dense(segment, name="readout")
        self.reach, l2 = direct, keras.regularizers.L2(direct_l2)
        zeros: dict[str, Any] = {"kernel_initializer": "zeros", "kernel_regularizer": l2, "use_bias": False}
        self.direct = keras.layers.Dense(horizon, **zeros, name="direct") if direct else None
        self.mirrored, self.seed = mirrored, keras.random.SeedGenerator() if mirrored else None

    def adapt(self, values: np.ndarray) -> None:
        """Takes mean and variance of each series from the training values, [time, series]."""
        self.scale.adapt(values)

    def call(self, inputs: Mapping[str, Tensor], training: bool = False) -> dict[str, Tensor]:
        """The forecast after whole windows, in z-scores."""
        return {"forecast": self.after(self.scale(inputs["values"]), training=training)}

    def after(self, past: Tensor, counts: Tensor | None = None, training: bool = False) -> Tensor:
        """What follows the past, both in z-scores: [batch, time, series] to [batch, horizon, series].

        time: a multiple of `segment`. counts [batch] int: how many time steps at the end of each row are known, 1 or
        more; None means all. Of a segment that is known in part the rest is taken to be as its first known value.

        training: a share of the series is turned over about its level, together with what the network says of it. So it
        does not learn that series rise, or fall, because those of the training part did."""
        time = tf.shape(past)[1]
        mask = None
        if counts is not None:
            known = tf.maximum(tf.range(time)[None], time - counts[:, None])
            past = tf.gather(past, known, batch_dims=1)
            begins = tf.range(0, time, self.segment)[None] + self.segment > time - counts[:, None]
            mask = tf.repeat(begins, self.series, axis=0)
        level = tf.reduce_mean(past[:, -self.level :], axis=1, keepdims=True)
        rows = tf.transpose(past - level, [0, 2, 1])  # a series a row
        side = self._sides(tf.shape(rows)) if training and self.mirrored else None
        rows = rows if side is None else side * rows
        segments = tf.reshape(rows, [-1, time // self.segment, self.segment])
        hidden = self.memory(self.embed(segments), mask=mask)
        answers = self.memory(self._questions(tf.shape(past)[0]), initial_state=tf.repeat(hidden, self.asked, axis=0))
        said = self.readout(self.output_dropout(answers, training=training))
        change = tf.reshape(said, [-1, self.series, self.asked * self.segment])[..., : self.horizon]
        if self.direct is not None:
            change += self.direct(tf.gather(rows, tf.maximum(tf.range(time - self.reach, time), 0), axis=2))
        change = change if side is None else side * change
        return level + tf.transpose(change, [0, 2, 1])

    def _sides(self, shape: Tensor) -> Tensor:
        """-1 for a series that is turned over, else 1: [batch, series, 1]."""
        drawn = keras.random.uniform((shape[0], shape[1], 1), seed=self.seed)
        return tf.where(drawn < self.mirrored, -1.0, 1.0)

    def _questions(self, batch: Tensor) -> Tensor:
        """Where in the future, and of which series: [batch * series * asked, 1, units]."""
        where = tf.tile(self.position[None], [self.series, 1, 1])
        whose = tf.tile(self.which[:, None], [1, self.asked, 1])
        question = tf.reshape(tf.concat([where, whose], axis=-1), [1, self.series * self.asked, 1, self.units])
        return tf.reshape(tf.tile(question, [batch, 1, 1, 1]), [-1, 1, self.units])

    def in_units(self, scaled: Tensor) -> Tensor:
        """z-scores [..., series] in the original units."""
        mean, variance = (tf.reshape(part, [-1]) for part in (self.scale.mean, self.scale.variance))
        return scaled * tf.sqrt(variance) + mean

    def get_config(self) -> dict[str, Any]:
        """The fields of `Forecast` and the number of series."""
        return self.network


def signatures(model: SegmentForecaster) -> Mapping[str, Any]:
    """serving_default: a window of any length to what follows. step: new values and the state to the forecasts.

    The state is what the network looks back at: the last `look_back` values, and how many of them are known."""
    look_back, segment, series = model.look_back, model.segment, model.series
    values = tf.TensorSpec([None, None, series], tf.float32, "values")
    lengths = tf.TensorSpec([None], tf.int32, "lengths")
    window = tf.TensorSpec([None, look_back, series], tf.float32, "state_window")
    count = tf.TensorSpec([None, 1], tf.float32, "state_count")

    @tf.function(input_signature=[values, lengths], autograph=False)
    def serving_default(values: Tensor, lengths: Tensor) -> dict[str, Tensor]:
        with tf.control_dependencies([_lengths_are_from(1, lengths, values)]):
            values = tf.identity(values)
        time = segment * tf.minimum(-(-tf.shape(values)[1] // segment), look_back // segment)
        at_the_end = tf.maximum(lengths[:, None] - time + tf.range(time)[None], 0)
        past = tf.gather(model.scale(values), at_the_end, batch_dims=1)
        return {"forecast": model.in_units(model.after(past, tf.minimum(lengths, time)))}

    @tf.function(input_signature=[values, lengths, window, count], autograph=False)
    def step(values: Tensor, lengths: Tensor, window: Tensor, count: Tensor) -> dict[str, Tensor]:
        with tf.control_dependencies([_lengths_are_from(0, lengths, values)]):
            seen = tf.concat([window, values], axis=1)
        batch, chunk = tf.shape(values)[0], tf.shape(values)[1]
        each = tf.range(1, chunk + 1)
        windows = tf.gather(seen, each[:, None] + tf.range(look_back), axis=1)  # [batch, chunk, look_back, series]
        counts = tf.minimum(tf.cast(count, tf.int32) + each[None], look_back)
        past = tf.reshape(model.scale(windows), [-1, look_back, series])
        forecast = model.in_units(model.after(past, tf.reshape(counts, [-1])))
        forecast = tf.reshape(forecast, [batch, chunk, model.horizon, series])
        real = tf.sequence_mask(lengths, chunk)[..., None, None]
        return {
            "forecast": tf.where(real, forecast, tf.zeros_like(forecast)),
            "state_window": tf.gather(seen, lengths[:, None] + tf.range(look_back), batch_dims=1),
            "state_count": tf.minimum(count + tf.cast(lengths[:, None], tf.float32), float(look_back)),
        }

    return {"serving_default": serving_default, "step": step}


def _lengths_are_from(least: int, lengths: Tensor, values: Tensor) -> Tensor:
    most = tf.shape(values)[1]
    text = tf.strings.format(
        f"lengths got {{}}; each must be from {least} to the number of time steps, {{}}", (lengths, most)
    )
    return tf.debugging.Assert(tf.reduce_all((lengths >= least) & (lengths <= most)), [text])


ENTRY = Entry(
    "forecast",
    Forecast,
    task="forecast",
    data="etth1",
    metric="validation_mse",
    summary="the next 96 hours (or another horizon) of seven series of a transformer, from the 720 hours before",
    signatures=signatures,
)
