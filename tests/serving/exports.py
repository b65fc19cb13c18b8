"""SavedModels as users write them: plain TensorFlow 2 modules, and one in the style of TensorFlow 1."""

import shutil
from pathlib import Path

import numpy as np
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

WHOLE = ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")
ECHOED = (*WHOLE, "float32", "float64", "float16", "bfloat16", "bool", "string", "complex64", "complex128")


class Scale(tf.Module):
    """y = factor * x, for x declared [-1, 1]."""

    def __init__(self, factor):
        super().__init__()
        self.factor = tf.Variable(float(factor))

    @tf.function(input_signature=[tf.TensorSpec([None, 1], tf.float32, name="x")])
    def __call__(self, x):
        return {"y": self.factor * x}


def scale(folder, factor):
    """Writes Scale as a version: elsewhere first, then renamed into place, as the source wants it."""
    folder = Path(folder)
    module = Scale(factor)
    writing = folder.parent.parent / f"writing-{folder.parent.name}-{folder.name}"
    tf.saved_model.save(module, str(writing), signatures=module.__call__.get_concrete_function())
    folder.parent.mkdir(parents=True, exist_ok=True)
    writing.rename(folder)
    return folder


class Kinds(tf.Module):
    """A signature for each thing that a call can meet."""

    def __init__(self):
        super().__init__()
        self.counter = tf.Variable(0, dtype=tf.int64)

    def signatures(self):
        def concrete(function, **specs):
            return tf.function(function).get_concrete_function(**specs)

        def of(dtype, shape=(None,), name=None):
            return tf.TensorSpec(shape, dtype, name)

        found = {
            f"echo_{dtype}": concrete(lambda x: {"y": tf.identity(x)}, x=of(getattr(tf, dtype), None, "x"))
            for dtype in ECHOED
        }
        found["two"] = concrete(
            lambda a, b: {"sum": a + tf.cast(b, tf.float32), "twice": b * 2},
            a=of(tf.float32, (None, 2), "a"),
            b=of(tf.int64, (None, 2), "b"),
        )
        found["text"] = concrete(
            lambda s: {"shout": tf.strings.join([s, "!"]), "raw_bytes": s}, s=of(tf.string, name="s")
        )
        found["scalar"] = concrete(lambda x: {"y": x * 2.0}, x=of(tf.float32, (), "x"))
        found["total"] = concrete(lambda x: {"y": tf.reduce_sum(x)}, x=of(tf.float32, name="x"))
        found["uneven"] = concrete(lambda x: {"all": tf.identity(x), "first": x[:1]}, x=of(tf.float32, name="x"))
        found["matrix"] = concrete(lambda x: {"y": tf.matmul(x, tf.ones([3, 2]))}, x=of(tf.float32, (None, 3), "x"))
        found["count"] = concrete(lambda by: {"count": self.counter.assign_add(by)}, by=of(tf.int64, (), "by"))
        found["constant"] = concrete(lambda: {"y": tf.constant([1.0])})
        found["steps"] = concrete(_steps, steps=of(tf.int32, (), "steps"))
        return found


def _steps(steps):
    """Runs as long as it is told to."""
    return {"x": tf.while_loop(lambda i, x: i < steps, lambda i, x: (i + 1, tf.sin(x)), [0, tf.ones([4])])[1]}


def rows_of_steps(folder):
    """Writes a version that runs as long as the largest of its rows tells, and gives the rows back."""

    @tf.function(input_signature=[tf.TensorSpec([None], tf.int32, "steps")])
    def run(steps):
        with tf.control_dependencies([_steps(tf.reduce_max(steps))["x"]]):
            return {"steps": tf.identity(steps)}

    tf.saved_model.save(tf.Module(), str(folder), signatures=run.get_concrete_function())
    return Path(folder)


def kinds(folder):
    """Writes Kinds; its signature `two` exists once more as `defaults`, where b may be left out."""
    module = Kinds()
    tf.saved_model.save(module, str(folder), signatures=module.signatures())

    def add_defaults(meta_graph):
        defaults = meta_graph.signature_def["defaults"]
        defaults.CopyFrom(meta_graph.signature_def["two"])
        defaults.defaults["b"].CopyFrom(tf.make_tensor_proto(np.array([[10, 20]], np.int64)))

    edit(folder, add_defaults)
    return Path(folder)


def edit(folder, change):
    """Rewrites saved_model.pb with a change of its MetaGraph."""
    path = Path(folder) / "saved_model.pb"
    model = saved_model_pb2.SavedModel.FromString(path.read_bytes())
    change(model.meta_graphs[0])
    path.write_bytes(model.SerializeToString())


def as_text(folder):
    """Turns saved_model.pb into saved_model.pbtxt."""
    path = Path(folder) / "saved_model.pb"
    model = saved_model_pb2.SavedModel.FromString(path.read_bytes())
    path.with_suffix(".pbtxt").write_text(str(model))
    path.unlink()


