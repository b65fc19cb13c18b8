"""The recurrence over time: weights, masks and states of every recurrent layer, once.

    h_t = f_W( h_(t-1), x_t )

Slide S7. What one step does is the cell's (and its equation's) affair, how the steps are executed an engine's.
"""

import logging
from typing import Any, ClassVar

import keras
import tensorflow as tf

from models.layers import engines
from models.layers.cell import RecurrentCell
from models.layers.in_place_of import own_name

Tensor = Any
log = logging.getLogger(__name__)

LAYER_OPTIONS = ("name", "dtype", "trainable", "autocast", "activity_regularizer", "input_shape", "input_dim")


class OfCell:
    """An option or a weight that the layer has from its cell."""

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def __get__(self, layer: Any, owner: type) -> Any:
        return self if layer is None else getattr(layer.cell, self.name)


class Recurrence(keras.layers.RNN):
    """Runs a cell's equation over the time steps; takes the arguments of `keras.layers.RNN` and of the cell.

    inputs [batch, time, features]; mask [batch, time] bool, False leaves the state as it was; initial_state a
    list of [batch, units], one for each part of the state, None means zeros: the start of a sequence.
    Returns [batch, units], or [batch, time, units] with return_sequences=True; with return_state=True the parts
    of the last state follow. activations: `activation` and, with gates, `recurrent_activation`.
    engine: how the steps are executed, "auto" takes the fastest that can run the layer.
    """

    Cell: ClassVar[type[RecurrentCell]]

    units, kernel, recurrent_kernel, bias = OfCell(), OfCell(), OfCell(), OfCell()
    activation, use_bias, dropout, recurrent_dropout, seed = OfCell(), OfCell(), OfCell(), OfCell(), OfCell()
    kernel_initializer, recurrent_initializer, bias_initializer = OfCell(), OfCell(), OfCell()
    kernel_regularizer, recurrent_regularizer, bias_regularizer = OfCell(), OfCell(), OfCell()
    kernel_constraint, recurrent_constraint, bias_constraint = OfCell(), OfCell(), OfCell()

    def __init__(
        self,
        units: int,
        *activations: Any,
        engine: str = "auto",
        return_sequences: bool = False,
        return_state: bool = False,
        go_backwards: bool = False,
        stateful: bool = False,
        unroll: bool = False,
        zero_output_for_mask: bool = False,
        **options: Any,
    ) -> None:
        layer_options = {name: options.pop(name) for name in LAYER_OPTIONS if name in options}
        of_cell = {name: layer_options[name] for name in ("dtype", "trainable") if name in layer_options} | options
        super().__init__(
            self.Cell(units, *activations, **of_cell),
            return_sequences=return_sequences,
            return_state=return_state,
            go_backwards=go_backwards,
            stateful=stateful,
            unroll=unroll,
            zero_output_for_mask=zero_output_for_mask,
            **layer_options,
        )
        self.engine = engines.check_name(engine)
        self.input_spec = keras.InputSpec(ndim=3)
        self._logged_engine: str | None = None

    def _maybe_config_dropout_masks(self, *_: Any) -> None:
        """Nothing: `inner_loop` draws the masks, where there is training. Keras would draw them here for every call, so
        that a served graph drew numbers in vain and wrote the seed's variable."""

    def inner_loop(
        self, sequences: Tensor, initial_state: list[Tensor], mask: Tensor | None, training: bool | None = None
    ) -> tuple[Tensor, Tensor, list[Tensor]]:
        """Walks through time: (last output, outputs [batch, time, units], last state); Keras calls it."""
        mask = self._checked_mask(sequences, mask)
        self._check_states(sequences, initial_state)
        cell, before = self.cell, self.cell.State(*initial_state)
        sequences = tf.cast(sequences, cell.compute_dtype)
        recurrent_mask = None
        if training and cell.dropout:
            sequences *= cell.get_dropout_mask(sequences[:, 0])[:, None]
        if training and cell.recurrent_dropout:
            recurrent_mask = cell.get_recurrent_dropout_mask(before[0])
        if self.go_backwards:
            sequences = tf.reverse(sequences, [1])
            mask = None if mask is None else tf.reverse(mask, [1])

        engine = engines.choose(self)
        if engine.name != self._logged_engine:
            log.debug("%s runs on the %s engine", self.name, engine.name)
            self._logged_engine = engine.name
        outputs, after = engine.run(self, sequences, before, mask, recurrent_mask, training)
        return *self._masked_outputs(outputs, after[0], mask), list(after)

    def _masked_outputs(self, outputs: Tensor, last: Tensor, mask: Tensor | None) -> tuple[Tensor, Tensor]:
        """Keras's convention: a masked step repeats the last output, zeros before the first one."""
        if mask is None:
            return last, outputs
        begun = tf.cumsum(tf.cast(mask, tf.int32), axis=1) > 0
        shown = mask if self.zero_output_for_mask else begun
        outputs = tf.where(shown[:, :, None], outputs, tf.zeros_like(outputs))
        last_shown = tf.reduce_any(mask, axis=1)
        if self.zero_output_for_mask:
            last_shown &= mask[:, -1]
        return tf.where(last_shown[:, None], last, tf.zeros_like(last)), outputs

    def _checked_mask(self, sequences: Tensor, mask: Any) -> Tensor | None:
        if isinstance(mask, (list, tuple)):
            mask = mask[0]
        if mask is None:
            return None
        mask = tf.cast(mask, tf.bool)
        if not mask.shape.is_compatible_with(sequences.shape[:2]):
            raise ValueError(
                f"{own_name(type(self))} got a mask of shape {tuple(mask.shape)} for inputs of shape "
                f"{tuple(sequences.shape)}; it expected {tuple(sequences.shape[:2])}, one value for each time step. "
                "Pad both to the same length."
            )
        return mask

    def _check_states(self, sequences: Tensor, states: list[Tensor]) -> None:
        names = self.cell.State._fields
        if len(states) != len(names):
            raise ValueError(
                f"{own_name(type(self))} got {len(states)} initial states; it expected {len(names)}: "
                f"{', '.join(names)}."
            )
        expected = tf.TensorShape([sequences.shape[0], self.units])
        for name, state in zip(names, states, strict=True):
            if not state.shape.is_compatible_with(expected):
                raise ValueError(
                    f"{own_name(type(self))} got an initial state {name} of shape {tuple(state.shape)} for inputs of "
                    f"shape {tuple(sequences.shape)}; it expected {tuple(expected)}, a row for each sequence."
                )

    def call(
        self, sequences: Tensor, initial_state: Any = None, mask: Any = None, training: bool | None = None
    ) -> Tensor | tuple[Tensor, ...]:
        """Keras's `RNN.call`; of no time steps, at which Keras would look, the initial state comes back."""
        if sequences.shape[1] != 0:
            return super().call(sequences, initial_state=initial_state, mask=mask, training=training)
        if initial_state is None:
            initial_state = self.states if self.stateful else self.get_initial_state(tf.shape(sequences)[0])
        before = list(initial_state) if keras.tree.is_nested(initial_state) else [initial_state]
        before = [keras.ops.convert_to_tensor(part, self.compute_dtype) for part in before]
        self._check_states(sequences, before)
        if self.stateful:
            for kept, part in zip(self.states, before, strict=True):
                kept.assign(part)
        outputs = tf.zeros([tf.shape(sequences)[0], 0, self.units], self.compute_dtype)
        output = outputs if self.return_sequences else before[0]
        return (output, *before) if self.return_state else output

    def get_config(self) -> dict[str, Any]:
        """All arguments, flat as in `keras.layers`, so that `from_config` makes an equal layer."""
        config = super().get_config()
        del config["cell"]
        regularizer = keras.regularizers.serialize(self.activity_regularizer)
        return {**config, **self.cell.options(), "activity_regularizer": regularizer, "engine": self.engine}

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> "Recurrence":
        """The layer that `get_config` described."""
        return cls(**config)
