"""The weights of a recurrence and its one time step, as a Keras cell.

    h_t = f_W( h_(t-1), x_t )        the same f and the same W at every time step

Slide S7. The slides act on column vectors, W (h_before; x); Keras on row vectors, x kernel + h recurrent_kernel.
Stored is Keras's form, so that weights move between this cell and those of `keras.layers` as they are.
"""

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import keras
import tensorflow as tf
from keras.src.layers.rnn.dropout_rnn_cell import DropoutRNNCell  # by it Keras's RNN draws one mask for all time steps

from models.layers.in_place_of import own_name

Tensor = Any


class RecurrentCell(DropoutRNNCell, keras.layers.Layer):
    """One time step: weights, the affine map z = x kernel + h recurrent_kernel + bias, and the equation.

    A recurrence says what is its own in four class attributes and, where its activations can be chosen, in
    `activations`. kernel [features, gates * units], recurrent_kernel [units, gates * units], bias [gates * units].
    dropout and recurrent_dropout: shares of the inputs and of the old state that training drops, the same ones at all
    time steps of a batch (Gal & Ghahramani 2016). implementation: taken from code written for Keras, of no effect.
    """

    gates: ClassVar[tuple[str, ...]]  # names of z's parts, in the order of their columns in memory
    Gates: ClassVar[Any]  # the equation's NamedTuple of these parts
    State: ClassVar[Any]  # the equation's NamedTuple of the state; its first field is the output
    step: ClassVar[Callable[..., Any]]  # the equation

    def __init__(
        self,
        units: int,
        activation: Any = "tanh",
        *,
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        recurrent_initializer: Any = "orthogonal",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        recurrent_regularizer: Any = None,
        bias_regularizer: Any = None,
        kernel_constraint: Any = None,
        recurrent_constraint: Any = None,
        bias_constraint: Any = None,
        dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        seed: int | None = None,
        implementation: int = 2,
        **layer_options: Any,
    ) -> None:
        super().__init__(**layer_options)
        if isinstance(units, bool) or int(units) != units or units < 1:
            raise ValueError(
                f"{own_name(type(self))} got units={units!r}; it expected a whole number of at least 1, "
                "the size of the hidden state."
            )
        for name, rate in (("dropout", dropout), ("recurrent_dropout", recurrent_dropout)):
            if not 0.0 <= rate < 1.0:
                raise ValueError(
                    f"{own_name(type(self))} got {name}={rate!r}; it expected a share of at least 0 and below 1."
                )
        self.units = int(units)
        self.dropout = dropout
        self.recurrent_dropout = recurrent_dropout
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)
        self.use_bias = use_bias
        self.activation = keras.activations.get(activation)
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        self.recurrent_initializer = keras.initializers.get(recurrent_initializer)
        self.bias_initializer = keras.initializers.get(bias_initializer)
        self.kernel_regularizer = keras.regularizers.get(kernel_regularizer)
        self.recurrent_regularizer = keras.regularizers.get(recurrent_regularizer)
        self.bias_regularizer = keras.regularizers.get(bias_regularizer)
        self.kernel_constraint = keras.constraints.get(kernel_constraint)
        self.recurrent_constraint = keras.constraints.get(recurrent_constraint)
        self.bias_constraint = keras.constraints.get(bias_constraint)
        self.bias: Any = None

    @property
    def state_size(self) -> list[int]:
        """Units of each part of the state, in the order of `State`."""
        return [self.units] * len(self.State._fields)

    @property
    def output_size(self) -> int:
        """Units of what the layer above sees."""
        return self.units

    @property
    def activations(self) -> Mapping[str, Callable[[Tensor], Tensor]]:
        """The step's activations by the slide's names; a recurrence with gates adds its own."""
        return {"tanh": self.activation}

    def bias_shape(self) -> tuple[int, ...]:
        """[gates * units]; a recurrence with a bias on each side has two rows."""
        return (len(self.gates) * self.units,)

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Makes the weights for inputs of shape [batch, features]."""
        columns = len(self.gates) * self.units
        self.kernel = self.add_weight(
            name="kernel",
            shape=(input_shape[-1], columns),
            initializer=self.kernel_initializer,
            regularizer=self.kernel_regularizer,
            constraint=self.kernel_constraint,
        )
        self.recurrent_kernel = self.add_weight(
            name="recurrent_kernel",
            shape=(self.units, columns),
            initializer=self.recurrent_initializer,
            regularizer=self.recurrent_regularizer,
            constraint=self.recurrent_constraint,
        )
        if self.use_bias:
            self.bias = self.add_weight(
                name="bias",
                shape=self.bias_shape(),
                initializer=self.initial_bias(),
                regularizer=self.bias_regularizer,
                constraint=self.bias_constraint,
            )
        self.built = True

    def initial_bias(self) -> Any:
        """The initializer of the bias; a recurrence may start some gate elsewhere."""
        return self.bias_initializer

    @property
    def equation(self) -> Callable[..., Any]:
        """The step that this cell runs; a recurrence of several forms chooses."""
        return type(self).step

    @property
    def recurrent_bias(self) -> Tensor | None:
        """A bias on the old state's side [gates * units], None where one bias serves both sides."""
        return None

    @property
    def input_bias(self) -> Tensor | None:
        """The bias on the input's side [gates * units], or None."""
        return None if self.bias is None else tf.convert_to_tensor(self.bias)

    def weights_by_role(self) -> tuple[Tensor, Tensor, Tensor | None, Tensor | None]:
        """kernel, recurrent kernel, bias on the input's side, bias on the old state's side, in the compute dtype."""
        kernel, recurrent_kernel = tf.convert_to_tensor(self.kernel), tf.convert_to_tensor(self.recurrent_kernel)
        return kernel, recurrent_kernel, self.input_bias, self.recurrent_bias

    def project(self, inputs: Tensor) -> Tensor:
        """x kernel + bias: what the input gives to z; inputs [..., features], result [..., gates * units]."""
        return _affine(tf.cast(inputs, self.compute_dtype), self.kernel, self.input_bias)

    def recur(self, h: Tensor) -> Tensor:
        """h recurrent_kernel: what the old state [batch, units] gives to z [batch, gates * units]."""
        return _affine(h, self.recurrent_kernel, self.recurrent_bias)

    def split(self, z: Tensor) -> Any:
        """The named parts of z [..., gates * units], each [..., units]."""
        return self.Gates(**dict(zip(self.gates, tf.split(z, len(self.gates), axis=-1), strict=True)))

    def advance(self, projected: Tensor, before: Any, recurrent_mask: Tensor | None = None) -> Any:
        """The state after one time step.

        projected [batch, gates * units] is `project` of the step's input, before the State; recurrent_mask
        [batch, units] multiplies what z sees of the old state (recurrent dropout)."""
        seen = before[0] if recurrent_mask is None else before[0] * recurrent_mask
        return self.equation(self.split(projected + self.recur(seen)), before, **self.activations)

    def call(self, inputs: Tensor, states: Any, training: bool = False) -> tuple[Tensor, list[Tensor]]:
        """One step by Keras's cell convention: inputs [batch, features], states a list -> (output, states)."""
        states = [tf.cast(state, self.compute_dtype) for state in states]
        recurrent_mask = None
        if training and self.dropout:
            inputs *= self.get_dropout_mask(inputs)
        if training and self.recurrent_dropout:
            recurrent_mask = self.get_recurrent_dropout_mask(states[0])
        after = self.advance(self.project(inputs), self.State(*states), recurrent_mask)
        return after[0], list(after)

    def get_initial_state(self, batch_size: Any = None) -> list[Tensor]:
        """Zeros, each [batch, units]: the start of a sequence."""
        return [keras.ops.zeros((batch_size, size), dtype=self.compute_dtype) for size in self.state_size]

    def options(self) -> dict[str, Any]:
        """The cell's own arguments, serialised; a recurrence with more arguments adds them."""
        serialise = {
            "activation": keras.activations.serialize,
            "initializer": keras.initializers.serialize,
            "regularizer": keras.regularizers.serialize,
            "constraint": keras.constraints.serialize,
        }
        names = [
            f"{w}_{k}" for k in ("initializer", "regularizer", "constraint") for w in ("kernel", "recurrent", "bias")
        ]
        named = {name: serialise[name.split("_")[-1]](getattr(self, name)) for name in ["activation", *names]}
        plain = ("units", "use_bias", "dropout", "recurrent_dropout", "seed")
        return {**{name: getattr(self, name) for name in plain}, **named}

    def get_config(self) -> dict[str, Any]:
        """All arguments, so that `from_config` makes an equal cell."""
        return {**super().get_config(), **self.options()}


def _affine(x: Tensor, kernel: Any, bias: Tensor | None) -> Tensor:
    product = tf.linalg.matmul(x, tf.convert_to_tensor(kernel))
    return product if bias is None else product + bias
