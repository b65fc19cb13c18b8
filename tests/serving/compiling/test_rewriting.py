import numpy as np
import pytest
import tensorflow as tf

from serving import servable
from serving.compiling.memory import give_memory_back
from serving.compiling.rewriting import NotCompiledError, add_compiled
from serving.errors import ServingError

WEIGHT = np.float32([[2, 1], [0, 3]])


class Looping(tf.Module):
    """Recurrences behind what cannot be compiled: assertions, look-ups, strings; and others without anything such."""

    def __init__(self):
        super().__init__()
        self.weight = tf.Variable(WEIGHT)
        keys = tf.lookup.KeyValueTensorInitializer(["a", "b"], tf.constant([1, 2], tf.int64))
        self.table = tf.lookup.StaticHashTable(keys, 0)
        self.count = tf.Variable(0)

    @tf.function(input_signature=[tf.TensorSpec([None, 2], tf.float32, "a"), tf.TensorSpec([None, 2], tf.float32, "b")])
    def power(self, a, b):
        _, power = tf.while_loop(lambda i, h: i < 3, lambda i, h: (i + 1, h @ self.weight), [0, a])
        fewer = tf.cond(tf.shape(a)[0] < 3, lambda: power, lambda: -power)
        return {"power": fewer, "sum": a + b}

    @tf.function(
        input_signature=[tf.TensorSpec([None, None, 2], tf.float32, "x"), tf.TensorSpec([None], tf.int32, "n")]
    )
    def last(self, x, n):
        tf.debugging.assert_less_equal(n, tf.shape(x)[1], "n got too much")
        return {"last": tf.gather(self.recurrence(x), n - 1, batch_dims=1)}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "text")])
    def words(self, text):
        words = tf.strings.split(text).to_tensor("")
        states = self.recurrence(tf.one_hot(tf.cast(self.table.lookup(words), tf.int32), 2))
        return {"states": states, "words": tf.strings.join([words, "!"])}

    @tf.function(input_signature=[tf.TensorSpec([None, None, 2], tf.float32, "x")])
    def counted(self, x):
        return {"states": self.recurrence(x), "calls": self.count.assign_add(1)}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.float32, "x")])
    def double(self, x):
        return {"double": 2 * x}

    @tf.function
    def recurrence(self, x):
        """h_t = h_(t-1) W + x_t at each step."""
        steps = tf.transpose(x, [1, 0, 2])
        return tf.transpose(tf.scan(lambda h, now: h @ self.weight + now, steps, tf.zeros_like(x[:, 0])), [1, 0, 2])


def by_hand(x):
    h, states = np.zeros_like(x[:, 0]), []
    for now in np.moveaxis(x, 1, 0):
        h = h @ WEIGHT + now
        states.append(h)
    return np.stack(states, axis=1)


@pytest.fixture(scope="module")
def loaded(tmp_path_factory):
    module = Looping()
    folder = str(tmp_path_factory.mktemp("looping") / "1")
    names = ("power", "last", "words", "counted", "double")
    signatures = {name: getattr(module, name).get_concrete_function() for name in names}
    tf.saved_model.save(module, folder, signatures=signatures)
    found = servable.load("m", 1, folder)
    yield found
    found.close()


def names(loaded, signature, *outputs):
    found = loaded.signatures[signature]
    return [slot.tensor for slot in found.inputs.values()], [found.outputs[alias].tensor for alias in outputs]


def run(loaded, rewritten, signature, known=(), **inputs):
    found = loaded.signatures[signature]
    feeds = {slot.tensor: np.asarray(inputs[alias]) for alias, slot in found.inputs.items() if alias in inputs}
    tables = {guard.known: np.array(known, np.int32).reshape(-1, guard.width) for guard in rewritten.guards}
    return loaded.run({**feeds, **tables}, [*rewritten.fetches, *(guard.shapes for guard in rewritten.guards)])


@pytest.mark.parametrize("rows", [2, 3])
def test_a_compiled_run_gives_the_numbers_of_the_graph(loaded, rows):
    rewritten = loaded.compiled(*names(loaded, "power", "power", "sum"))
    a = np.arange(2 * rows, dtype=np.float32).reshape(rows, 2)
    power, total = run(loaded, rewritten, "power", a=a, b=10 * a)
    expected = a @ np.linalg.matrix_power(WEIGHT, 3)
    assert power.tolist() == (expected if rows < 3 else -expected).tolist()
    assert total.tolist() == (11 * a).tolist()
    assert not rewritten.guards
    assert not rewritten.loops


