"""Epochs that several replicas go through together, with the losses and the weights of one that has the whole batch.

    loss = sum_r (n_r / n) loss_r      gradient = sum_r (n_r / n) gradient_r, clipped after the sum

n_r: what replica r has of the n examples of a batch; where a loss is the mean over something else, n counts that.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from models.layers.equations.lstm import LSTMState
from models.layers.recurrence import Recurrence
from training.batches import cut_to_longest
from training.carried import CarriedText
from training.distribution import Team
from training.errors import InputError
from training.run import TrainingRun
from training.tasks.task import Arrays
from training.walk import ShuffledExamples, Walk

Tensor = Any


class SummedAdamW(keras.optimizers.AdamW):
    """AdamW that sums the gradients of the replicas before it clips them: Keras clips each replica's own, then sums."""

    def _clip_gradients(self, grads: Sequence[Tensor]) -> Any:
        replica = tf.distribute.get_replica_context()
        return super()._clip_gradients(replica.all_reduce(tf.distribute.ReduceOp.SUM, list(grads)))

    def _all_reduce_sum_gradients(self, grads_and_vars: Any) -> Any:
        return grads_and_vars


def take_up_sums(model: keras.Model, optimizer: keras.optimizers.AdamW) -> None:
    """Gives the model the optimizer, with its variables, as `SummedAdamW`; in the scope of a strategy."""
    model.optimizer = SummedAdamW.from_config(optimizer.get_config())
    model.optimizer.build(model.trainable_variables)


def keep_to_loops(model: keras.Model, team: Team) -> None:
    """Lets the recurrences that would choose their engine when the graph runs take the fused loops, on GPUs too, where
    there are several workers: on all but the first TensorFlow 2.21 takes such a choice, where the number of time steps
    is not known to the graph, for one between machines ("Haven't set up remote eager worker")."""
    if team.workers > 1:
        for layer in model._flatten_layers():
            if isinstance(layer, Recurrence) and layer.engine == "auto":
                layer.engine = "fused"


class SharedExamples(ShuffledExamples):
    """`ShuffledExamples` of which each replica takes a share of every batch; made in the scope of the team's strategy.

    The batches are the same as those of one replica. losses and their weights: those of the task, by output; counts
    [examples]: what each example adds to the number that the losses are the mean over, None: each the same."""

    def __init__(
        self,
        team: Team,
        model: keras.Model,
        run: TrainingRun,
        inputs: Arrays,
        targets: Arrays,
        losses: Mapping[str, Any],
        weights: Mapping[str, float],
        lengths: np.ndarray | None = None,
        counts: np.ndarray | None = None,
    ) -> None:
        super().__init__(model, run, inputs, targets, lengths)
        self.team, self.weights = team, weights
        self.counts = np.ones(self.examples) if counts is None else counts
        self.losses = {name: _as_mean(loss) for name, loss in losses.items()}
        specs = tuple(_specs(arrays, lengths is not None) for arrays in (inputs, targets))
        self.specs = (*specs, tf.TensorSpec([], tf.float32))
        self._train: Any = None

    def epoch(self, number: int, stop_if_asked: Callable[[], None]) -> float:
        """See `training.walk.Walk`."""
        batches, total = self.batches(number), 0.0
        shares = self.team.dealt(lambda replicas: self._shares(batches, replicas), self.specs)
        if self._train is None:  # once for all shapes that there are
            self._train = tf.function(self._step, input_signature=[shares.element_spec], autograph=False)
        for rows in batches:
            with self.team.noticing_loss():
                total += len(rows) * float(self._train(next(shares)))
            stop_if_asked()
        return total / self.examples

    def _shares(self, batches: Sequence[np.ndarray], replicas: Sequence[int]) -> Iterator[Any]:
        """(inputs, targets, share of the batch) of each batch for each of these replicas."""
        for rows in batches:
            inputs, targets = (_cut(arrays, rows, self.lengths) for arrays in (self.inputs, self.targets))
            counts, cuts = self.counts[rows], np.array_split(np.arange(len(rows)), self.team.replicas)
            for replica in replicas:
                own = cuts[replica]
                share = np.float32(counts[own].sum() / counts.sum())
                own = own if len(own) else np.arange(1)  # where nothing is left, it computes what counts nothing
                yield *({name: array[own] for name, array in arrays.items()} for arrays in (inputs, targets)), share

    def _step(self, shares: Any) -> Tensor:
        losses = self.team.strategy.run(self._of_replica, args=shares)
        return self.team.strategy.reduce(tf.distribute.ReduceOp.SUM, losses, axis=None)

    def _of_replica(self, inputs: Mapping[str, Tensor], targets: Mapping[str, Tensor], share: Tensor) -> Tensor:
        variables = self.model.trainable_variables
        with tf.GradientTape() as tape:
            outputs = self.model(inputs, training=True)
            losses = [self.weights[n] * loss(targets[n], outputs[n]) for n, loss in self.losses.items()]
            # Keras has divided each loss by the number of replicas
            loss = share * (self.team.replicas * tf.add_n(losses) + sum(self.model.losses))
        self.model.optimizer.apply(tape.gradient(loss, variables), variables)
        return loss


