"""The model server: puts the parts together, starts and ends them.

In TensorFlow Serving: model_servers/server.cc."""

import gc
import logging
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from types import TracebackType
from typing import Any

from serving import http_server, model_config, protos, text_proto
from serving.access import GrpcGuard, HttpGuard
from serving.auth_tokens import AuthTokens
from serving.calls import Calls
from serving.clock import Clock, SystemClock
from serving.core import ServerCore
from serving.credentials import credentials
from serving.errors import CancelledError, ServingError
from serving.grpc_api import ModelService, PredictionService
from serving.grpc_server import GrpcServer, channel_arguments
from serving.harness import Retries
from serving.http_credentials import http_credentials
from serving.http_limits import HttpLimits
from serving.labels import Labels
from serving.loading import VersionLoader
from serving.manager import Manager
from serving.model_config import ModelServerConfig
from serving.observing import Observer
from serving.options import CPUS, ServerOptions
from serving.rest_api import CORS, RestApi
from serving.rest_joined import JoinedPredict
from serving.sequences.opening import open_store
from serving.sequences.sequences import Sequences
from serving.sequences.settings import ModelSettings
from serving.server_metrics import ServerMetrics
from serving.sources.config_file import ConfigFileSource
from serving.sources.folders import FolderSource
from serving.states import StateMonitor
from serving.streams.grpc_service import TextService
from serving.streams.rest import StreamingApi
from serving.streams.streams import Streams
from serving.time_left import TimeLeft
from serving.version_policy import POLICIES

log = logging.getLogger("serving")
METRICS_PATH = "/monitoring/prometheus/metrics"
ANY_FREE = -1  # as port number: take one that is free
# Beyond the grace time: faces cut the running calls off themselves, threads end unless a run holds them.
FACE_SECONDS = 5.0
THREAD_SECONDS = 1.0


