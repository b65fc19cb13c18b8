"""Tomorrow's weather from the days before: an LSTM over daily observations.

    forecast = today + readout( h_t ) + skip( today's features ),    h_t = LSTM( features of day t, h_(t-1) )

Slides S10 and S11. The readout starts at zero, so that the untrained network is persistence: tomorrow as today.
Units: precipitation in mm, temperatures in degrees Celsius, wind in m/s, day_of_year 1 to 366.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from models.layers.named import recurrence
from models.zoo.entry import Entry

Tensor = Any

COLUMNS = ("precipitation", "temp_max", "temp_min", "wind", "day_of_year")  # what is known of a day
FORECASTS = ("temp_max", "temp_min", "rain_probability")  # what is forecast for the next
DAYS_IN_YEAR = 365.25


@dataclass(frozen=True)
class Weather:
    """LSTM with dropout on inputs, states and outputs, and a linear skip from today to tomorrow."""

    cell: str = "lstm"  # or vanilla, gru
    units: int = 16
    input_dropout: float = 0.3
    recurrent_dropout: float = 0.3
    output_dropout: float = 0.5

    def build(self) -> keras.Model:
        """The network, untrained; call `adapt` with the training days before the first use."""
        return WeatherForecaster(**asdict(self))


@keras.saving.register_keras_serializable(package="seqzoo")
class WeatherForecaster(keras.Model):
    """Maps days, a dict of `COLUMNS` to [batch, time], to the forecast after each day, `FORECASTS` to [batch, time]."""

    def __init__(
        self, units: int, input_dropout: float, recurrent_dropout: float, output_dropout: float, cell: str = "lstm"
    ) -> None:
        super().__init__(name="weather")
        self.network = {
            "cell": cell,
            "units": units,
            "input_dropout": input_dropout,
            "recurrent_dropout": recurrent_dropout,
            "output_dropout": output_dropout,
        }
        self.scale = keras.layers.Normalization(name="scale")
        self.memory = recurrence(cell)(
            units,
            dropout=input_dropout,
            recurrent_dropout=recurrent_dropout,
            return_sequences=True,
            return_state=True,
            name="memory",
        )
        self.output_dropout = keras.layers.Dropout(output_dropout)
        self.readout = keras.layers.Dense(len(FORECASTS), kernel_initializer="zeros", name="readout")
        self.skip = keras.layers.Dense(len(FORECASTS), kernel_initializer="zeros", use_bias=False, name="skip")

    def adapt(self, days: Mapping[str, Any]) -> None:
        """Takes mean and variance of the measurements from the training days, each [time]."""
        self.scale.adapt(np.stack([np.log1p(days["precipitation"]), *(days[name] for name in COLUMNS[1:4])], axis=-1))

    def features(self, days: Mapping[str, Tensor]) -> Tensor:
        """[batch, time, 7]: scaled measurements, whether it rained, and the season as a point on a circle."""
        rain = tf.cast(days["precipitation"] > 0, tf.float32)
        angle = days["day_of_year"] * (2 * np.pi / DAYS_IN_YEAR)
        numbers = [tf.math.log1p(days["precipitation"]), *(days[name] for name in COLUMNS[1:4])]
        season = [tf.sin(angle), tf.cos(angle)]
        return tf.concat([self.scale(tf.stack(numbers, axis=-1)), tf.stack([rain, *season], axis=-1)], axis=-1)

    def forecast(
        self,
        days: Mapping[str, Tensor],
        lengths: Tensor | None = None,
        before: list[Tensor] | None = None,
        training: bool = False,
    ) -> tuple[dict[str, Tensor], list[Tensor]]:
        """The forecast after each day, and the state (h, c: an LSTM's), each [batch, units], after the last.

        lengths [batch] int: days of each row, the rest is padding and gives zeros; None means all.
        before: the state that an earlier call left; None is the start of a sequence."""
        features = self.features(days)
        mask = None if lengths is None else tf.sequence_mask(lengths, tf.shape(features)[1])
        hidden, *state = self.memory(features, mask=mask, initial_state=before, training=training)
        change = self.readout(self.output_dropout(hidden, training=training)) + self.skip(features)
        _, spread_max, spread_min, _ = tf.unstack(tf.sqrt(tf.reshape(self.scale.variance, [-1])))
        forecast = {
            "temp_max": days["temp_max"] + spread_max * change[..., 0],
            "temp_min": days["temp_min"] + spread_min * change[..., 1],
            "rain_probability": tf.sigmoid(change[..., 2]),
        }
        if mask is not None:
            forecast = {name: tf.where(mask, value, tf.zeros_like(value)) for name, value in forecast.items()}
        return forecast, state

    def call(self, days: Mapping[str, Tensor], training: bool = False) -> dict[str, Tensor]:
        """The forecast after each day."""
        return self.forecast(days, training=training)[0]

    def get_config(self) -> dict[str, Any]:
        """The fields of `Weather`."""
        return self.network


def signatures(model: WeatherForecaster) -> Mapping[str, Any]:
    """serving_default: a window of days to the next day. step: a chunk of days and the state to each next day."""
    days = [tf.TensorSpec([None, None], tf.float32, name) for name in COLUMNS]
    lengths = tf.TensorSpec([None], tf.int32, "lengths")
    units = model.memory.units
    state = [tf.TensorSpec([None, units], tf.float32, f"state_{part}") for part in model.memory.cell.State._fields]

    @tf.function(input_signature=[*days, lengths], autograph=False)
    def serving_default(*inputs: Tensor) -> dict[str, Tensor]:
        *columns, lengths = inputs
        chunk = dict(zip(COLUMNS, columns, strict=True))
        _check_lengths(lengths, chunk, least=1)
        forecast, _ = model.forecast(chunk, lengths)
        return {name: tf.gather(value, lengths - 1, batch_dims=1) for name, value in forecast.items()}

    @tf.function(input_signature=[*days, lengths, *state], autograph=False)
    def step(*inputs: Tensor) -> dict[str, Tensor]:
        columns, lengths, before = inputs[: len(COLUMNS)], inputs[len(COLUMNS)], inputs[len(COLUMNS) + 1 :]
        chunk = dict(zip(COLUMNS, columns, strict=True))
        _check_lengths(lengths, chunk, least=0)
        forecast, after = model.forecast(chunk, lengths, before=list(before))
        return {**forecast, **{spec.name: part for spec, part in zip(state, after, strict=True)}}

    return {"serving_default": serving_default, "step": step}


def _check_lengths(lengths: Tensor, days: Mapping[str, Tensor], least: int) -> None:
    most = tf.shape(days["temp_max"])[1]
    text = tf.strings.format(
        f"lengths got {{}}; each must be from {least} to the number of days, {{}}", (lengths, most)
    )
    tf.debugging.Assert(tf.reduce_all((lengths >= least) & (lengths <= most)), [text])


ENTRY = Entry(
    "weather",
    Weather,
    task="forecast",
    data="seattle-weather",
    metric="validation_score",
    summary="tomorrow's highest and lowest temperature and the probability of rain, from the days before",
    signatures=signatures,
)
