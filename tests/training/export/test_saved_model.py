"""What every exported SavedModel holds to, by the table of the zoo."""

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2
from tensorflow_serving.apis import prediction_log_pb2

from models.zoo import ZOO, entry
from models.zoo.weather import COLUMNS
from tests.training import small
from tests.training.untrained import Untrained, untrained
from training.export import packed
from training.export.command import export
from training.export.contract import signature_tensors
from training.export.saved_model import write
from training.pipeline import in_memory
from training.tasks import weather as weather_task
from training.tasks.table import TASKS
from training.tasks.task import CountsEachExample

ALONE = """
import sys
sys.modules.update(dict.fromkeys(["keras", "mlflow", "models", "training", "seqzoo"]))
import numpy as np, tensorflow as tf
folder, inputs, outputs, signature = sys.argv[1:]
call = tf.saved_model.load(folder).signatures[signature]
given = np.load(inputs)
answer = call(**{name: tf.constant(given[name]) for name in given.files})
np.savez(outputs, **{name: value.numpy() for name, value in answer.items()})
"""


@pytest.fixture(scope="module")
def weather(tmp_path_factory):
    """A weather network with distinct random weights: (signatures in memory, exported folder, requests)."""
    task = weather_task.prepare(weather_task.RUN)
    model = task.build()
    rng = np.random.default_rng(11)
    for layer in (model.memory, model.readout, model.skip):
        layer.set_weights([rng.normal(scale=0.4, size=w.shape) for w in layer.get_weights()])
    signatures = entry("weather").signatures(model)
    folder = tmp_path_factory.mktemp("weather") / "1"
    write(folder, model, signatures, task.examples(), "# weather\n", {"run_id": "none"})
    return signatures, folder, requests(task)


def requests(task):
    """A ragged batch of three, for both signatures."""
    windows = {name: task._windows(task.split.test[:3])[name] for name in COLUMNS}
    batch = {**windows, "lengths": np.array([28, 5, 1], np.int32)}
    state = {f"state_{part}": np.random.default_rng(2).normal(size=(3, 16)).astype("float32") for part in "hc"}
    return {"serving_default": batch, "step": {**batch, **state}}


@pytest.mark.parametrize("signature", ["serving_default", "step"])
def test_it_answers_as_the_model_in_memory_where_keras_and_ours_are_absent(weather, signature, tmp_path):
    signatures, folder, given = weather
    np.savez(tmp_path / "inputs.npz", **given[signature])
    arguments = [folder, tmp_path / "inputs.npz", tmp_path / "outputs.npz", signature]
    subprocess.run([sys.executable, "-c", ALONE, *map(str, arguments)], check=True, timeout=small.SECONDS)
    answered = np.load(tmp_path / "outputs.npz")
    expected = in_memory(signatures[signature])(given[signature])
    assert set(answered.files) == set(expected)
    for name, value in expected.items():
        np.testing.assert_allclose(answered[name], value, rtol=1e-5, atol=1e-5)


def test_a_session_runs_it_as_tensorflow_serving_does(weather):
    signatures, folder, given = weather
    expected = {name: in_memory(signatures[name])(batch) for name, batch in given.items()}
    graph = tf.Graph()
    with tf.compat.v1.Session(graph=graph) as session:
        meta = tf.compat.v1.saved_model.loader.load(session, ["serve"], str(folder))
        for name, batch in given.items():
            signature = meta.signature_def[name]
            feed = {signature.inputs[alias].name: value for alias, value in batch.items()}
            answered = session.run({alias: t.name for alias, t in signature.outputs.items()}, feed)
            for alias, value in expected[name].items():
                np.testing.assert_allclose(answered[alias], value, rtol=1e-5, atol=1e-5)


def test_states_go_in_and_out_under_one_alias_with_one_shape(weather):
    _, folder, _ = weather
    step = tf.saved_model.load(str(folder)).signatures["step"]
    inputs, outputs = step.structured_input_signature[1], step.structured_outputs
    states = {name for name in inputs if name.startswith("state_")}
    assert states == {name for name in outputs if name.startswith("state_")} == {"state_h", "state_c"}
    for name in states:
        assert inputs[name].dtype == outputs[name].dtype == tf.float32
        assert inputs[name].shape.as_list() == outputs[name].shape.as_list() == [None, 16]


@dataclass(frozen=True)
class Exported:
    """A version's folder, loaded once; of a trained entry also its task and network, which are before training."""

    name: str
    folder: Path
    loaded: Any
    made: Untrained | None


TRAINED = [name for name in TASKS if name != "weather"]
ENTRIES = [*TRAINED, *(name for name in ZOO if name not in TRAINED)]


@pytest.fixture(scope="module")
def exported(request, weather, tmp_path_factory):
    """An entry of the zoo: one at a time, to build and export one takes seconds and much memory."""
    name, made = request.param, None
    if name == "weather":
        folder = weather[1]
    elif name in TASKS:
        made = untrained(name, tmp_path_factory.mktemp(name))
        folder = made.folder
    else:
        folder = export(name, tmp_path_factory.mktemp("zoo"))
    return Exported(name, folder, tf.saved_model.load(str(folder)), made)


