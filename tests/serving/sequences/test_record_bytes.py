import numpy as np
import pytest

from serving.sequences.record_bytes import from_bytes, to_bytes
from serving.sequences.store import Answer, Key, Record

KEY = Key("m", 7)
RECORD = Record(3, 5, b"state", (("state_h", "float [-1,2]"),), Answer(2, {"y": np.float32([[1, -0.0]])}), 0)


def test_a_record_comes_back():
    found, used = from_bytes(KEY, to_bytes(KEY, RECORD, 12.5))
    assert used == 12.5
    assert found._replace(answer=None) == RECORD._replace(answer=None)
    assert found.answer.version == 2
    assert found.answer.outputs["y"].tobytes() == RECORD.answer.outputs["y"].tobytes()
    bare = RECORD._replace(answer=None, ended=True)
    assert from_bytes(KEY, to_bytes(KEY, bare, 0.0))[0] == bare
    gone = RECORD._replace(answer=None, gone="state é is absent in version 4")
    assert from_bytes(KEY, to_bytes(KEY, gone, 0.0))[0] == gone


@pytest.mark.parametrize("record", [RECORD, RECORD._replace(gone="on_version_change is FAIL")])
def test_every_flipped_byte_and_every_cut_is_noticed(record):
    content = to_bytes(KEY, record, 12.5)
    for at in range(len(content)):
        flipped = content[:at] + bytes([content[at] ^ 0x40]) + content[at + 1 :]
        with pytest.raises(ValueError, match="checksum"):
            from_bytes(KEY, flipped)
        with pytest.raises(ValueError, match=r"checksum|bytes"):
            from_bytes(KEY, content[:at])


def test_a_record_of_another_sequence_is_noticed():
    with pytest.raises(ValueError, match="checksum"):
        from_bytes(Key("m", "7"), to_bytes(KEY, RECORD, 12.5))