def compiled_calls(loaded):
    return [node.name for node in loaded.graph_def().node if node.attr["_XlaMustCompile"].b]


def test_a_recurrence_is_one_function_that_the_runtime_compiles_between_plain_operations(loaded):
    before = compiled_calls(loaded)
    rewritten = loaded.compiled(*names(loaded, "last", "last"))
    assert len(compiled_calls(loaded)) == len(before) + 1
    assert {"it has Assert", "its GatherV2 depends on the data"} <= rewritten.reasons
    assert not rewritten.loops
    x = np.random.default_rng(0).normal(size=(2, 5, 2)).astype(np.float32)
    (last,) = run(loaded, rewritten, "last", x=x, n=np.int32([5, 2]))
    np.testing.assert_allclose(last, by_hand(x)[[0, 1], [4, 1]], rtol=1e-5)


def test_an_assertion_that_nothing_reads_still_speaks(loaded):
    rewritten = loaded.compiled(*names(loaded, "last", "last"))
    x = np.zeros((1, 5, 2), np.float32)
    with pytest.raises(ServingError, match="n got too much"):
        run(loaded, rewritten, "last", x=x, n=np.int32([6]))
    with pytest.raises(ServingError, match="indices"):
        run(loaded, rewritten, "last", x=x, n=np.int32([0]))


def test_words_run_compiled_only_where_their_shapes_are_known(loaded):
    rewritten = loaded.compiled(*names(loaded, "words", "states", "words"))
    (guard,) = rewritten.guards
    text = np.array([b"a b a", b"b"], object)
    x = np.float32([[[0, 1], [0, 0], [0, 1]], [[0, 0], [1, 0], [1, 0]]])
    *plain, shapes = run(loaded, rewritten, "words", text=text)
    *compiled, again = run(loaded, rewritten, "words", [shapes - 1, shapes], text=text)
    assert shapes.tolist() == again.tolist()
    assert len(shapes) == guard.width
    for states, words in (plain, compiled):
        np.testing.assert_allclose(states, by_hand(x), rtol=1e-5)
        assert words.tolist() == [[b"a!", b"b!", b"a!"], [b"b!", b"!", b"!"]]
    *_, others = run(loaded, rewritten, "words", [shapes], text=text[1:])
    assert others.tolist() != shapes.tolist()


def test_what_changes_a_state_is_left_alone(loaded):
    with pytest.raises(NotCompiledError, match="AssignAddVariableOp"):
        loaded.compiled(*names(loaded, "counted", "states", "calls"))


def test_an_input_that_is_not_read_need_not_be_there(loaded):
    rewritten = loaded.compiled(*names(loaded, "power", "power"))
    assert run(loaded, rewritten, "power", a=np.eye(2, dtype=np.float32), b=np.zeros((2, 2), np.float32))


def test_what_has_no_recurrence_and_no_products_is_not_worth_it(loaded):
    with pytest.raises(NotCompiledError, match="nothing in it is worth it"):
        loaded.compiled(*names(loaded, "double", "double"))


def test_what_comes_back_as_it_came_is_not_compiled():
    graph = tf.Graph()
    with graph.as_default():
        given = tf.compat.v1.placeholder(tf.float32, [None])
    with pytest.raises(NotCompiledError, match="an output is an input"):
        add_compiled(graph, [given.name], [given.name])


def test_loops_of_tensorflow_1_are_left_alone():
    graph = tf.Graph()
    with graph.as_default():
        given = tf.compat.v1.placeholder(tf.float32, [2, 2])
        tf.compat.v1.disable_control_flow_v2()
        try:
            power = tf.compat.v1.while_loop(lambda h: tf.reduce_sum(h) < 9, lambda h: h @ h, [given])
        finally:
            tf.compat.v1.enable_control_flow_v2()
    with pytest.raises(NotCompiledError, match="TensorFlow 1"):
        add_compiled(graph, [given.name], [power.name])


def test_giving_memory_back_is_harmless_everywhere(monkeypatch):
    give_memory_back()
    monkeypatch.setattr("ctypes.CDLL", lambda name: object())  # another C library
    give_memory_back()
