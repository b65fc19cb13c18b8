import hashlib
import os

import pytest

from serving.auth_tokens import AuthTokens, Role, hashed, parse
from serving.errors import Code, ServingError

WEB, BOSS, LATER = "web-token", "boss-token", "later-token"


def line(name, role, token):
    return f"{name} {role} {hashlib.sha256(token.encode()).hexdigest()}\n"


@pytest.fixture
def path(tmp_path):
    file = tmp_path / "tokens"
    file.write_text("# who may call\n\n" + line("web", "predict", WEB) + line("boss", "admin", BOSS) + "  # end\n")
    return file


@pytest.fixture
def tokens(path):
    return AuthTokens(str(path))


def code_of(call, *values):
    with pytest.raises(ServingError) as error:
        call(values)
    return error.value.code


def test_a_token_is_known_by_its_hash(tokens):
    assert (tokens.caller([f"Bearer {WEB}"]).name, tokens.caller([f"bearer  {BOSS}"]).role) == ("web", Role.ADMIN)


@pytest.mark.parametrize(
    "values",
    [
        [],
        [""],
        ["Bearer"],
        ["Bearer "],
        [WEB],
        [f"Basic {WEB}"],
        [f"Bearer {WEB} x"],
        [f"Bearer {WEB}x"],
        [f"Bearer {hashed(WEB)}"],
        [f"Bearer {WEB}\x00"],
        ["Bearer é"],
        [f"Bearer {WEB}", f"Bearer {BOSS}"],
    ],
)
def test_anything_else_is_not(tokens, values):
    assert code_of(tokens.caller, *values) is Code.UNAUTHENTICATED


def test_an_admin_may_predict_and_only_an_admin_may_what_admins_may(tokens):
    assert tokens.admin([f"Bearer {BOSS}"]).name == "boss"
    assert code_of(tokens.admin, f"Bearer {WEB}") is Code.PERMISSION_DENIED
    assert code_of(tokens.admin) is Code.UNAUTHENTICATED


def test_two_lines_may_share_a_name_so_that_a_token_is_replaced_without_a_gap(path):
    path.write_text(line("web", "predict", WEB) + line("web", "predict", LATER))
    tokens = AuthTokens(str(path))
    assert {tokens.caller([f"Bearer {token}"]).name for token in (WEB, LATER)} == {"web"}


def test_a_file_that_changes_is_read_again_and_a_token_taken_out_is_refused_at_once(path, tokens, logged):
    path.write_text(line("later", "predict", LATER))
    assert tokens.caller([f"Bearer {LATER}"]).name == "later"
    assert code_of(tokens.caller, f"Bearer {WEB}") is Code.UNAUTHENTICATED
    assert f"Read 1 tokens from {path}" in logged()


@pytest.mark.parametrize("break_", [lambda p: p.write_text("web predict\n"), lambda p: p.write_text(""), os.unlink])
def test_a_file_that_breaks_keeps_the_tokens_known_and_says_so_once(path, tokens, logged, break_):
    break_(path)
    for _ in range(3):
        assert tokens.caller([f"Bearer {WEB}"]).name == "web"
    assert sum("The tokens known stay in force" in text for text in logged()) == 1


def test_a_file_that_is_well_again_is_read(path, tokens):
    os.unlink(path)
    assert tokens.caller([f"Bearer {WEB}"]).name == "web"
    path.write_text(line("later", "predict", LATER))
    assert tokens.caller([f"Bearer {LATER}"]).name == "later"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("# x\nweb predict\n", "f:2: 2 words; expected `name role token-hash`."),
        (line("web", "reader", WEB), "f:1: role 'reader'; expected one of predict, admin."),
        (
            f"web predict {WEB}\n",
            "f:1: the third word has 9 characters; expected the sha256 of the token, 64 hex digits. "
            "`python -m serving.token web predict` makes a line.",
        ),
        (
            line("web", "predict", WEB) + "\n" + line("boss", "admin", WEB),
            "f:3: the token of line 1; expected each token once, with one role.",
        ),
        ("# none\n", "f:1: no token in the file; expected `name role token-hash` on at least one line."),
    ],
)
def test_an_error_has_file_line_and_what_was_expected_and_never_the_third_word(text, message):
    with pytest.raises(ServingError) as error:
        parse(text, "f")
    assert (error.value.code, error.value.message) == (Code.INVALID_ARGUMENT, message)


def test_bytes_that_are_no_text_and_an_absent_file_are_errors(tmp_path):
    with pytest.raises(ServingError, match="No such file"):
        AuthTokens(str(tmp_path / "absent"))
    (tmp_path / "bytes").write_bytes(b"\xff\xfe")
    with pytest.raises(ServingError, match="bytes:1: bytes that are no UTF-8"):
        AuthTokens(str(tmp_path / "bytes"))