of_every_entry = pytest.mark.parametrize("exported", ENTRIES, indirect=True, scope="module")
of_trained_entries = pytest.mark.parametrize("exported", TRAINED, indirect=True, scope="module")


@of_trained_entries
def test_every_trained_entry_answers_its_own_examples_as_in_memory(exported):
    made = exported.made
    assert set(exported.loaded.signatures) == set(made.signatures) == set(made.task.examples())
    for signature, inputs in made.task.examples().items():
        expected = in_memory(made.signatures[signature])(inputs)
        answered = answer(exported.loaded.signatures[signature], inputs)
        assert set(answered) == set(expected)
        for alias, value in expected.items():
            if value.dtype == object:
                np.testing.assert_array_equal(answered[alias], value)
            else:
                np.testing.assert_allclose(answered[alias], value, rtol=1e-5, atol=1e-5)


def answer(call, inputs):
    """Of a loaded signature, as arrays to arrays."""
    given = {name: tf.constant(inputs[name], spec.dtype) for name, spec in call.structured_input_signature[1].items()}
    return {name: value.numpy() for name, value in call(**given).items()}


@of_trained_entries
def test_packed_and_unpacked_in_full_precision_graph_and_variables_are_the_same(exported, tmp_path):
    made = exported.made
    packed.pack(made.folder, tmp_path / "packed", half=False)
    packed.unpack(tmp_path / "packed", tmp_path / "1")
    assert (tmp_path / "1/saved_model.pb").read_bytes() == (made.folder / "saved_model.pb").read_bytes()
    before, after = (tf.train.load_checkpoint(str(f / "variables/variables")) for f in (made.folder, tmp_path / "1"))
    assert before.get_variable_to_dtype_map() == after.get_variable_to_dtype_map()
    for name in before.get_variable_to_shape_map():
        np.testing.assert_array_equal(after.get_tensor(name), before.get_tensor(name))


@of_trained_entries
def test_figures_counted_by_example_are_those_of_the_whole(exported):
    made = exported.made
    if not isinstance(made.task, CountsEachExample):
        pytest.skip("the task has no intervals")
    predict = in_memory(made.signatures[entry(made.task.run.model).evaluated])
    for part in ("validation", "test"):
        outcomes, expected = made.task.outcomes(predict, part), made.task.evaluate(predict, part)
        assert {name: outcome.figure() for name, outcome in outcomes.items()} == pytest.approx(expected)


def nodes(folder):
    saved = saved_model_pb2.SavedModel.FromString((folder / "saved_model.pb").read_bytes())
    graph = saved.meta_graphs[0].graph_def
    yield from graph.node
    for function in graph.library.function:
        yield from function.node_def


@of_every_entry
def test_nothing_in_it_is_compiled_or_calls_python_or_goes_back(exported):
    for node in nodes(exported.folder):
        assert node.op not in ("PyFunc", "EagerPyFunc", "PyFuncStateless")
        assert not node.attr["_XlaMustCompile"].b
    saved = saved_model_pb2.SavedModel.FromString((exported.folder / "saved_model.pb").read_bytes())
    library = saved.meta_graphs[0].graph_def.library
    assert not library.registered_gradients
    for function in library.function:
        assert not function.attr["_XlaMustCompile"].b


@of_every_entry
def test_batch_and_time_are_free_in_every_signature(exported):
    for call in exported.loaded.signatures.values():
        for name, spec in call.structured_input_signature[1].items():
            timeless = name.startswith("state_") or name == "x"  # xor's x has no time
            free = 1 if timeless else min(2, len(spec.shape))
            assert spec.shape[:free].as_list() == [None] * free, name


@of_every_entry
def test_its_description_has_the_names_types_and_shapes_of_each_signature(exported):
    for name, call in exported.loaded.signatures.items():
        described = signature_tensors(exported.folder, name)
        for tensors, specs in (
            (described.inputs, call.structured_input_signature[1]),
            (described.outputs, call.structured_outputs),
        ):
            assert [alias for _, _, alias in tensors] == sorted(specs)
            for dtype, shape, alias in tensors:
                assert dtype == specs[alias].dtype.as_numpy_dtype
                assert shape == tuple(-1 if size is None else size for size in specs[alias].shape)


@of_every_entry
def test_warm_up_has_one_request_for_each_signature_and_each_runs(exported):
    records = tf.data.TFRecordDataset(str(exported.folder / "assets.extra" / "tf_serving_warmup_requests"))
    asked = []
    for record in records.as_numpy_iterator():
        request = prediction_log_pb2.PredictionLog.FromString(record).predict_log.request
        assert request.model_spec.name == exported.name
        asked.append(request.model_spec.signature_name)
        given = {name: tf.constant(tf.make_ndarray(value)) for name, value in request.inputs.items()}
        exported.loaded.signatures[asked[-1]](**given)
    assert sorted(asked) == sorted(exported.loaded.signatures)


@of_every_entry
def test_card_and_lineage_go_along(exported):
    extra = exported.folder / "assets.extra"
    assert (extra / "model_card.md").read_text().startswith(f"# {exported.name}\n")
    assert (extra / "lineage.json").read_text().startswith("{")
