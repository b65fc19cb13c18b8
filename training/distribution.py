"""Several devices or machines that train one network together, by `tf.distribute`.

Each replica holds all weights and takes a share of every batch. mirrored: a replica on each GPU of this machine, or on
each logical CPU where there is none. multi-worker: a process on each machine, told of the others by TF_CONFIG.

One worker, the chief, decides: its weights are those that all begin with, it validates, logs, exports and keeps the
checkpoints, and what it finds after an epoch is told to the others.
"""

import hashlib
import json
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
import tensorflow as tf

from training.checkpoint import Progress
from training.errors import InputError

Strategy = Literal["mirrored", "multi-worker"]
EXAMPLE = '{"cluster": {"worker": ["host1:9000", "host2:9000"]}, "task": {"type": "worker", "index": 0}}'
JOIN_SECONDS = 600  # how long workers that are there wait for one that is not
HEARTBEAT_SECONDS = 30  # without a sign of life a worker is lost
LOST = (  # what the collective operations of TensorFlow raise when another worker is not there
    tf.errors.UnavailableError,
    tf.errors.AbortedError,
    tf.errors.CancelledError,
    tf.errors.FailedPreconditionError,
    tf.errors.DeadlineExceededError,
)


class WorkerLostError(Exception):
    """Another worker does not answer any more; the chief's checkpoint of the last finished epoch stays."""


@dataclass(frozen=True)
class Cluster:
    """What TF_CONFIG says: the addresses of all workers, the chief's first, and which of them this one is."""

    addresses: tuple[str, ...]
    worker: int


@dataclass(frozen=True, eq=False)
class Team:
    """The replicas that train together, and the worker that this process is, 0 to workers - 1."""

    strategy: tf.distribute.Strategy
    worker: int = 0
    workers: int = 1

    @property
    def chief(self) -> bool:
        """Whether this worker decides."""
        return self.worker == 0

    @property
    def replicas(self) -> int:
        """How many there are, on all workers."""
        return int(self.strategy.num_replicas_in_sync)

    @contextmanager
    def noticing_loss(self) -> Iterator[None]:
        """Around whatever waits for other workers. Raises WorkerLostError when one is gone."""
        try:
            yield
        except LOST as error:
            if self.workers == 1:
                raise
            found = re.search(r"aborted by: ([^\n]*[^\n:])", str(error))
            why = found[1] if found else type(error).__name__
            raise WorkerLostError(f"worker {self.worker} of {self.workers} has lost another worker ({why})") from error

    def of_each_replica(self, value: Callable[[int], Any]) -> Any:
        """value(replica), arrays or tensors, for each of this worker's replicas, which `strategy.run` takes."""

        def of(replica: Any) -> Any:
            return tf.nest.map_structure(tf.convert_to_tensor, value(replica.replica_id_in_sync_group))

        return self.strategy.experimental_distribute_values_from_function(of)

    def dealt(self, values: Callable[[Sequence[int]], Iterator[Any]], specs: Any) -> Any:
        """An iterator that gives `strategy.run` a value of these specs for each of this worker's replicas at a time.

        values(replicas): for these in turn, and again. Texts, too, stay on the host: a GPU has none."""
        each = self.replicas // self.workers
        own = range(self.worker * each, (self.worker + 1) * each)

        def of_worker(where: Any) -> tf.data.Dataset:
            dataset = tf.data.Dataset.from_generator(lambda: values(own), output_signature=specs)
            return dataset.repeat().prefetch(2 * each)  # without an end, which workers would have to tell each other

        on_host = tf.distribute.InputOptions(experimental_fetch_to_device=False)
        return iter(self.strategy.distribute_datasets_from_function(of_worker, on_host))

    def check_same(self, told: Mapping[str, Any]) -> None:
        """Raises InputError, on every worker, when one was told something else than the chief."""
        digest = hashlib.sha256(json.dumps(told, sort_keys=True, default=str).encode()).digest()
        own = np.frombuffer(digest[:6], np.uint16)
        (chiefs,) = self.from_chief([own])
        others = int(self._sum(np.array([float((own != chiefs).any())]))[0])
        if others:
            raise InputError(
                f"{others} of {self.workers} workers were given other settings, data or options than worker 0 (this is "
                f"worker {self.worker}); start the same `seqzoo train` with the same files on each."
            )

    def from_chief(self, values: Sequence[np.ndarray]) -> list[np.ndarray]:
        """The chief's numbers; values: this worker's, of the same shapes and dtypes."""
        if self.workers == 1:
            return list(values)
        flat = [np.asarray(value, np.float64).ravel() for value in values]
        own = np.concatenate(flat)
        chiefs = self._sum(own if self.chief else np.zeros_like(own))  # a number and zeros: to the last digit
        parts = np.split(chiefs, np.cumsum([len(part) for part in flat])[:-1])
        return [part.reshape(v.shape).astype(v.dtype) for part, v in zip(parts, map(np.asarray, values), strict=True)]

    def follow_chief(self, progress: Progress, variables: Sequence[Any]) -> None:
        """Gives progress and variables the chief's values."""
        if self.workers == 1:
            return
        where = np.array([progress.epoch, progress.best_epoch, progress.best_value], np.float64)
        where, *values = self.from_chief([where, *(variable.numpy() for variable in variables)])
        progress.epoch, progress.best_epoch, progress.best_value = int(where[0]), int(where[1]), float(where[2])
        for variable, value in zip(variables, values, strict=True):
            variable.assign(value)

    def told(self, name: str, figures: Callable[[], Mapping[str, float]]) -> Mapping[str, float]:
        """The chief's figures; the other workers, who do not ask for them, get the one of that name."""
        found = figures() if self.chief else {name: 0.0}
        (figure,) = self.from_chief([np.array(found[name])])
        return {**found, name: float(figure)}

    def decided(self, is_so: bool) -> bool:
        """What the chief says."""
        return bool(self.from_chief([np.array(is_so)])[0])

    def wait_for_all(self) -> None:
        """Returns when every worker is here."""
        if self.workers > 1:
            self._sum(np.zeros(1))

    def _sum(self, value: np.ndarray) -> np.ndarray:
        """The sum over the workers."""
        each = self.replicas // self.workers

        def of(replica: int) -> np.ndarray:
            return value if replica % each == 0 else np.zeros_like(value)

        with self.noticing_loss():
            summed: np.ndarray = self._summed(self.of_each_replica(of)).numpy()
            return summed

    @cached_property
    def _summed(self) -> Any:
        """In a graph: outside of one TensorFlow takes threads that complain when a lost worker ends the process."""

        def summed(each: Any) -> Any:
            return self.strategy.reduce(tf.distribute.ReduceOp.SUM, each, axis=None)

        return tf.function(summed, autograph=False, reduce_retracing=True)


