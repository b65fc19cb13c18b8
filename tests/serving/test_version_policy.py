import pytest

from serving.version_policy import Action, Snapshot, Stage, availability_preserving, resource_preserving

NEW, LOADING, READY, UNLOADING, FAILED = Stage.NEW, Stage.LOADING, Stage.READY, Stage.UNLOADING, Stage.FAILED


def load(version):
    return Action(True, version)


def unload(version):
    return Action(False, version)


def snapshots(*versions):
    return [Snapshot(*version) for version in versions]


@pytest.mark.parametrize(
    ("versions", "action"),
    [
        ([], None),
        ([(1, NEW, True)], load(1)),
        ([(1, NEW, True), (3, NEW, True), (2, NEW, True)], load(3)),
        ([(1, READY, False), (2, NEW, True)], load(2)),  # the new one first
        ([(1, READY, False), (2, LOADING, True)], None),  # the old one stays until then
        ([(1, READY, False), (2, READY, True)], unload(1)),
        ([(1, READY, False), (2, FAILED, True)], None),
        ([(1, READY, False), (2, READY, False), (3, NEW, True)], unload(1)),  # one is enough
        ([(1, READY, False), (2, READY, False)], unload(1)),  # none is wanted
        ([(1, READY, False)], unload(1)),
        ([(1, READY, True), (2, READY, False), (3, NEW, True)], unload(2)),
        ([(1, UNLOADING, False), (2, READY, True)], None),
    ],
)
def test_availability_is_preserved(versions, action):
    assert availability_preserving(snapshots(*versions)) == action


@pytest.mark.parametrize(
    ("versions", "action"),
    [
        ([], None),
        ([(1, READY, False), (2, NEW, True)], unload(1)),  # the old one first
        ([(1, UNLOADING, False), (2, NEW, True)], None),
        ([(1, LOADING, False), (2, NEW, True)], None),
        ([(2, NEW, True), (3, NEW, True)], load(3)),
        ([(1, FAILED, False), (2, NEW, True)], load(2)),
    ],
)
def test_resources_are_preserved(versions, action):
    assert resource_preserving(snapshots(*versions)) == action