class SharedText(CarriedText):
    """`CarriedText` of which each replica reads some rows; made in the scope of the team's strategy.

    Raises InputError for fewer rows than replicas."""

    def __init__(self, team: Team, text: CarriedText) -> None:
        super().__init__(text.model, text.tokens, text.rows, text.steps, text.reset_rate, text.seed, text.loss)
        if self.rows < team.replicas:
            raise InputError(
                f"batch_size={self.rows} is too small to be shared: there are {team.replicas} replicas, each of which "
                "reads a row or more; give a larger one with --set."
            )
        self.team, self.cuts = team, np.array_split(np.arange(self.rows), team.replicas)
        self._train = tf.function(self._step, autograph=False)

    def _start(self) -> Any:
        def of(replica: int) -> Any:
            return self.model.start(len(self.cuts[replica]))

        return self.team.of_each_replica(of)

    def _after_chunk(self, inputs: np.ndarray, targets: np.ndarray, kept: np.ndarray, states: Any) -> tuple[float, Any]:
        def of(replica: int) -> Any:
            own = self.cuts[replica]
            return (inputs[own], targets[own], kept[own], np.float32(len(own) / self.rows))

        with self.team.noticing_loss():
            loss, states = self._train(self.team.of_each_replica(of), states)
            return float(loss), states

    def _step(self, shares: Any, states: Any) -> tuple[Tensor, Any]:
        losses, after = self.team.strategy.run(self._of_replica, args=(*shares, states))
        return self.team.strategy.reduce(tf.distribute.ReduceOp.SUM, losses, axis=None), after

    def _of_replica(
        self, inputs: Tensor, targets: Tensor, kept: Tensor, share: Tensor, states: list[LSTMState]
    ) -> tuple[Tensor, list[LSTMState]]:
        with tf.GradientTape() as tape:
            loss, after = self._loss_and_states(inputs, targets, kept, states)
            loss *= share
        variables = self.model.trainable_variables
        gradients = tape.gradient(loss, variables)
        self.model.optimizer.apply([tf.convert_to_tensor(gradient) for gradient in gradients], variables)
        return loss, after


def shared_text(team: Team, walk: Walk) -> SharedText:
    """The walk that a task brought itself, shared; in the scope of the team's strategy. Raises InputError for a kind
    that cannot be."""
    if not isinstance(walk, CarriedText):
        raise InputError(
            f"--strategy cannot share a {type(walk).__name__}; it expected independent examples, or text whose state "
            "is carried over. Train without --strategy."
        )
    take_up_sums(walk.model, walk.model.optimizer)
    return SharedText(team, walk)


def _cut(arrays: Arrays, rows: np.ndarray, lengths: np.ndarray | None) -> dict[str, np.ndarray]:
    """These rows, cut to the longest, in the dtypes of the network."""
    cut = {n: a[rows] for n, a in arrays.items()} if lengths is None else cut_to_longest(arrays, rows, lengths)
    return {name: a.astype(np.float32) if a.dtype.kind == "f" else a for name, a in cut.items()}


def _specs(arrays: Arrays, of_any_length: bool) -> dict[str, tf.TensorSpec]:
    """What `_cut` gives of any rows."""

    def of(array: np.ndarray) -> tf.TensorSpec:
        dtype = {"f": tf.float32, "O": tf.string, "U": tf.string, "S": tf.string}.get(array.dtype.kind, array.dtype)
        free = min(2 if of_any_length else 1, array.ndim)
        return tf.TensorSpec([*[None] * free, *array.shape[free:]], dtype)

    return {name: of(array) for name, array in arrays.items()}


def _as_mean(loss: Any) -> keras.losses.Loss:
    """As `keras.Model.compile` takes it: the mean over the batch of a function's values."""
    found = keras.losses.get(loss)
    return found if isinstance(found, keras.losses.Loss) else MeanOf(found)


class MeanOf(keras.losses.Loss):
    """A function of what is true and what is said, as a loss."""

    def __init__(self, function: Callable[[Tensor, Tensor], Tensor]) -> None:
        super().__init__()
        self.function = function

    def call(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        """Its values, [batch, ...]; a function that took the mean itself has one, [1], for Keras to divide."""
        values = self.function(y_true, y_pred)
        return values if values.shape.rank else values[None]
