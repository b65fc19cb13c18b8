"""One loaded SavedModel: its graph in a session, run by tensor names.

Inputs are fed and outputs fetched through callables made from CallableOptions, so the shapes that a signature declares
are not checked: a call succeeds when the graph takes the data. Exports of TensorFlow 1 and 2 behave alike, and all
calls of a version share one session.

In TensorFlow Serving: servables/tensorflow/saved_model_bundle_factory.cc."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf
from tensorflow.core.protobuf import config_pb2

from serving import extra_ops, saved_model, signature
from serving.compiling import add_compiled
from serving.dtypes import BYTES, name_of, of_array
from serving.errors import DeadlineExceededError, InvalidArgumentError, ServingError, from_tensorflow, quoting_bytes
from serving.signature import Signature

if TYPE_CHECKING:
    from serving.batching.parameters import Parameters

MOST_CALLABLES = 256  # a caller's output filters could ask for any number of them
IN_CALLER = -1  # RunOptions: run on the caller's thread
Wake = Callable[[], None]  # called on any thread, once
Take = Callable[[], list[np.ndarray]]  # gives the outputs of a run that has ended, or raises its error


class Servable:
    """One version of a model, ready to run."""

    begins = False  # whether it has begin()

    def __init__(
        self, name: str, version: int, signatures: Mapping[str, Any], session: Any, in_caller: bool = True
    ) -> None:
        """signatures: name -> SignatureDef, as in the file; session: a tf.compat.v1.Session with the graph in it;
        in_caller: a run without a time limit stays on the caller's thread, which spares two changes of thread."""
        self.name = name
        self.version = version
        self.signature_defs = signatures
        self.signatures: dict[str, Signature] = {n: signature.from_proto(n, s) for n, s in sorted(signatures.items())}
        self._session = session
        self._in_caller = in_caller
        self._callables: OrderedDict[tuple[Any, ...], Callable[..., list[Any]]] = OrderedDict()
        self._dtypes: dict[str, int] = {}
        self._lock = threading.Lock()

    @property
    def unbatched(self) -> "Servable":
        """What runs a batch that the caller has joined itself."""
        return self

    @property
    def batching(self) -> "Parameters | None":
        """How calls are joined; None without --enable_batching."""
        return None

    def run(
        self, feeds: Mapping[str, np.ndarray], fetches: Sequence[str], timeout_ms: int | None = None
    ) -> list[np.ndarray]:
        """The fetched tensors, in order; feeds: tensor name -> array.

        Raises INVALID_ARGUMENT for a dtype that the graph does not take, DEADLINE_EXCEEDED when timeout_ms have passed,
        and whatever the graph's kernels raise."""
        if timeout_ms is not None and timeout_ms <= 0:
            raise DeadlineExceededError("Timed out waiting for notification")
        self.check_dtypes(feeds)
        call = self._callable(tuple(feeds), tuple(fetches), timeout_ms)
        try:
            return [_array(value) for value in call(*feeds.values())]
        except tf.errors.OpError as error:
            raise from_tensorflow(error) from None
        except UnicodeDecodeError as error:
            raise quoting_bytes(error) from None

    def begin(
        self, feeds: Mapping[str, np.ndarray], fetches: Sequence[str], timeout_ms: int | None, wake: Wake
    ) -> Take:
        """A run that no thread waits for: returns at once, and calls `wake` when what it returned can be called.

        Only where others' calls are waited for too, that is, where calls are joined."""
        raise NotImplementedError

    def check_dtypes(self, feeds: Mapping[str, np.ndarray]) -> None:
        """Raises INVALID_ARGUMENT for an array whose dtype is not that of the tensor."""
        for index, (tensor, array) in enumerate(feeds.items()):
            self._check_dtype(index, tensor, array)

    def _check_dtype(self, index: int, tensor: str, array: np.ndarray) -> None:
        expected = self._dtypes.get(tensor)
        if expected is None:
            expected = self._dtypes[tensor] = _tensor(self._session.graph, tensor).dtype.base_dtype.as_datatype_enum
        given = of_array(array).number
        if given != expected:
            raise InvalidArgumentError(
                f"Expects arg[{index}] to be {name_of(expected)} but {name_of(given)} is provided"
            )

    def _callable(
        self, feeds: tuple[str, ...], fetches: tuple[str, ...], timeout_ms: int | None
    ) -> Callable[..., list[Any]]:
        """A run with a time limit needs a thread beside the caller's, which watches the clock; one without does not.

        The limit is part of the callable, so it is rounded up to a power of two: it frees the processor, the face that
        took the call keeps the caller's time to the millisecond."""
        limit = 0 if timeout_ms is None else 1 << (timeout_ms - 1).bit_length()
        key = (feeds, fetches, limit)
        with self._lock:
            found = self._callables.get(key)
            if found is not None:
                self._callables.move_to_end(key)
                return found
        options = config_pb2.CallableOptions(feed=feeds, fetch=fetches)
        if limit:
            options.run_options.timeout_in_ms = limit
        elif self._in_caller:
            options.run_options.inter_op_thread_pool = IN_CALLER
        try:
            made = self._session._make_callable_from_options(options)
        except tf.errors.OpError as error:
            raise from_tensorflow(error) from None
        with self._lock:
            self._callables[key] = made
            while len(self._callables) > MOST_CALLABLES:
                self._callables.popitem(last=False)
        return made

    def compiled(self, feeds: Sequence[str], fetches: Sequence[str]) -> list[str]:
        """The tensors to fetch in the place of these, so that a run is compiled for the shapes of what is fed."""
        return add_compiled(self._session.graph, feeds, fetches)

    def graph_def(self) -> Any:
        """The graph, with its functions, as a GraphDef."""
        return self._session.graph.as_graph_def()

    def close(self) -> None:
        """Frees the session; no call runs any more."""
        self._callables.clear()
        self._session.close()


def _tensor(graph: Any, name: str) -> Any:
    try:
        return graph.get_tensor_by_name(name)
    except (KeyError, ValueError) as error:
        raise InvalidArgumentError(
            f"Tensor {name}, specified in either feed_devices or fetch_devices was not found in the Graph"
        ) from error


def _array(value: Any) -> np.ndarray:
    """A session gives rank 0 as numpy scalar or bytes."""
    if isinstance(value, np.ndarray):
        return value
    if isinstance(value, bytes):
        scalar = np.empty((), BYTES)
        scalar[()] = value
        return scalar
    return np.asarray(value)


def load(name: str, version: int, folder: str, *, tags: Collection[str] = ("serve",), config: Any = None) -> Servable:
    """Loads the MetaGraph with these tags into a session of its own (config: a ConfigProto).

    Raises ServingError with the texts of TensorFlow Serving."""
    saved_model.check_folder(name, version, folder)
    meta_graph = saved_model.read_meta_graph(folder, tags)
    session = extra_ops.with_packages(partial(_opened, folder, tags, config))
    in_caller = config is None or not config.inter_op_parallelism_threads
    return Servable(name, version, dict(meta_graph.signature_def), session, in_caller)


def _opened(folder: str, tags: Collection[str], config: Any) -> Any:
    """A session with the graph, and the values of its variables."""
    graph = tf.Graph()
    session = tf.compat.v1.Session(graph=graph, config=config)
    try:
        with graph.as_default():
            tf.compat.v1.saved_model.loader.load(session, list(tags), folder)
    except tf.errors.OpError as error:
        session.close()
        raise from_tensorflow(error) from error
    except Exception as error:
        session.close()
        raise ServingError(str(error)) from error
    return session
