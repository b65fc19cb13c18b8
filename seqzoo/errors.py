"""How a user's mistake looks at the command line: one line, and a status that is not 0."""

import errno
import os
from typing import Any

import click

FULL = "free some space there, or set SEQZOO_HOME to a folder on another disk"
CLOSED = "choose a folder that you may write to"
HINTS = {
    errno.ENOSPC: FULL,
    errno.EDQUOT: FULL,
    errno.EFBIG: FULL,
    errno.EACCES: CLOSED,
    errno.EPERM: CLOSED,
    errno.EROFS: CLOSED,
}


class OneLineErrors(click.Group):
    """Shows what a user can mend as one line; anything else, and all with --debug, as a traceback."""

    def invoke(self, ctx: click.Context) -> Any:
        """Runs the command."""
        try:
            return super().invoke(ctx)
        except Exception as error:
            text = one_line(error)
            if text is None or ctx.params.get("debug"):
                raise
            raise click.ClickException(text) from error


def one_line(error: Exception) -> str | None:
    """What to tell the user, or None when it is no mistake of theirs."""
    module = type(error).__module__
    names = {c.__name__ for c in type(error).__mro__}
    if names & {"InputError", "UnknownModelError", "UnknownCellError", "ClientError"}:
        return _joined(error)
    if isinstance(error, OSError) and error.errno is not None:
        hint = HINTS.get(error.errno, "check that path")
        return f"{error.filename or 'a file'}: {error.strerror}; {hint}."
    if "MlflowException" in names or module.startswith("sqlalchemy"):
        return f"the MLflow store refused: {_joined(error)}; check MLFLOW_TRACKING_URI and the space on its disk."
    if module.startswith("tensorflow"):  # its file errors have the system's words, but no number
        return next((f"{_joined(error)}; {hint}." for n, hint in HINTS.items() if os.strerror(n) in str(error)), None)
    return None


def _joined(error: Exception) -> str:
    return " ".join(str(error).split())
