"""The gRPC face: decode, call, encode. In TensorFlow Serving: model_servers/prediction_service_impl.cc,
model_servers/model_service_impl.cc, model_servers/grpc_status_util.cc."""

import time
from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from contextlib import suppress
from functools import partial, wraps
from typing import Any

import grpc
import numpy as np
from tensorflow_serving.apis import (
    classification_pb2,
    inference_pb2,
    model_management_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
    regression_pb2,
)

from serving import grpc_threads, tensor_proto
from serving.calls import Calls, ModelSpec, classify, predict, regress
from serving.calls.examples import serialized
from serving.calls.multi_inference import Task
from serving.calls.status import check_metadata_fields
from serving.errors import (
    CancelledError,
    Code,
    FailedPreconditionError,
    InternalError,
    InvalidArgumentError,
    ServingError,
)
from serving.grpc_messages import fill_classified, fill_model_spec, fill_regressed, model_spec, spec_of
from serving.harness import Harness
from serving.joined import LITTLE_BYTES, Joined
from serving.log import log_unexpected
from serving.observing import Observer
from serving.sequences import special_inputs
from serving.sequences.call import Call
from serving.sequences.contract import STEP
from serving.sequences.on_loop import Begun, OnLoop
from serving.sequences.special_inputs import SPECIAL, has_special
from serving.sequences.store import Answer
from serving.sequences.turns import Place
from serving.server_metrics import ServerMetrics

GRPC_STATUS = {code: getattr(grpc.StatusCode, code.name) for code in Code}
LONGEST_TEXT = 1024  # bytes of a status message
NO_STEP = FailedPreconditionError(f'Serving signature key "{STEP}" not found.')
DAY_MS = 86_400_000  # a deadline further off is none


Method = Callable[..., Any]  # (self, request, context)


def _answering(method: Method) -> Method:
    """Ends the RPC with the status of the ServingError that the method raises; observed from begin to end."""

    @wraps(method)
    def call(self: Any, request: Any, context: Any, **more: Any) -> Any:
        with self.observer.grpc(method.__name__, context) as seen:
            try:
                return method(self, request, context, **more)
            except Exception as error:
                failure = _failure(error)
            seen.failed(failure)
            return context.abort(GRPC_STATUS[failure.code], shortened(failure.message))

    return call


def _failure(error: Exception) -> ServingError:
    """What the caller is told of an error."""
    if isinstance(error, ServingError):
        return error
    log_unexpected(error)
    return InternalError(f"{type(error).__name__}: {error}")


def _counted(method: Method) -> Method:
    """Counts the calls of the method by model and status, and times those that succeed."""

    @wraps(method)
    def call(self: Any, request: Any, context: Any, **more: Any) -> Any:
        start = time.perf_counter()
        status = Code.INTERNAL
        try:
            response = method(self, request, context, **more)
            status = Code.OK
        except ServingError as error:
            status = error.code
            raise
        finally:
            seconds = time.perf_counter() - start
            self.metrics.answered(request.model_spec.name, status.name, method.__name__, "GRPC", seconds)
        return response

    return call


def shortened(text: str) -> str:
    """The text as gRPC gets it: at most 1024 bytes, UTF-8 also where it quotes a caller's bytes that are not."""
    content = text.encode("utf-8", "surrogateescape")
    if len(content) <= LONGEST_TEXT:
        return content.decode("utf-8", "replace")
    return content[:LONGEST_TEXT].decode("utf-8", "ignore") + "...TRUNCATED"


