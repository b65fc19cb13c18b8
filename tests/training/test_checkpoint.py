import errno

import numpy as np
import pytest

from training import checkpoint
from training.checkpoint import Progress, State
from training.errors import InputError


def progress(epoch=1, model="weather", run_id="run"):
    return Progress(model, run_id, {"seed": 0}, epoch, epoch, 0.25, {"loss": [1.5] * epoch})


def state(value):
    return State([np.full((2, 3), value), np.array(7)], [np.array([value])], [np.zeros(2), np.array(7)])


def test_what_is_saved_is_loaded(seqzoo_home):
    folder = checkpoint.save(progress(3), state(0.1))
    loaded, numbers = checkpoint.load(folder)
    assert loaded == progress(3)
    for mine, saved in zip(vars(numbers).values(), vars(state(0.1)).values(), strict=True):
        for a, b in zip(mine, saved, strict=True):
            np.testing.assert_array_equal(a, b)
            assert a.dtype == b.dtype


def test_more_than_ten_variables_keep_their_order(seqzoo_home):
    many = State([np.array(i) for i in range(25)], [], [])
    _, loaded = checkpoint.load(checkpoint.save(progress(), many))
    assert [int(v) for v in loaded.variables] == list(range(25))


def test_only_the_newest_epoch_is_kept(seqzoo_home):
    for epoch in (1, 2, 3):
        newest = checkpoint.save(progress(epoch), state(epoch))
    assert list((seqzoo_home / "checkpoints" / "run").iterdir()) == [newest]


def test_the_newest_is_found_by_model(seqzoo_home):
    checkpoint.save(progress(run_id="other", model="cook"), state(0))
    assert checkpoint.newest("weather") is None
    folder = checkpoint.save(progress(2), state(0))
    assert checkpoint.newest("weather") == folder


def test_a_full_disk_keeps_the_epoch_before_and_leaves_nothing_half_written(seqzoo_home, monkeypatch):
    before = checkpoint.save(progress(1), state(1))

    def no_space(*_args, **_kwargs):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(np, "savez", no_space)
    with pytest.raises(OSError, match="No space left"):
        checkpoint.save(progress(2), state(2))
    assert list(before.parent.iterdir()) == [before]
    assert checkpoint.load(before)[0].epoch == 1


@pytest.mark.parametrize("name", ["progress.json", "state.npz"])
@pytest.mark.parametrize("damage", [b"", b"{", None])
def test_a_damaged_checkpoint_says_so(seqzoo_home, name, damage):
    folder = checkpoint.save(progress(), state(0))
    (folder / name).unlink()
    if damage is not None:
        (folder / name).write_bytes(damage)
    with pytest.raises(InputError, match=r"cannot be read .*; delete it and train from the start"):
        checkpoint.load(folder)


def test_a_training_that_has_ended_leaves_nothing(seqzoo_home):
    checkpoint.save(progress(), state(0))
    checkpoint.drop("run")
    assert not (seqzoo_home / "checkpoints").exists()
    checkpoint.drop("run")
