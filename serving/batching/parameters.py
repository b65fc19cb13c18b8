"""How to batch.

In TensorFlow Serving: servables/tensorflow/session_bundle_config.proto, batching/batching_session.cc."""

from dataclasses import dataclass
from typing import Any

from serving import text_proto
from serving.errors import InvalidArgumentError
from serving.options import CPUS
from serving.protos import BatchingParameters


@dataclass(frozen=True)
class Parameters:
    """The fields of BatchingParameters, with their defaults."""

    max_batch_size: int = 1000  # rows of one request, and of one batch unless large requests are split
    batch_timeout_micros: int = 0  # since the first task of the open batch
    max_enqueued_batches: int = 10  # in one queue, the open one included
    num_batch_threads: int = CPUS  # batches run at once, over all queues of the server
    allowed_batch_sizes: tuple[int, ...] = ()
    pad_variable_length_inputs: bool = False
    enable_large_batch_splitting: bool = False
    max_execution_batch_size: int | None = None  # rows of a run when large requests are split

    @property
    def rows_of_a_run(self) -> int:
        """The most rows of one batch."""
        if self.enable_large_batch_splitting and self.max_execution_batch_size is not None:
            return self.max_execution_batch_size
        return self.max_batch_size

    def check_threads(self) -> None:
        """Raises INVALID_ARGUMENT, which ends the server's start, without a thread."""
        if self.num_batch_threads < 1:
            raise InvalidArgumentError(f"num_batch_threads must be positive; was {self.num_batch_threads}")

    def check(self) -> None:
        """Raises INVALID_ARGUMENT, which fails the load of a version, for values that cannot be."""
        sizes = self.allowed_batch_sizes
        if sizes and sizes[-1] != self.max_batch_size:
            raise InvalidArgumentError(
                "Last entry in allowed_batch_sizes must match max_batch_size; last entry was "
                f"{sizes[-1]}; expected {self.max_batch_size}"
            )
        if list(sizes) != sorted(set(sizes)):
            raise InvalidArgumentError("allowed_batch_sizes entries must be monotonically increasing")
        if self.max_batch_size <= 0:
            raise InvalidArgumentError(f"input_batch_size_limit must be positive; was {self.max_batch_size}")
        if self.batch_timeout_micros < 0:
            raise InvalidArgumentError(f"batch_timeout_micros must be non-negative; was {self.batch_timeout_micros}")
        if self.enable_large_batch_splitting:
            self._check_splitting()

    def _check_splitting(self) -> None:
        if self.max_enqueued_batches <= 0:
            raise InvalidArgumentError(f"max_enqueued_batches must be positive; was {self.max_enqueued_batches}")
        if self.rows_of_a_run > self.max_batch_size:
            raise InvalidArgumentError(
                "When enable_large_batch_splitting is true, input_batch_size_limit must be greater than or equal to "
                f"max_execution_batch_size.1{self.max_batch_size}{self.rows_of_a_run}"
            )

    def padded_size(self, rows: int) -> int:
        """The next allowed size; rows themselves where there is none."""
        return next((size for size in self.allowed_batch_sizes if size >= rows), rows)


def from_proto(proto: Any) -> Parameters:
    """The Parameters of a BatchingParameters message."""
    given: dict[str, Any] = {
        name: getattr(proto, name).value
        for name in (
            "max_batch_size",
            "batch_timeout_micros",
            "max_enqueued_batches",
            "num_batch_threads",
            "enable_large_batch_splitting",
            "max_execution_batch_size",
        )
        if proto.HasField(name)
    }
    return Parameters(
        allowed_batch_sizes=tuple(proto.allowed_batch_sizes),
        pad_variable_length_inputs=proto.pad_variable_length_inputs,
        **given,
    )


def read(path: str) -> Parameters:
    """The Parameters in a text proto file; raises ServingError when it is absent or does not parse."""
    return from_proto(text_proto.read(path, BatchingParameters))