def tf1(folder, feature="x"):
    """Half plus two in the style of TensorFlow 1: regress and classify over Examples, predict over numbers."""
    v1 = tf.compat.v1
    with tf.Graph().as_default(), v1.Session() as session:
        half = v1.get_variable("half", initializer=0.5)
        serialized = v1.placeholder(tf.string, [None], "examples")
        parsed = v1.io.parse_example(serialized, {feature: tf.io.FixedLenFeature([1], tf.float32)})
        x = tf.identity(parsed[feature], "x")
        y = tf.add(half * x, 2.0, name="y")
        scores = tf.concat([y, -y], 1)
        words = tf.lookup.StaticHashTable(
            tf.lookup.KeyValueTensorInitializer(tf.constant([0, 1], tf.int64), tf.constant(["more", "less"])), "none"
        )
        classes = words.lookup(tf.zeros_like(scores, tf.int64) + tf.constant([0, 1], tf.int64))
        info = v1.saved_model.build_tensor_info
        make = v1.saved_model.build_signature_def
        signatures = {
            "serving_default": make({"x": info(x)}, {"y": info(y)}, "tensorflow/serving/predict"),
            "regress_x": make({"inputs": info(serialized)}, {"outputs": info(y)}, "tensorflow/serving/regress"),
            "regress_again": make({"inputs": info(serialized)}, {"outputs": info(y)}, "tensorflow/serving/regress"),
            "classify_x": make(
                {"inputs": info(serialized)},
                {"classes": info(classes), "scores": info(scores)},
                "tensorflow/serving/classify",
            ),
            "scores_only": make({"inputs": info(serialized)}, {"scores": info(scores)}, "tensorflow/serving/classify"),
        }
        session.run([v1.global_variables_initializer(), v1.tables_initializer()])
        builder = v1.saved_model.Builder(str(folder))
        builder.add_meta_graph_and_variables(
            session, ["serve"], signatures, main_op=v1.tables_initializer(), strip_default_attrs=True
        )
        builder.save()
    return Path(folder)


class Ragged(tf.Module):
    """A masked recurrence over x [batch, time, 3]: its last state h, its states, and which steps count.

    Refuses an x above 100, as a graph with an assertion does; `bare` has no assertion and no `lengths`."""

    def __init__(self):
        super().__init__()
        self.weight = tf.Variable(0.5 * tf.random.stateless_normal([4, 4], [1, 2]))
        self.kernel = tf.Variable(tf.random.stateless_normal([3, 4], [3, 4]))

    def run(self, x, valid):
        inputs = tf.transpose(tf.einsum("btf,fu->btu", x, self.kernel), [1, 0, 2])

        def step(before, now):
            z, counts = now
            return tf.where(counts[:, None], tf.tanh(z + tf.matmul(before, self.weight)), before)

        states = tf.scan(step, (inputs, tf.transpose(valid)), tf.zeros([tf.shape(x)[0], 4]))
        states = tf.transpose(states, [1, 0, 2])
        return {"h": states[:, -1], "states": states}

    def serving_default(self, x, lengths):
        with tf.control_dependencies([tf.debugging.assert_less_equal(x, 100.0, "x is above 100")]):
            valid = tf.sequence_mask(lengths, tf.shape(x)[1])
        return {**self.run(x, valid), "valid": valid, "names": tf.where(valid, "step", "none")}

    def unchecked(self, x, lengths):
        return self.run(x, tf.sequence_mask(lengths, tf.shape(x)[1]))

    def bare(self, x):
        return self.run(x, tf.ones(tf.shape(x)[:2], tf.bool))

    def halved(self, x, lengths):
        """Its states are every second one, which the declared shape does not tell."""
        return {"states": self.unchecked(x, lengths)["states"][:, ::2]}


def ragged(folder):
    """Writes Ragged, each method as a signature."""
    module = Ragged()
    x, lengths = tf.TensorSpec([None, None, 3], tf.float32, "x"), tf.TensorSpec([None], tf.int32, "lengths")
    found = {
        name: tf.function(getattr(module, name)).get_concrete_function(x, lengths)
        for name in ("serving_default", "unchecked", "halved")
    }
    found["bare"] = tf.function(module.bare).get_concrete_function(x)
    tf.saved_model.save(module, str(folder), signatures=found)
    return Path(folder)


def broken(folder):
    """A version whose saved_model.pb is no SavedModel."""
    folder = Path(folder)
    folder.mkdir(parents=True)
    (folder / "saved_model.pb").write_bytes(b"\xff\xff not a SavedModel")
    return folder


def copy(version, folder):
    """The same version once more, put into place at once."""
    writing = Path(folder).parent / f"writing-{Path(folder).name}"
    shutil.copytree(version, writing)
    writing.rename(folder)
    return Path(folder)
