"""Requests that schemathesis makes from the server's own description, and answers held to what it says of them."""

import json
from functools import partial
from typing import Any

import requests
import schemathesis
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.core.failures import Failure, FailureGroup
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from benchmarks.serving.soak.faces import HTTP_STATUSES, SECONDS
from benchmarks.serving.soak.inputs import DescribedInput

CONFORMANCE = [
    content_type_conformance, response_headers_conformance, response_schema_conformance, status_code_conformance,
]  # fmt: skip
POSITIVE, NEGATIVE = "REST, as described", "REST, not as described"
LATE, COUNTING = 504, "steps"  # the signature of `kinds` in the models of the tests


def strategies(root: str, session: requests.Session) -> dict[str, st.SearchStrategy[DescribedInput]]:
    """Two kinds of inputs for the server at that address (`http://host:port`), sent over the session: requests to all
    that it describes, and bodies that its description does not allow. Raises requests.RequestException without one."""
    answer = session.get(f"{root}/openapi.json", timeout=SECONDS)
    answer.raise_for_status()
    schema: Any = schemathesis.openapi.from_dict(answer.json())
    schema.config.update(base_url=root)
    operations = [found.ok() for found in schema.get_all_operations()]
    runs = [operation for operation in operations if operation.method == "post"]  # what is only read has no body
    made = {
        POSITIVE: [operation.as_strategy(generation_mode=GenerationMode.POSITIVE) for operation in operations],
        NEGATIVE: [operation.as_strategy(generation_mode=GenerationMode.NEGATIVE) for operation in runs],
    }
    return {
        kind: st.one_of(cases).map(lambda case: DescribedInput(case, partial(_sent, case, session)))
        for kind, cases in made.items()
    }


def _sent(case: Any, session: requests.Session) -> tuple[str, str | None]:
    """The status of the answer, and what there is to complain of."""
    try:
        response = case.call(session=session, timeout=SECONDS)
    except requests.RequestException as error:
        return "none", f"no answer: {error!r}"
    return str(response.status_code), complaint(case, response)


def complaint(case: Any, response: Any) -> str | None:
    """What is wrong with an answer: a status that no input may lead to, an error without its text, or what the
    description does not say."""
    status, content = response.status_code, response.content
    if response.headers["content-type"][0].startswith("text/html"):  # a path or method that is none
        return None if status in (404, 501) else f"{status} as HTML"
    if status == 200 and not _is_utf_8(content):
        return None  # an output of strings goes back as the bytes that it is, as in the stock server
    if status not in HTTP_STATUSES and not (status == LATE and _counts(case)):
        return f"{status}: {content[:200]!r}"
    try:
        case.validate_response(response, checks=CONFORMANCE)
        if status != 200 and set(json.loads(content)) != {"error"}:
            return f"{status}: {content[:200]!r}"
    except (Failure, FailureGroup, ValueError) as error:
        return f"{status}: {error}"
    return None


def _counts(case: Any) -> bool:
    """Whether the model is asked to count, as far as the input says: that may well take longer than a call may."""
    return isinstance(case.body, dict) and case.body.get("signature_name") == COUNTING


def _is_utf_8(content: bytes) -> bool:
    try:
        content.decode()
    except UnicodeDecodeError:
        return False
    return True