class ModelServer:
    """Serves SavedModels over gRPC and REST, as tensorflow_model_server does.

        with ModelServer.on_free_ports(model_name="weather", model_base_path="/models/weather") as server:
            GrpcClient(f"localhost:{server.grpc_port}")

    start() raises ServingError when the first models cannot be served or gRPC cannot bind."""

    def __init__(self, options: ServerOptions, clock: Clock | None = None) -> None:
        options.check()
        self.options = options
        self._tokens = AuthTokens(options.auth_tokens_file) if options.auth_tokens_file else None
        self._http_credentials = http_credentials(options.rest_ssl_config_file)
        self.grpc_port = 0  # 0: not listening
        self.rest_port = 0
        self.http_error: ServingError | None = None  # why HTTP stayed off though gRPC runs
        self.metrics = ServerMetrics()
        self._observer = Observer(options.slow_request_seconds)
        clock = clock or SystemClock()
        self._loader = VersionLoader(options, self.metrics, clock)
        self.manager = Manager(
            self._loader,
            StateMonitor(),
            policy=POLICIES[options.aspired_version_policy],
            retries=Retries(options.max_num_load_retries, options.load_retry_interval_micros),
            num_load_threads=4 * CPUS,
            num_unload_threads=options.num_unload_threads,
            clock=clock,
            after_unload=gc.collect,  # a graph is full of reference cycles: 0.8 MB of each small model would stay
        )
        self._source = FolderSource(self.manager.aspire, options.file_system_poll_wait_seconds, clock)
        labels = Labels(self.manager.available, options.allow_version_labels_for_unavailable_models)
        self._core = ServerCore(self.manager, self._source, labels)
        settings = ModelSettings(options)
        store = open_store(options.sequence_store, clock, settings.__getitem__)
        self.sequences = Sequences(self.manager, labels, store, settings, self.metrics, clock)
        self.manager.holds = self.sequences.versions.holds
        self._source.needed = self.sequences.versions.needed
        self.calls = Calls(self._core, self.metrics, self.sequences, options.enable_signature_method_name_check)
        self._streams = Streams(self.sequences) if options.enable_generate_stream else None
        self._config_source: ConfigFileSource | None = None
        if options.model_config_file:
            self._config_source = ConfigFileSource(
                options.model_config_file, self._core.reload, options.model_config_file_poll_wait_seconds, clock
            )
        self._grpc: GrpcServer | None = None
        self._grpc_threads: ThreadPoolExecutor | None = None
        self._http: http_server.HttpServer | None = None
        self._http_threads: ThreadPoolExecutor | None = None
        self._opening = threading.Lock()
        self._stopping = False

    @classmethod
    def on_free_ports(cls, **flags: Any) -> "ModelServer":
        """A server on ports that are free, on both faces; flags: fields of ServerOptions."""
        return cls(replace(ServerOptions(**flags), port=ANY_FREE, rest_api_port=ANY_FREE))

    def __enter__(self) -> "ModelServer":
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, value: object, traceback: TracebackType | None) -> None:
        self.stop()

    def start(self) -> None:
        """Loads the first models, waits for them, then opens gRPC and HTTP."""
        try:
            self._load_first_models()
            with self._opening:
                if self._stopping:
                    raise CancelledError("The server is shutting down.")
                self._observer.start()
                self._open_grpc()
                self._open_http()
                if self._config_source is not None:
                    self._config_source.start()
        except BaseException:
            self.stop()
            raise

    def _load_first_models(self) -> None:
        options = self.options
        if options.model_config_file:
            config = text_proto.read(options.model_config_file, ModelServerConfig)
        else:
            config = model_config.single(options.model_name, options.model_base_path)
        self.sequences.start()
        self._loader.start()
        self.manager.start()
        self._core.start(config)
        self.manager.load_with_threads(options.num_load_threads)

    def _open_grpc(self) -> None:
        options = self.options
        self._grpc_threads = ThreadPoolExecutor(max(options.grpc_max_threads, 1), thread_name_prefix="grpc")
        tensor_content = options.enable_serialization_as_tensor_content
        self._grpc = GrpcServer(
            PredictionService(self.calls, self.metrics, self._grpc_threads, tensor_content, self._observer),
            ModelService(self.calls, self._observer),
            executor=self._grpc_threads,
            arguments=channel_arguments(options.grpc_channel_arguments),
            credentials=credentials(options),
            with_health=options.enable_grpc_healthcheck_service,
            guard=None if self._tokens is None else GrpcGuard(self._tokens, self.metrics, self._observer),
            max_concurrent_calls=options.max_concurrent_requests,
            max_receive_bytes=options.grpc_max_receive_message_bytes,
            others=[] if self._streams is None else [TextService(self._streams, self.metrics, self._observer)],
            receive_timeout_seconds=options.grpc_receive_timeout_seconds,
        )
        host = f"[{options.host}]" if ":" in options.host else options.host or "0.0.0.0"
        if options.port:
            self.grpc_port = self._grpc.bind(f"{host}:{max(options.port, 0)}")
        if options.grpc_socket_path:
            self._grpc.bind_socket(options.grpc_socket_path)
        self._grpc.start()
        if self.grpc_port:
            log.info("Running gRPC ModelServer at %s:%d ...", host, self.grpc_port)
        if options.grpc_socket_path:
            log.info("Running gRPC ModelServer at UNIX socket %s ...", options.grpc_socket_path)

    def _open_http(self) -> None:
        """HTTP that cannot be opened is only logged: gRPC goes on."""
        options = self.options
        if not options.rest_api_port:
            return
        if options.rest_api_port == options.port and options.port != ANY_FREE:
            log.error(
                "--rest_api_port cannot be same as --port. Please use a different port for HTTP/REST API. "
                "Skipped exporting HTTP/REST API."
            )
            return
        try:
            metrics_path = monitoring_path(options.monitoring_config_file)
        except ServingError as error:
            self.http_error = error
            log.error("HTTP/REST API stays off: %s", error.message)
            return
        try:
            sock = http_server.bind(max(options.rest_api_port, 0), options.host)
        except OSError as error:
            log.error("Failed to start HTTP Server at localhost:%d (%s)", options.rest_api_port, error)
            return
        self._http_threads = ThreadPoolExecutor(max(options.rest_api_num_threads, 1), thread_name_prefix="rest")
        api = RestApi(
            self.calls,
            self._http_threads,
            self.metrics,
            timeout_in_ms=options.rest_api_timeout_in_ms,
            cors=options.rest_api_enable_cors_support,
            metrics_path=metrics_path,
            max_concurrent_calls=options.max_concurrent_requests,
            observer=self._observer,
            with_tokens=self._tokens is not None,
            with_streams=self._streams is not None,
        )
        application: Any = api
        if self._streams is not None:
            application = StreamingApi(
                api,
                self._streams,
                self._http_threads,
                self.metrics,
                self._observer,
                timeout_in_ms=options.rest_api_timeout_in_ms,
                cors=CORS if options.rest_api_enable_cors_support else (),
            )
        if self._tokens is not None:
            cors = options.rest_api_enable_cors_support
            application = HttpGuard(application, self._tokens, self.metrics, self._observer, cors)
        self._http = http_server.HttpServer(
            application,
            sock,
            options.shutdown_grace_seconds,
            limits=HttpLimits.of(options),
            context=self._http_credentials,
            joined=JoinedPredict(
                api,
                self.calls,
                self._http_threads,
                self.metrics,
                self._observer,
                timeout_in_ms=options.rest_api_timeout_in_ms,
                cors=options.rest_api_enable_cors_support,
                tokens=self._tokens,
            ),
        )
        self._http.start()
        self.rest_port = self._http.port
        log.info("Exporting HTTP/REST API at:%s:%d ...", options.host or "localhost", self.rest_port)

    def stop(self) -> None:
        """Takes no new calls, lets running ones end, for shutdown_grace_seconds at most, unloads the models. What still
        runs then is left to itself.

        A second call does nothing."""
        self._core.stop()
        with self._opening:
            if self._stopping:
                return
            self._stopping = True
        left = TimeLeft(self.options.shutdown_grace_seconds)
        if self._config_source is not None:
            self._config_source.stop(left.seconds(THREAD_SECONDS))
        if self._streams is not None:
            self._streams.end_soon()
        ended = self._grpc.stop(left.seconds() or 0.0) if self._grpc is not None else None
        if self._http is not None:
            self._http.stop(left.seconds(FACE_SECONDS))
        if ended is not None:
            ended.wait(left.seconds(FACE_SECONDS))
        if self._streams is not None:
            self._streams.stop(left.seconds(THREAD_SECONDS))
        for threads in (self._grpc_threads, self._http_threads):
            if threads is not None:
                threads.shutdown(wait=False)
        self._observer.stop()
        self._source.stop(left.seconds(THREAD_SECONDS))
        self.manager.stop(left.seconds(THREAD_SECONDS))
        self._loader.stop(left.seconds(THREAD_SECONDS))
        self.sequences.stop()


def monitoring_path(file: str) -> str:
    """Where the MonitoringConfig in the file wants the metrics; empty for nowhere."""
    if not file:
        return ""
    config = text_proto.read(file, protos.MonitoringConfig).prometheus_config
    return (config.path or METRICS_PATH) if config.enable else ""
