"""Every export of the zoo whose weights are given or come along answers compiled, where it can be, as it answers
plainly, to rounding."""

from concurrent.futures import Future

import numpy as np
import pytest
import tensorflow as tf
from tensorflow_serving.apis import prediction_log_pb2

from models.zoo import ZOO, entry
from serving import servable
from serving.compiling import servable as compiled
from serving.compiling.servable import CALLS_BEFORE, CompiledServable
from training.export import packed
from training.export.command import export

WARMUP = "assets.extra/tf_serving_warmup_requests"
PLAIN = {  # no recurrence and no product of matrices, or a loop that goes on as long as its values say
    "char-lm": {"encode", "decode", "generate", "serving_default", "step"},
    "word-lm": {"encode", "decode"},
}


class Now:
    """An executor that does what it is given at once, so that a form is there when the call has ended."""

    def submit(self, function, *args):
        done = Future()
        done.set_result(function(*args))
        return done


def exported(name, folder):
    """The version's folder."""
    if entry(name).data is None:
        return export(name, folder)
    packed.unpack(packed.folder_of(name), folder / "1")
    return folder / "1"


def examples(folder):
    """Signature -> alias -> array: the requests that the export itself brings to be warmed up with."""
    found = {}
    for record in tf.data.TFRecordDataset(str(folder / WARMUP)).as_numpy_iterator():
        request = prediction_log_pb2.PredictionLog.FromString(record).predict_log.request
        found[request.model_spec.signature_name] = {a: tf.make_ndarray(t) for a, t in request.inputs.items()}
    return found


@pytest.mark.parametrize("name", [name for name in ZOO if entry(name).data is None or packed.come_along(name)])
def test_an_export_answers_compiled_as_it_answers_plainly(name, tmp_path, monkeypatch):
    monkeypatch.setattr(compiled, "WORTH_SECONDS", 0.0)  # also what is too small or no faster
    monkeypatch.setattr(compiled, "GAIN", float("inf"))
    monkeypatch.setattr(compiled, "RUNS", 1)  # then the times say nothing
    monkeypatch.setattr(compiled, "TRIAL_MS", None)  # a run with a limit would be prepared by itself, for seconds
    folder = exported(name, tmp_path)
    plain = servable.load(name, 1, str(folder))
    both = CompiledServable(plain, Now())
    requests = examples(folder)
    assert requests
    count = 0
    for signature_name, inputs in requests.items():
        signature = plain.signatures[signature_name]
        feeds = {signature.inputs[alias].tensor: value for alias, value in inputs.items()}
        fetches = [slot.tensor for slot in signature.outputs.values()]
        expected = plain.run(feeds, fetches)
        for _ in range(2 * CALLS_BEFORE + 1):  # until it is looked at, until its shapes are known, and compiled
            for one, other in zip(both.run(feeds, fetches), expected, strict=True):
                assert (one.shape, one.dtype) == (other.shape, other.dtype)
                if other.dtype.kind == "f":
                    largest = np.abs(other).max(initial=1.0, where=np.isfinite(other))
                    np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-4 * largest)
                else:
                    np.testing.assert_array_equal(one, other)
        is_compiled = len(both._forms) + sum(guarded.knows > 0 for guarded in both._guarded.values()) > count
        assert is_compiled is (signature_name not in PLAIN.get(name, ())), signature_name
        count += is_compiled
    both.close()
