import pytest

from serving.errors import Code, ServingError
from serving.model_config import ModelConfig, VersionPolicy
from serving.sources.versions import versions


@pytest.fixture
def base(tmp_path):
    """A base path with these children."""

    def make(*names):
        for name in names:
            (tmp_path / name).mkdir()
        return tmp_path

    return make


HIGHEST = VersionPolicy()


def wanted(base, policy=HIGHEST):
    found, _ = versions(ModelConfig("m", str(base), policy=policy))
    return {version: folder.removeprefix(f"{base}/") for version, folder in found.items()}


def test_without_a_policy_the_highest_number_is_wanted(base):
    assert wanted(base("1", "3", "20")) == {20: "20"}


def test_numbers_are_int64_in_any_notation_and_other_names_are_passed_over(base):
    folder = base("00000123", "-3", "a", "1.5", "v2", ".hidden", str(1 << 63))
    assert wanted(folder, VersionPolicy("all")) == {123: "00000123", -3: "-3"}


def test_a_plain_file_with_a_number_counts_too(base):
    folder = base("1")
    (folder / "2").touch()
    assert wanted(folder) == {2: "2"}


def test_latest_wants_the_n_highest(base):
    assert wanted(base("1", "2", "3"), VersionPolicy("latest", 2)) == {2: "2", 3: "3"}


def test_specific_wants_those_listed_that_exist_and_warns_of_the_others(base, logged):
    folder = base("1", "2", "3")
    assert wanted(folder, VersionPolicy("specific", specific=frozenset((1, 3, 7)))) == {1: "1", 3: "3"}
    assert any("Version 7 of servable m" in text for text in logged())


def test_specific_with_an_empty_list_wants_nothing_and_says_so(base, logged):
    assert wanted(base("1"), VersionPolicy("specific")) == {}
    assert any("lists no version" in text for text in logged())


def test_of_two_children_with_one_number_the_last_by_name_is_used_and_with_all_the_first(base, logged):
    folder = base("1", "0001")
    assert wanted(folder) == {1: "1"}
    assert wanted(folder, VersionPolicy("all")) == {1: "0001"}
    assert any("more than once: 0001, 1" in text for text in logged())


def test_of_two_children_with_one_number_specific_takes_the_plain_one(base):
    folder = base("5", "+5", "0006", "6")
    assert wanted(folder, VersionPolicy("specific", specific=frozenset((5, 6)))) == {5: "5", 6: "6"}
    (folder / "0007").mkdir()
    assert wanted(folder, VersionPolicy("specific", specific=frozenset((5, 7)))) == {5: "5", 7: "0007"}


def test_a_base_path_without_versions_is_warned_about(base, logged):
    folder = base("a")
    assert wanted(folder) == {}
    assert (
        f"No versions of servable m found under base path {folder}. Did you forget to name your leaf directory as a "
        "number (eg. '/1/')?"
    ) in logged()


def test_an_absent_base_path_is_an_error_with_its_name(tmp_path):
    path = tmp_path / "absent"
    with pytest.raises(ServingError) as error:
        wanted(path)
    assert error.value.code is Code.NOT_FOUND
    assert error.value.message == (
        f"Could not find base path {path} for servable m with error NOT_FOUND: {path}; No such file or directory"
    )
