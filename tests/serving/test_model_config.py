import pytest
from google.protobuf import text_format

from serving import model_config
from serving.errors import InvalidArgumentError
from serving.model_config import ModelConfig, ModelServerConfig, VersionPolicy


def config(text):
    return text_format.Parse(f"model_config_list {{ {text} }}", ModelServerConfig())


def entry(**fields):
    fields = {"name": '"a"', "base_path": '"/a"', "model_platform": '"tensorflow"'} | fields
    return "config { " + " ".join(f"{k}: {v}" for k, v in fields.items() if v is not None) + " }"


def refused(text, check=model_config.models):
    with pytest.raises(InvalidArgumentError) as error:
        check(config(text))
    return error.value.message


def check_platforms(found):
    model_config.check_platforms(model_config.models(found))


def test_an_entry_is_read_with_policy_and_labels():
    text = (
        'config { name: "a" base_path: "/a" model_platform: "tensorflow" model_version_policy { specific { versions: 3 '
        'versions: 1 } } version_labels { key: "stable" value: 1 } }'
    )
    (found,) = model_config.models(config(text))
    assert found == ModelConfig(
        "a", "/a", policy=VersionPolicy("specific", specific=frozenset((1, 3))), labels={"stable": 1}
    )


@pytest.mark.parametrize(
    ("text", "policy"),
    [
        (None, VersionPolicy("latest", 1)),
        ("{ latest {} }", VersionPolicy("latest", 1)),
        ("{ all {} }", VersionPolicy("all")),
        ("{ latest { num_versions: 0 } }", VersionPolicy("latest", 1)),
        ("{ latest { num_versions: 2 } }", VersionPolicy("latest", 2)),
    ],
)
def test_policies(text, policy):
    (found,) = model_config.models(config(entry(model_version_policy=text)))
    assert found.policy == policy


def test_the_single_model_of_the_flags_is_a_list_with_one_entry():
    assert model_config.models(model_config.single("m", "/m")) == [ModelConfig("m", "/m")]


def test_a_name_listed_twice_is_refused():
    assert refused(entry() + entry()) == "Illegal to list model a multiple times in config list"


@pytest.mark.parametrize("path", ["models/a", "./a", ""])
def test_a_relative_base_path_is_refused(path):
    assert refused(entry(base_path=f'"{path}"')) == (
        f"Expected model a to have an absolute path or URI; got base_path()={path}"
    )


def test_a_uri_is_no_relative_path():
    assert model_config.models(config(entry(base_path='"gs://bucket/a"')))


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        (
            {"model_type": "TENSORFLOW"},
            "Illegal setting both ModelServerConfig::model_type (deprecated) and "
            "ModelServerConfig::model_platform, model "
            "name is a",
        ),
        (
            {"model_platform": None},
            "Illegal setting neither ModelServerConfig::model_type (deprecated) nor ModelServerConfig::model_platform, "
            "model name is a",
        ),
        (
            {"model_platform": None, "model_type": "OTHER"},
            "ModelServerConfig::model_type choice 2 not supported.",
        ),
        ({"model_platform": '"torch"'}, "Model a requests unsupported platform torch"),
    ],
)
def test_platforms_that_are_not_served_are_refused(fields, text):
    assert refused(entry(**fields), check_platforms) == text


def test_the_old_model_type_means_the_same_platform():
    check_platforms(config(entry(model_platform=None, model_type="TENSORFLOW")))


def test_the_platform_of_a_known_name_must_not_change():
    before = [ModelConfig("a", "/a")]
    with pytest.raises(InvalidArgumentError) as error:
        model_config.check_platform_changes(before, [ModelConfig("a", "/a", "torch")])
    assert error.value.message == (
        "Illegal to change a model's platform. For model a platform was tensorflow and new platform requested is torch"
    )
    model_config.check_platform_changes(before, [ModelConfig("b", "/b", "torch"), ModelConfig("a", "/elsewhere")])
