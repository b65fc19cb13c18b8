"""The metrics that TensorFlow Serving exports. In TensorFlow Serving: servables/tensorflow/util.cc."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from serving.metrics import Counter, Histogram, Registry

PREFIX = "/tensorflow/serving/"
LATENCIES = [10 * 1.8**i for i in range(33)]  # microseconds
QUEUING = [100 * 1.2**i for i in range(52)]  # microseconds
EXAMPLES = [2.0**i for i in range(15)]
BATCHES = [2.0**i for i in range(14)]


class ServerMetrics(Registry):
    """What one server counts and times."""

    def __init__(self) -> None:
        self.request_count = Counter(f"{PREFIX}request_count", ["model_name", "status"])
        self.request_latency = Histogram(f"{PREFIX}request_latency", ["model_name", "API", "entrypoint"], LATENCIES)
        self.runtime_latency = Histogram(f"{PREFIX}runtime_latency", ["model_name", "API", "runtime"], LATENCIES)
        self.example_counts = Histogram(f"{PREFIX}request_example_counts", ["model"], EXAMPLES)
        self.example_count_total = Counter(f"{PREFIX}request_example_count_total", ["model"])
        self.request_log_count = Counter(f"{PREFIX}request_log_count", ["model_name", "status_code"])
        self.warmup_latency = Histogram(f"{PREFIX}model_warmup_latency", ["model_path", "status"], LATENCIES)
        self.warmup_records_read = Counter(f"{PREFIX}model_warmup_records_read", ["model_path", "status"])
        batching = f"{PREFIX}batching_session/"
        self.queuing_latency = Histogram(f"{batching}queuing_latency", ["thread_pool_name"], QUEUING)
        self.wrapped_run_count = Counter(f"{batching}wrapped_run_count")
        self.padding_size = Histogram(f"{batching}padding_size", ["execution_batch_size"], BATCHES, shown_empty=False)
        self.input_batch_size = Histogram(f"{batching}input_batch_size", [], BATCHES, shown_empty=False)
        self.processed_batch_size = Histogram(f"{batching}processed_batch_size", [], BATCHES, shown_empty=False)
        super().__init__([metric for metric in vars(self).values() if isinstance(metric, (Counter, Histogram))])

    @contextmanager
    def runtime(self, model: str, api: str) -> Iterator[None]:
        """Times a run of the graph that succeeds; api: Predict, Classify, Regress or MultiInference."""
        start = time.perf_counter()
        yield
        self.ran(model, api, time.perf_counter() - start)

    def ran(self, model: str, api: str, seconds: float) -> None:
        """Notes a run that has succeeded."""
        self.runtime_latency.observe(seconds * 1e6, model, api, "TF1")

    def count_examples(self, model: str, number: int) -> None:
        """Counts the examples of a MultiInference."""
        self.example_counts.observe(number, model)
        self.example_count_total.add(model, number=number)

    def answered(self, model: str, status: str, api: str, entrypoint: str, seconds: float) -> None:
        """Counts a call with its status, and times it where it succeeded; entrypoint: GRPC or REST."""
        self.request_count.add(model, status)
        if status == "OK":
            self.request_latency.observe(seconds * 1e6, model, api, entrypoint)