def join(strategy: Strategy) -> Team:
    """The team of that strategy; call it before TensorFlow computes anything.

    multi-worker waits until all workers are there, at most `JOIN_SECONDS`. Raises InputError for a TF_CONFIG that
    cannot be used."""
    if strategy == "mirrored":
        devices = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")
        return Team(tf.distribute.MirroredStrategy([device.name for device in devices]))
    cluster = read_cluster(os.environ.get("TF_CONFIG"))
    if len(cluster.addresses) > 1:
        _bound_waiting(json.loads(os.environ["TF_CONFIG"])["cluster"])
    try:
        together = tf.distribute.MultiWorkerMirroredStrategy()
    except (*LOST, tf.errors.InternalError, tf.errors.UnknownError) as error:
        first = str(error).strip().splitlines()[0]
        raise InputError(
            f"worker {cluster.worker} of {len(cluster.addresses)} ({cluster.addresses[cluster.worker]}) could not join "
            f"the others: {first}; its port must be free, and all workers of TF_CONFIG started within {JOIN_SECONDS} s."
        ) from error
    return Team(together, cluster.worker, len(cluster.addresses))


def read_cluster(text: str | None) -> Cluster:
    """What a TF_CONFIG says. Raises InputError when it says no such thing."""
    if not text:
        raise InputError(
            f"--strategy multi-worker got no TF_CONFIG; it expected something like {EXAMPLE}: set that variable for "
            "each worker, with an index of its own."
        )
    try:
        config = json.loads(text)
        jobs = {job: [*config["cluster"][job]] for job in ("chief", "worker") if job in config["cluster"]}
        job, index = config["task"]["type"], int(config["task"]["index"])
    except (ValueError, TypeError, KeyError) as error:
        raise _not_usable(text, f"{type(error).__name__}: {error}") from None
    addresses = tuple(str(address) for addresses in jobs.values() for address in addresses)
    for address in addresses:
        if not address.rpartition(":")[2].isdigit():
            raise _not_usable(text, f"{address!r} is no host:port")
    if others := sorted(set(config["cluster"]) - set(jobs)):
        raise _not_usable(text, f"its cluster has {', '.join(others)}, which do not train by this strategy")
    if len(jobs.get("chief", [])) > 1 or len(set(addresses)) < len(addresses):
        raise _not_usable(text, "each worker must have an address of its own, and one may be the chief")
    if not 0 <= index < len(jobs.get(job, [])):
        raise _not_usable(text, f"its cluster has no {job} with the index {index}")
    return Cluster(addresses, index + (len(jobs.get("chief", [])) if job == "worker" else 0))


def _not_usable(text: str, why: str) -> InputError:
    return InputError(f"TF_CONFIG={text} cannot be used ({why}); it expected something like {EXAMPLE}.")


def _bound_waiting(jobs: Mapping[str, Sequence[str]]) -> None:
    """What the strategy does by itself, but that it waits for an hour for a worker that never comes."""
    # not public, and so imported where alone it matters: nothing public bounds the time
    from tensorflow.compiler.xla.tsl.protobuf.coordination_config_pb2 import CoordinatedJob
    from tensorflow.python.eager import context

    leader = "chief" if "chief" in jobs else "worker"
    counted = [CoordinatedJob(name=job, num_tasks=len(jobs[job])) for job in ("chief", "worker") if job in jobs]
    context.context().configure_coordination_service(
        service_type="standalone",
        service_leader=f"/job:{leader}/replica:0/task:0",
        cluster_register_timeout_in_ms=JOIN_SECONDS * 1000,
        heartbeat_timeout_in_ms=HEARTBEAT_SECONDS * 1000,
        coordinated_jobs=counted,
    )
