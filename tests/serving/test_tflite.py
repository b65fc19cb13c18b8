"""Versions that are a TensorFlow Lite file, over both faces. The files come from TensorFlow's converter."""

import threading

import numpy as np
import pytest
import tensorflow as tf
from flatbuffers import Builder, flexbuffers
from tensorflow.core.protobuf import meta_graph_pb2
from tensorflow.lite.python import interpreter
from tensorflow.lite.python import schema_py_generated as schema

from serving import tflite
from serving.errors import Code, ServingError
from serving.server import ModelServer
from tests.serving import exports
from tests.serving.asking import Grpc, Rest, refused, wait_until

X = np.float32([[1, 2], [3, 4], [5, 6]])


def converted(function, **specs):
    """The file of a function; its tensors are named after its arguments, and by the converter."""
    module = tf.Module()
    concrete = tf.function(function, autograph=False).get_concrete_function(**specs)
    return bytes(tf.lite.TFLiteConverter.from_concrete_functions([concrete], module).convert())


@pytest.fixture(scope="module")
def affine():
    return converted(lambda x: {"y": 2.0 * x + 1.0}, x=tf.TensorSpec([None, 2], tf.float32, "x"))


@pytest.fixture(scope="module")
def x(affine):
    """The name of its input tensor, as the interpreter tells it, without `:0`."""
    return interpreter.Interpreter(model_content=affine).get_input_details()[0]["name"].partition(":")[0]


@pytest.fixture(scope="module")
def words():
    return converted(lambda s: {"first": tf.gather(s, [0])}, s=tf.TensorSpec([None], tf.string, "s"))


def with_signatures(content, packed):
    """The file with this metadata entry."""
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(content, 0))
    entry, buffer = schema.MetadataT(), schema.BufferT()
    buffer.data = np.frombuffer(packed, np.uint8)
    entry.name, entry.buffer = b"signature_defs_metadata", len(model.buffers)
    model.buffers.append(buffer)
    model.metadata = [*(model.metadata or []), entry]
    builder = Builder(1024)
    builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
    return bytes(builder.Output())


class Raw(bytes):
    """Bytes that the writer, which knows text only, takes as they are."""

    def encode(self, _encoding):
        return bytes(self)


def packed(**definitions):
    builder = flexbuffers.Builder()
    with builder.Map():
        for name, definition in sorted(definitions.items()):
            builder.Key(name)
            builder.String(Raw(definition))
    return bytes(builder.Finish())


def definition(servable, of, to):
    """A SignatureDef that calls the only input and output so, and names their tensors with `:0`."""
    (given,) = servable.signature_defs.values()
    found = meta_graph_pb2.SignatureDef(method_name="tensorflow/serving/predict")
    for new, old, alias in ((found.inputs, given.inputs, of), (found.outputs, given.outputs, to)):
        (info,) = old.values()
        new[alias].CopyFrom(info)
        new[alias].name = info.name.removesuffix(":0") + ":0"
    return found.SerializeToString()


@pytest.fixture(scope="module")
def repository_with_lite(tmp_path_factory, affine, written):
    """Version 1 is a SavedModel; version 2 has a file beside a SavedModel that does not load."""
    base = tmp_path_factory.mktemp("lite") / "affine"
    base.mkdir()
    exports.copy(written["scale"], base / "1")
    exports.broken(base / "2")
    (base / "2" / "model.tflite").write_bytes(affine)
    return base


@pytest.fixture(scope="module")
def lite(repository_with_lite):
    path = repository_with_lite.parent / "config"
    path.write_text(
        f'model_config_list {{ config {{ name: "affine" base_path: "{repository_with_lite}" '
        'model_platform: "tensorflow" model_version_policy { all {} } } }'
    )
    with ModelServer.on_free_ports(model_config_file=str(path), prefer_tflite_model=True) as server:
        versions = "/v1/models/affine/versions/{}/metadata".format
        wait_until(lambda: all(Rest(server.rest_port).get(versions(number)).ok for number in (1, 2)))
        yield server


def test_a_file_without_signatures_has_one_named_after_its_tensors(lite, x):
    stub, rest = Grpc(f"localhost:{lite.grpc_port}"), Rest(lite.rest_port)
    (values,) = stub.predict("affine", {x: X}).values()
    assert values.tolist() == (2 * X + 1).tolist()
    assert rest.predict("affine", {"instances": X.tolist()}).json() == {"predictions": (2 * X + 1).tolist()}
    signatures = rest.get("/v1/models/affine/metadata").json()["metadata"]["signature_def"]["signature_def"]
    assert list(signatures) == ["serving_default"]
    info = signatures["serving_default"]["inputs"][x]
    assert (info["dtype"], [dim["size"] for dim in info["tensor_shape"]["dim"]]) == ("DT_FLOAT", ["-1", "2"])


def test_a_version_without_such_a_file_is_a_saved_model(lite):
    assert Grpc(f"localhost:{lite.grpc_port}").predict("affine", {"x": np.float32([[1]])}, version=1)["y"] == 2


