"""Operations that come with a package beside TensorFlow, which makes them known when it is imported.

Nothing is imported before a load fails by such an operation: an import takes seconds, and most models need none."""

import importlib
import logging
import re
from collections.abc import Callable
from typing import NamedTuple, TypeVar

from serving.errors import ServingError

log = logging.getLogger(__name__)
UNKNOWN = re.compile(r"Op type not registered '([^']+)'")
Found = TypeVar("Found")


class Package(NamedTuple):
    """A package that has operations of its own."""

    module: str
    name: str  # as pip knows it
    ops: re.Pattern[str]  # how the names of its operations begin


PACKAGES = (
    Package(
        "tensorflow_text",
        "tensorflow-text",
        re.compile(
            "TFText>|Sentencepiece|WhitespaceTokenize|UnicodeScriptTokenize|WordpieceTokenize|FastWordpiece|FastBert|"
            "SplitMerge|RegexSplit|SentenceFragments|CaseFoldUTF8|NormalizeUTF8|FindSourceOffsets|ConstrainedSequence|"
            "RougeL|MaxSpanningTree"
        ),
    ),
    Package("tensorflow_decision_forests", "tensorflow-decision-forests", re.compile("SimpleML")),
)


def with_packages(load: Callable[[], Found]) -> Found:
    """What the load gives. Where it fails by an operation that is unknown, the packages that are installed are imported
    and it is tried once more.

    Raises its ServingError; for the operation of a package that is known the text goes on with the package's name."""
    try:
        return load()
    except ServingError as error:
        if UNKNOWN.search(error.message) is None:
            raise
        failure = error
    if _import_installed():
        try:
            return load()
        except ServingError as error:
            failure = error
    raise _explained(failure) from failure


def _import_installed() -> bool:
    """Whether there was one."""
    found = False
    for package in PACKAGES:
        try:
            importlib.import_module(package.module)
            found = True
        except ModuleNotFoundError as error:
            if error.name != package.module:
                log.warning("%s is installed, but cannot be imported: %s", package.name, error)
        except Exception as error:  # such as one made for another TensorFlow
            log.warning("%s is installed, but cannot be imported: %s", package.name, error)
    return found


def _explained(error: ServingError) -> ServingError:
    unknown = UNKNOWN.search(error.message)
    for package in PACKAGES:
        if unknown is not None and package.ops.match(unknown[1]):
            advice = f"{unknown[1]} is an operation of {package.name}: install it beside this server."
            return ServingError(f"{error.message} {advice}", error.code)
    return error