class PredictionService(prediction_service_pb2_grpc.PredictionServiceServicer):
    """tensorflow.serving.PredictionService."""

    def __init__(
        self,
        calls: Calls,
        metrics: ServerMetrics,
        executor: Executor,
        tensor_content: bool = False,
        observer: Observer | None = None,
    ) -> None:
        """executor: runs the Predict calls that are not joined with others; tensor_content: Predict puts numbers into
        that field, not into `*_val`."""
        self.metrics = metrics
        self.observer = observer or Observer()
        self._calls = calls
        self._executor = executor
        self._joined = Joined(calls)
        self._steps = OnLoop(calls.sequences)
        self._tensor_content = tensor_content
        self._predict = _answering(_counted(PredictionService._run_predict))

    async def Predict(self, request: Any, context: Any) -> Any:
        """Runs one signature: on the event loop what is joined with other calls and little, else on a thread."""
        if request.model_spec.signature_name == STEP and has_special(request.inputs):
            held, begun = None, self._begun(request, context)
            if begun is None:
                return await self._step_on_thread(request, context)
        else:
            held, begun = self._held(request), None
            if held is None:
                return await grpc_threads.answer(self._executor, partial(self._predict, self), request, context)
        start = time.perf_counter()
        status = Code.CANCELLED  # the caller has gone, unless it comes to an end
        with self.observer.grpc("Predict", context) as seen:
            failure: ServingError = CancelledError("the caller has gone")
            try:
                if begun is not None:
                    answer = await begun.answer(remaining_ms(context))
                    seen.spec, seen.version = spec_of(request.model_spec), answer.version
                    response = self._predicted(seen.spec, answer.version, answer.outputs)
                elif held is not None:
                    response = await self._predict_joined(held, request, context)
                status = Code.OK
                return response
            except Exception as error:
                failure = _failure(error)
                status = failure.code
            finally:
                if status is not Code.OK:
                    seen.failed(failure)
                seconds = time.perf_counter() - start
                self.metrics.answered(request.model_spec.name, status.name, "Predict", "GRPC", seconds)
        return await context.abort(GRPC_STATUS[failure.code], shortened(failure.message))

    def _held(self, request: Any) -> Harness | None:
        """The version, which stays loaded, of a call that the event loop may answer."""
        if request.ByteSize() > LITTLE_BYTES or not request.HasField("model_spec"):
            return None
        return self._joined.hold(spec_of(request.model_spec))

    def _begun(self, request: Any, context: Any) -> Begun | None:
        """The step of a sequence that the event loop may answer, begun."""
        if request.ByteSize() > LITTLE_BYTES:
            return None
        return self._steps.begin(self._call(spec_of(request.model_spec), request, context))

    async def _step_on_thread(self, request: Any, context: Any) -> Any:
        """Calls of one sequence run in the order in which they came, also where some run on the loop."""
        place = None
        with suppress(ServingError):  # the thread says what is wrong
            place = self._calls.sequences.arrive(request.model_spec.name, special_inputs.read(request.inputs).id)
        try:
            run = partial(self._predict, self, place=place)
            return await grpc_threads.answer(self._executor, run, request, context)
        finally:
            self._calls.sequences.withdraw(place)

    async def _predict_joined(self, held: Harness, request: Any, context: Any) -> Any:
        spec, version = spec_of(request.model_spec), held.version
        outputs = await self._joined.predict(
            held,
            spec,
            lambda _: request.inputs,
            remaining_ms(context),
            decode=tensor_proto.decode,
            output_filter=request.output_filter,
        )
        return self._predicted(spec, version, outputs)

    def _run_predict(self, request: Any, context: Any, place: Place | None = None) -> Any:
        """Predict on a thread; place: of a sequence's call."""
        spec = model_spec(request)
        if spec.signature_name == STEP and has_special(request.inputs):
            answer = self._step(spec, request, context, place)
            if answer is not None:
                return self._predicted(spec, answer.version, answer.outputs)
        with self._calls.model(spec) as servable:
            outputs = self._calls.predict(
                servable,
                spec.signature,
                request.inputs,
                decode=tensor_proto.decode,
                output_filter=request.output_filter,
                timeout_ms=remaining_ms(context),
            )
        return self._predicted(spec, servable.version, outputs)

    _run_predict.__name__ = "Predict"  # so it is logged and counted

    def _step(self, spec: ModelSpec, request: Any, context: Any, place: Place | None) -> Answer | None:
        """The answer of a sequence; None for an ordinary call whose inputs have the same names."""
        call = self._call(spec, request, context)
        call.gone, call.place = lambda: not context.is_active(), place
        return self._calls.sequences.step(call)

    def _call(self, spec: ModelSpec, request: Any, context: Any) -> Call:
        """The call of a sequence."""
        inputs = {alias: proto for alias, proto in request.inputs.items() if alias not in SPECIAL}
        return Call(
            spec,
            special=partial(special_inputs.read, request.inputs),
            special_aliases=[alias for alias in SPECIAL if alias in request.inputs],
            aliases=inputs,
            feeds=partial(predict.feeds, inputs=inputs, decode=tensor_proto.decode),
            no_signature=NO_STEP,
            output_filter=request.output_filter,
            deadline_micros=self._calls.sequences.deadline(remaining_ms(context)),
        )

    def _predicted(self, spec: ModelSpec, version: int, outputs: Mapping[str, np.ndarray]) -> Any:
        response = predict_pb2.PredictResponse()
        fill_model_spec(response.model_spec, spec, version)
        for alias, array in outputs.items():
            tensor_proto.fill(response.outputs[alias], array, self._tensor_content)
        return response

    @_answering
    @_counted
    def Classify(self, request: Any, context: Any) -> Any:
        """Labels and scores of Examples."""
        response = classification_pb2.ClassificationResponse()
        result = self._infer(request, response, classify.METHOD, context)
        fill_classified(response.result, result)
        return response

    @_answering
    @_counted
    def Regress(self, request: Any, context: Any) -> Any:
        """One number for each Example."""
        response = regression_pb2.RegressionResponse()
        result = self._infer(request, response, regress.METHOD, context)
        fill_regressed(response.result, result)
        return response

    def _infer(self, request: Any, response: Any, method: str, context: Any) -> Any:
        spec = model_spec(request)
        with self._calls.model(spec) as servable:
            examples = partial(serialized, request.input)
            result = self._calls.infer(servable, spec.signature, method, examples, remaining_ms(context))
        fill_model_spec(response.model_spec, spec, servable.version)
        return result

    @_answering
    def MultiInference(self, request: Any, context: Any) -> Any:
        """Several of both on one input, in one run."""
        tasks = [Task(spec_of(task.model_spec), task.method_name) for task in request.tasks]
        first = tasks[0].spec if tasks else ModelSpec("")
        with self._calls.model(first) as servable:
            examples = partial(serialized, request.input)
            results = self._calls.multi_inference(servable, tasks, examples, remaining_ms(context))
        response = inference_pb2.MultiInferenceResponse()
        for task, result in zip(tasks, results, strict=True):
            found = response.results.add()
            fill_model_spec(found.model_spec, task.spec, servable.version)
            if task.method == classify.METHOD:
                fill_classified(found.classification_result, result)
            else:
                fill_regressed(found.regression_result, result)
        return response

    @_answering
    def GetModelMetadata(self, request: Any, context: Any) -> Any:
        """The signatures of a version."""
        spec = model_spec(request)
        check_metadata_fields(request.metadata_field)
        return self._calls.metadata(spec)


