import numpy as np
import pytest
from google.protobuf import text_format
from tensorflow.core.protobuf import meta_graph_pb2

from serving.sequences.contract import NoContractError, contract, why_not_carried
from serving.signature import from_proto


def info(alias, dtype="DT_FLOAT", shape=(-1, 2)):
    dims = "unknown_rank: true" if shape is None else " ".join(f"dim {{ size: {size} }}" for size in shape)
    return f'key: "{alias}" value {{ name: "{alias}:0" dtype: {dtype} tensor_shape {{ {dims} }} }}'


GOOD = ([info("x"), info("state_h")], [info("y"), info("state_h")])


def of(inputs, outputs):
    text = " ".join(f"inputs {{ {i} }}" for i in inputs) + " ".join(f" outputs {{ {o} }}" for o in outputs)
    return contract(from_proto("step", text_format.Parse(text, meta_graph_pb2.SignatureDef())))


def test_a_good_signature_is_taken_apart():
    found = of(
        [info("x", shape=(-1, -1, 3)), info("kind", shape=(-1, 4)), info("lengths", "DT_INT64", (-1,)),
         info("state_b", "DT_BOOL", (-1,)), info("state_a", "DT_DOUBLE", (-1, 2, 3))],
        [info("y", shape=(-1, -1)), info("last", shape=(-1, 7)), info("state_b", "DT_BOOL", (-1,)),
         info("state_a", "DT_DOUBLE", (-1, 2, 3))],
    )  # fmt: skip
    assert (found.inputs, found.outputs) == (("kind", "x"), ("last", "y"))
    assert (found.ragged.timed_inputs, found.ragged.timed_outputs) == ({"x:0"}, {"y:0"})
    assert found.ragged.pads
    assert found.layout == (("state_a", "double [-1,2,3]"), ("state_b", "bool [-1]"))
    assert found.zeros() == bytes(2 * 3 * 8 + 1)


def test_without_lengths_chunks_are_not_padded():
    found = of([info("x", shape=(-1, -1, 3)), info("state_h")], [info("y", shape=(-1, -1)), info("state_h")])
    assert not found.ragged.pads


@pytest.mark.parametrize(
    ("inputs", "outputs", "rule"),
    [
        ([info("x")], [info("y")], "signature step has no input that begins with state_"),
        ([info("x"), info("state_h")], [info("y")], "state input state_h has no output of that name"),
        ([info("x")], [info("y"), info("state_h")], "state output state_h has no input of that name"),
        ([info("x"), info("state_h", "DT_INT32")], GOOD[1], "state state_h is int32 as input and float as output"),
        ([info("x"), info("state_h", shape=(-1, 3))], GOOD[1], "state state_h has another shape as output than as"),
        ([info("state_h", shape=())], [info("state_h", shape=())], "state state_h must have a rank of at least 1"),
        ([info("state_h", shape=None)], [info("state_h", shape=None)], "state state_h must have a rank of at least 1"),
        ([info("state_h", shape=(4, 2))], [info("state_h", shape=(4, 2))], "state state_h must have the batch, of"),
        ([info("state_h", shape=(-1, -1))], [info("state_h", shape=(-1, -1))], "state state_h has an axis of unknown"),
        ([info("state_h", "DT_STRING")], [info("state_h", "DT_STRING")], "state state_h is string, expected a number"),
        (
            [info("x", shape=(1, 2)), info("state_h")],
            GOOD[1],
            "input x must have the batch, of unknown size, as axis 0",
        ),
        (GOOD[0], [info("y", shape=()), info("state_h")], "output y must have the batch, of unknown size, as axis 0"),
        ([*GOOD[0], info("lengths")], GOOD[1], "input lengths is float, expected int32 or int64"),
        ([*GOOD[0], info("lengths", "DT_INT32", (-1, 1))], GOOD[1], r"input lengths must have the shape \[batch\]"),
        ([*GOOD[0], info("sequence_id")], GOOD[1], "alias sequence_id of signature step is reserved"),
        (GOOD[0], [*GOOD[1], info("sequence_step")], "alias sequence_step of signature step is reserved"),
    ],
)
def test_a_broken_rule_is_named_with_its_alias(inputs, outputs, rule):
    with pytest.raises(NoContractError, match=f"^{rule}"):
        of(inputs, outputs)


@pytest.mark.parametrize("rows", [1, 2, 5])
def test_states_are_packed_row_by_row_and_come_back_bit_by_bit(rows):
    shapes = {"state_b": ("DT_BOOL", (3,)), "state_d": ("DT_DOUBLE", (2, 2)), "state_f": ("DT_BFLOAT16", ()),
              "state_i": ("DT_INT8", (5,)), "state_z": ("DT_COMPLEX64", (1,))}  # fmt: skip
    infos = [info(alias, dtype, (-1, *shape)) for alias, (dtype, shape) in shapes.items()]
    found = of(infos, infos)
    rng = np.random.default_rng(0)
    states = {
        part.alias: (rng.normal(size=(rows, *part.shape)) * 9).astype(part.dtype)  #
        for part in found.states
    }
    packed = found.pack(states)
    assert [len(row) for row in packed] == [3 + 32 + 2 + 5 + 8] * rows
    back = found.unpack(packed)
    for alias, array in states.items():
        assert back[alias].dtype == array.dtype
        assert back[alias].tobytes() == array.tobytes()
        assert back[alias].shape == array.shape
    assert {alias: a.tobytes() for alias, a in found.unpack(packed[-1:]).items()} == {
        alias: array[-1:].tobytes() for alias, array in states.items()
    }


def test_a_state_of_another_shape_than_declared_is_not_packed():
    found = of(*GOOD)
    with pytest.raises(ValueError, match=r"state_h is float \[1,3\] after a step of 1 rows; its signature says float"):
        found.pack({"state_h": np.zeros((1, 3), np.float32)})


@pytest.mark.parametrize(
    ("before", "after", "reason"),
    [
        ([("state_h", "float [-1,2]")], [("state_h", "float [-1,2]")], None),
        ([("state_h", "float [-1,2]")], [("state_c", "float [-1,2]")], "state state_c is new in version 2"),
        ([("state_c", "a"), ("state_h", "b")], [("state_h", "b")], "state state_c is absent in version 2"),
        ([("state_h", "float [-1,2]")], [("state_h", "half [-1,2]")],
         "state state_h differs: float [-1,2] became half [-1,2]"),
    ],
)  # fmt: skip
def test_a_state_is_carried_to_a_version_of_equal_states_only(before, after, reason):
    assert why_not_carried(tuple(before), tuple(after), 2) == reason
