import pytest

from serving.calls import ModelSpec
from serving.errors import InvalidArgumentError
from serving.rest_routes import API, Route, route, stream_route

LONG = f"/v1/models/m/versions/{'0' * 5000}"


@pytest.mark.parametrize(
    ("method", "target", "call", "spec"),
    [
        ("POST", "/v1/models/m:predict", "predict", ModelSpec("m")),
        ("POST", "/v1/models/m/versions/12:predict", "predict", ModelSpec("m", version=12)),
        ("POST", "/v1/models/m/labels/stable:predict", "predict", ModelSpec("m", label="stable")),
        ("POST", "/v1/models/m:classify", "classify", ModelSpec("m")),
        ("POST", "/v1/models/m:regress", "regress", ModelSpec("m")),
        ("POST", "/V1/MODELS/M/Versions/1:predict", "predict", ModelSpec("M", version=1)),
        ("POST", "/v1/models/a%2Fb%3ac:predict", "predict", ModelSpec("a/b:c")),
        ("POST", "/v1/models/m/labels/a%20b:predict", "predict", ModelSpec("m", label="a b")),
        ("GET", "/v1/models/m", "status", ModelSpec("m")),
        ("GET", "/v1/models/m/versions/0", "status", ModelSpec("m", version=0)),
        ("GET", "/v1/models/m/labels/x", "status", ModelSpec("m", label="x")),
        ("GET", "/v1/models/m/metadata", "metadata", ModelSpec("m")),
        (
            "GET",
            "/v1/models/m/versions/9223372036854775807/metadata",
            "metadata",
            ModelSpec("m", version=(1 << 63) - 1),
        ),
        pytest.param("GET", LONG, "status", ModelSpec("m", version=0), id="zeros"),
        pytest.param("POST", f"{LONG}12:predict", "predict", ModelSpec("m", version=12), id="zeros before"),
        ("GET", "/v1/models/m/METADATA", "status", ModelSpec("m")),
        ("GET", "/v1/models/metadata", "status", ModelSpec("metadata")),
        ("GET", "/v1/models/m?x=1", "status", ModelSpec("m?x=1")),
    ],
)
def test_targets_that_mean_a_call(method, target, call, spec):
    assert route(method, target) == Route(call, spec)


@pytest.mark.parametrize(
    ("method", "target"),
    [
        ("GET", "/v1/models/foo:predict"), ("POST", "/v1/models/foo"), ("POST", "/v1/models/foo:PREDICT"),
        ("POST", "/v1/models/foo:predict?x=1"), ("POST", "/v1/models/foo/versions/1/labels/a:predict"),
        ("POST", "/v1/models/foo/versions/-1:predict"), ("POST", "/v1/models/foo/versions/x:predict"),
        ("POST", "/v1/models/:predict"), ("POST", "/v1/models/a:b:predict"), ("POST", "/v1/models/foo:explain"),
        ("GET", "/v1/models/"), ("GET", "/v1/models/foo/"), ("GET", "/v1/"), ("GET", "/v1/model/foo"),
        ("HEAD", "/v1/models/foo"), ("PUT", "/v1/models/foo:predict"), ("DELETE", "/v1/models/foo"), ("PATCH", "/v1/x"),
    ],
)  # fmt: skip
def test_targets_that_fit_no_route_are_malformed(method, target):
    with pytest.raises(InvalidArgumentError) as error:
        route(method, target)
    assert error.value.message == f"Malformed request: {method} {target}"


@pytest.mark.parametrize("target", ["/v1/models", "/v1/models/versions/3", "/v1/models/labels/a"])
def test_a_name_is_required(target):
    with pytest.raises(InvalidArgumentError, match=r"^Missing model name in request\.$"):
        route("GET", target)


@pytest.mark.parametrize(
    "digits", ["9223372036854775808", "9" * 5000, "0" * 5000 + "9" * 20], ids=["one over", "long", "zeros before"]
)
@pytest.mark.parametrize(("method", "end"), [("POST", ":predict"), ("GET", ""), ("GET", "/metadata")])
def test_a_version_over_int64_is_refused(method, end, digits):
    with pytest.raises(InvalidArgumentError) as error:
        route(method, f"/v1/models/m/versions/{digits}{end}")
    assert error.value.message == f"Failed to convert version: {digits} to numeric."


def test_a_stream_takes_versions_as_other_calls_do():
    target = "/v1/models/m/versions/{}:generate_stream"
    assert stream_route("POST", target.format("0" * 5000 + "7")) == ModelSpec("m", version=7)
    with pytest.raises(InvalidArgumentError) as error:
        stream_route("POST", target.format("9" * 5000))
    assert error.value.message == f"Failed to convert version: {'9' * 5000} to numeric."


def test_the_api_begins_with_v1_in_any_case():
    assert API.fullmatch("/V1/x")
    assert not API.fullmatch("/v1")
    assert not API.fullmatch("/v2/models/m")