class ModelService(model_service_pb2_grpc.ModelServiceServicer):
    """tensorflow.serving.ModelService."""

    def __init__(self, calls: Calls, observer: Observer | None = None) -> None:
        self.observer = observer or Observer()
        self._calls = calls

    @_answering
    def GetModelStatus(self, request: Any, context: Any) -> Any:
        """The states of the versions of a model."""
        return self._calls.status(model_spec(request))

    @_answering
    def HandleReloadConfigRequest(self, request: Any, context: Any) -> Any:
        """Puts another list of models in force."""
        if not request.config.HasField("model_config_list"):
            raise InvalidArgumentError(
                "ServerModelConfig type not supported by HandleReloadConfigRequest. Only ModelConfigList is currently "
                "supported"
            )
        increases = self._calls.reload(request.config, request.metric_names, lambda: not context.is_active())
        response = model_management_pb2.ReloadConfigResponse()
        response.status.SetInParent()
        for name, increase in increases.items():
            response.metric.add(name=name, int64_value_increase=increase)
        return response


def remaining_ms(context: Any) -> int | None:
    """Milliseconds until the call's deadline; None without one."""
    seconds = context.time_remaining()
    if seconds is None or seconds * 1000 > DAY_MS:
        return None
    return int(seconds * 1000)
