"""Batches of sequences of like length, so that little of what is computed is padding.

The order is drawn anew for each epoch; within pools of it the examples are sorted by length, and the batches that are
cut from them are shuffled.
"""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import tensorflow as tf

Arrays = Mapping[str, np.ndarray]

POOL_BATCHES = 50  # enough to find neighbours of like length, few enough to mix them anew in each epoch


def batches_by_length(lengths: np.ndarray, batch_size: int, rng: np.random.Generator) -> list[np.ndarray]:
    """The indices of each batch; every example is in one of ceil(examples / batch_size).

    lengths [examples]: time steps of each example."""
    order = rng.permutation(len(lengths))
    pool = POOL_BATCHES * batch_size
    cut = [order[begin : begin + pool] for begin in range(0, len(order), pool)]
    ordered = np.concatenate([part[np.argsort(lengths[part], kind="stable")] for part in cut])
    batches = [ordered[begin : begin + batch_size] for begin in range(0, len(ordered), batch_size)]
    return [batches[position] for position in rng.permutation(len(batches))]


def cut_to_longest(arrays: Arrays, rows: np.ndarray, lengths: np.ndarray) -> dict[str, np.ndarray]:
    """These rows of each array; of one with a time dimension, its second, as many steps as the longest has."""
    longest = int(lengths[rows].max(initial=0))
    return {name: array[rows, :longest] if array.ndim > 1 else array[rows] for name, array in arrays.items()}


def as_dataset(inputs: Arrays, targets: Arrays, lengths: np.ndarray, batches: Sequence[np.ndarray]) -> tf.data.Dataset:
    """The batches as pairs of inputs and targets for `keras.Model.fit`, each padded to its own longest example."""

    def drawn() -> Iterator[tuple[dict[str, np.ndarray], dict[str, np.ndarray]]]:
        for rows in batches:
            yield cut_to_longest(inputs, rows, lengths), cut_to_longest(targets, rows, lengths)

    dataset = tf.data.Dataset.from_generator(drawn, output_signature=(_spec(inputs), _spec(targets)))
    return dataset.apply(tf.data.experimental.assert_cardinality(len(batches))).prefetch(2)


def _spec(arrays: Arrays) -> dict[str, tf.TensorSpec]:
    def of(array: np.ndarray) -> tf.TensorSpec:
        free = [None] * min(2, array.ndim)
        return tf.TensorSpec([*free, *array.shape[2:]], tf.string if array.dtype == object else array.dtype)

    return {name: of(array) for name, array in arrays.items()}
