import pytest

from serving.errors import ServingError
from serving.saved_model import check_folder, read_meta_graph
from tests.serving import exports


def refused(call, *args):
    with pytest.raises(ServingError) as error:
        call(*args)
    return error.value.status


def test_the_meta_graph_with_exactly_these_tags_is_read(written):
    found = read_meta_graph(str(written["kinds"]), ["serve"])
    assert "two" in found.signature_def


def test_a_text_form_is_read_as_well(written, tmp_path):
    folder = exports.copy(written["scale"], tmp_path / "1")
    exports.as_text(folder)
    assert "serving_default" in read_meta_graph(str(folder), ["serve"]).signature_def


@pytest.mark.parametrize("tags", [["train"], ["serve", "gpu"]])
def test_other_tags_are_refused_with_the_hint_of_the_stock_server(written, tags):
    assert refused(read_meta_graph, str(written["scale"]), tags) == (
        f"NOT_FOUND: Could not find meta graph def matching supplied tags: {{ {' '.join(sorted(tags))} }}. To inspect "
        "available tag-sets in the SavedModel, please use the SavedModel CLI: `saved_model_cli`"
    )


def test_a_folder_without_a_saved_model_is_refused(tmp_path):
    assert refused(read_meta_graph, str(tmp_path), ["serve"]) == (
        "NOT_FOUND: Specified file path does not appear to contain a SavedModel bundle (should have a file called "
        f"`saved_model.pb`)\nSpecified file path: {tmp_path}"
    )


def test_a_session_bundle_is_refused(tmp_path):
    (tmp_path / "export.meta").touch()
    assert refused(read_meta_graph, str(tmp_path), ["serve"]) == (
        "UNIMPLEMENTED: Session Bundle is deprecated and removed."
    )


@pytest.mark.parametrize(("name", "kind"), [("saved_model.pb", "binary"), ("saved_model.pbtxt", "text")])
def test_a_damaged_file_is_data_loss(tmp_path, name, kind):
    (tmp_path / name).write_bytes(b"\xff\xff")
    assert refused(read_meta_graph, str(tmp_path), ["serve"]) == (
        f"DATA_LOSS: Can't parse {tmp_path / name} as {kind} proto"
    )


def test_a_version_that_is_a_plain_file_fails_with_the_file_systems_code(tmp_path):
    (tmp_path / "7").touch()
    assert refused(check_folder, "m", 7, str(tmp_path / "7")) == (
        "FAILED_PRECONDITION: Error while attempting to reserve resources to load servable {name: m version: 7}: "
        f"{tmp_path / '7'}; Not a directory"
    )
    check_folder("m", 1, str(tmp_path))
