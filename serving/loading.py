"""Makes a version ready: loads it, batches it, warms it up.

In TensorFlow Serving: servables/tensorflow/saved_model_bundle_factory.cc,
servables/tensorflow/bundle_factory_util.cc."""

from concurrent.futures import ThreadPoolExecutor

from serving import servable
from serving.batching.batched import BatchedServable, parameters_for
from serving.batching.ragged_servable import RaggedServable, has_lengths
from serving.batching.scheduler import Scheduler
from serving.calls.inference import Inference
from serving.clock import Clock
from serving.compiled import CompiledServable
from serving.options import CPUS, ServerOptions
from serving.platform_config import load_settings
from serving.sequences.contract import contract_of
from serving.servable import Servable
from serving.server_metrics import ServerMetrics
from serving.warmup import Warmup


class VersionLoader:
    """The manager's loader, as the options want it; owns the batching threads."""

    def __init__(self, options: ServerOptions, metrics: ServerMetrics, clock: Clock) -> None:
        """Raises ServingError for a file of parameters that cannot be read."""
        self._settings = load_settings(options)
        self._metrics = metrics
        self._clock = clock
        self._per_model = options.enable_per_model_batching_parameters
        self._batching = self._settings.batching
        self._ragged = options.enable_ragged_batching and self._batching is None
        self._runners = ThreadPoolExecutor(4 * CPUS, thread_name_prefix="batch")  # of ragged batches; made when needed
        self._scheduler: Scheduler | None = None
        if self._batching is not None:
            self._scheduler = Scheduler(self._batching.num_batch_threads, clock)
        self._compiler: ThreadPoolExecutor | None = None
        if options.compile_signatures:
            self._compiler = ThreadPoolExecutor(1, thread_name_prefix="compile")
        self._warmup: Warmup | None = None
        if self._settings.warmup:
            inference = Inference(metrics, options.enable_signature_method_name_check)
            self._warmup = Warmup(inference, metrics, self._settings.warmup_iterations)

    def start(self) -> None:
        """Starts the batching threads, if there are any."""
        if self._scheduler is not None:
            self._scheduler.start()

    def stop(self, seconds: float | None = None) -> None:
        """Ends them; all versions are unloaded by then, but those whose calls did not end. seconds: the longest wait
        for runs, None for no limit."""
        if self._scheduler is not None:
            self._scheduler.stop(seconds)
        self._runners.shutdown(wait=False)
        if self._compiler is not None:
            self._compiler.shutdown(wait=False, cancel_futures=True)

    def __call__(self, name: str, version: int, folder: str) -> Servable:
        """The version, ready for calls; raises ServingError and leaves nothing open when it cannot be."""
        loaded, is_saved_model = self._loaded(name, version, folder)
        try:
            if self._compiler is not None and is_saved_model:
                loaded = CompiledServable(loaded, self._compiler)
            loaded = self._batched(loaded, folder)
            if self._warmup is not None:
                self._warmup.run(loaded, folder)
        except BaseException:
            loaded.close()
            raise
        contract_of(loaded)  # whether it holds sequences: if not, the log says why
        return loaded

    def _loaded(self, name: str, version: int, folder: str) -> tuple[Servable, bool]:
        """The version, and whether it is a SavedModel."""
        settings = self._settings
        if settings.prefer_tflite:
            from serving import tflite  # the schema of its files is long to import

            lite = tflite.load(name, version, folder, settings.interpreters)
            if lite is not None:
                return lite, False
        return servable.load(name, version, folder, tags=settings.tags, config=settings.session_config), True

    def _batched(self, loaded: Servable, folder: str) -> Servable:
        if self._ragged:
            return RaggedServable(loaded, self._clock, self._runners) if has_lengths(loaded) else loaded
        if self._batching is None or self._scheduler is None:
            return loaded
        parameters = parameters_for(folder, self._batching, self._per_model)
        if parameters is None:
            return loaded
        return BatchedServable(loaded, parameters, self._scheduler, self._metrics, self._clock)