def test_without_the_flag_the_file_is_not_looked_at(repository_with_lite, written, tmp_path, affine):
    base = tmp_path / "scale"
    base.mkdir()
    (exports.copy(written["scale"], base / "1") / "model.tflite").write_bytes(affine)
    with ModelServer.on_free_ports(model_name="scale", model_base_path=str(base)) as server:
        assert Grpc(f"localhost:{server.grpc_port}").predict("scale", {"x": np.float32([[1]])})["y"] == 2


def test_inputs_take_the_shape_of_the_call_and_a_wrong_one_or_dtype_is_an_error_of_this_call_alone(lite, x):
    stub = Grpc(f"localhost:{lite.grpc_port}")
    for rows in (1, 5, 2, 0):
        (found,) = stub.predict("affine", {x: np.ones((rows, 2), np.float32)}).values()
        assert found.tolist() == [[3, 3]] * rows
    assert refused(stub.predict, "affine", {x: np.int32([[1, 2]])}) == (
        "INVALID_ARGUMENT", "Expects arg[0] to be float but int32 is provided",
    )  # fmt: skip
    assert refused(stub.predict, "affine", {x: np.ones((2, 2, 2, 2, 2, 2, 2), np.float32)})[0] == "INTERNAL"
    assert stub.predict("affine", {x: X})


def test_signatures_are_those_in_the_files_metadata(affine):
    plain = tflite.TfliteServable("m", 1, affine, 1)
    both = {"serving_default": definition(plain, "a", "b"), "other": definition(plain, "c", "d")}
    servable = tflite.TfliteServable("m", 1, with_signatures(affine, packed(**both)), 1)
    assert {n: (list(s.inputs), list(s.outputs)) for n, s in servable.signatures.items()} == {
        "other": (["c"], ["d"]), "serving_default": (["a"], ["b"]),
    }  # fmt: skip
    signature = servable.signatures["other"]
    (found,) = servable.run({signature.inputs["c"].tensor: X}, [signature.outputs["d"].tensor])
    assert found.tolist() == (2 * X + 1).tolist()


def test_strings_go_through_with_any_bytes(words):
    servable = tflite.TfliteServable("m", 1, words, 1)
    (signature,) = servable.signatures.values()
    (slot,), (output,) = signature.inputs.values(), signature.outputs.values()
    given = np.array([b"\xff\0a", b""], object)
    (found,) = servable.run({slot.tensor: given}, [output.tensor])
    assert found.tolist() == [b"\xff\0a"]


def test_an_input_that_a_call_does_not_bring_is_zeros_and_not_what_an_earlier_call_left():
    spec = tf.TensorSpec([2], tf.float32)
    content = converted(lambda a, b: {"y": a + b}, a=spec, b=spec)
    servable = tflite.TfliteServable("m", 1, content, 1)
    (signature,) = servable.signatures.values()
    tensors, (output,) = [slot.tensor for slot in signature.inputs.values()], signature.outputs.values()
    one, two = np.float32([1, 1]), np.float32([2, 2])
    assert servable.run(dict(zip(tensors, (one, two), strict=True)), [output.tensor])[0].tolist() == [3, 3]
    assert servable.run({tensors[0]: one}, [output.tensor])[0].tolist() == [1, 1]


def test_as_many_calls_run_at_once_as_there_are_interpreters_and_others_wait(affine):
    interpreters = tflite.Interpreters(affine, 2)
    first, second = interpreters.take(None), interpreters.take(None)
    with pytest.raises(ServingError) as error:
        interpreters.take(20)
    assert error.value.code is Code.DEADLINE_EXCEEDED
    third = []
    waiting = threading.Thread(target=lambda: third.append(interpreters.take(10_000)))
    waiting.start()
    interpreters.put(first)
    waiting.join(10)
    assert third == [first]
    interpreters.drop()
    assert interpreters.take(None) is not second


def test_a_deadline_that_has_passed_is_not_run(affine):
    servable = tflite.TfliteServable("m", 1, affine, 1)
    with pytest.raises(ServingError) as error:
        servable.run({}, [], timeout_ms=0)
    assert error.value.code is Code.DEADLINE_EXCEEDED


def test_tensors_that_are_not_there_are_named(affine):
    servable = tflite.TfliteServable("m", 1, affine, 1)
    with pytest.raises(ServingError, match="Missing input TFLite tensor: nope:0"):
        servable.run({"nope:0": X}, [])
    with pytest.raises(ServingError, match="Missing output TFLite tensor: nope"):
        servable.run({}, ["nope"])


@pytest.mark.parametrize("content", [b"", b"no model", b"\0" * 100])
def test_a_file_that_is_none_fails_the_load(tmp_path, content):
    (tmp_path / "model.tflite").write_bytes(content)
    with pytest.raises(ServingError, match="Cannot build FlatBufferModel from buffer") as error:
        tflite.load("m", 1, str(tmp_path), 1)
    assert error.value.code is Code.INVALID_ARGUMENT


def test_signatures_that_are_none_fail_the_load(affine):
    with pytest.raises(ServingError, match="Invalid SignatureDefs found in TfLite model"):
        tflite.TfliteServable("m", 1, with_signatures(affine, packed(serving_default=b"\xff\xff")), 1)
