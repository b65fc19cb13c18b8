import re

import pytest

from serving import text_proto
from serving.errors import ServingError
from serving.model_config import ModelServerConfig


def read(path):
    return text_proto.read(str(path), ModelServerConfig)


def refused(path):
    with pytest.raises(ServingError) as error:
        read(path)
    return error.value.status


def test_separators_and_colons_before_braces_are_accepted(tmp_path):
    path = tmp_path / "c"
    path.write_text("model_config_list: { config: { name: 'a', base_path: '/a'; }, } # a comment")
    assert read(path).model_config_list.config[0].base_path == "/a"


@pytest.mark.parametrize("text", [" ", "\n# nothing\n"])
def test_blanks_and_comments_are_an_empty_message(tmp_path, text):
    path = tmp_path / "c"
    path.write_text(text)
    assert read(path) == ModelServerConfig()


def test_an_absent_file_is_named(tmp_path):
    path = tmp_path / "absent"
    assert refused(path) == f"NOT_FOUND: {path}; No such file or directory"


def test_a_file_of_no_bytes_is_refused_as_the_stock_server_does(tmp_path):
    path = tmp_path / "empty"
    path.touch()
    assert refused(path) == f"INVALID_ARGUMENT: {path}; Invalid argument"


@pytest.mark.parametrize(
    ("content", "place"),
    [
        (b"model_config_list {\n  config { nam: 'x' } }", "2:12: "),
        (b"model_config_list {", "1:19: "),
        (b"\xff", "1:1: "),
    ],
)
def test_a_file_that_does_not_parse_is_named_and_the_place_is_logged(tmp_path, logged, content, place):
    path = tmp_path / "bad"
    path.write_bytes(content)
    assert refused(path) == f"INVALID_ARGUMENT: Invalid protobuf file: '{path}'"
    (text,) = logged()
    assert re.match(rf"Error parsing text-format tensorflow\.serving\.ModelServerConfig: {place}", text)
