"""How a user's mistake looks at the command line: one line, and a status that is not 0."""

from typing import Any

import click

HINTS = {
    28: "free some space on that disk, or set SEQZOO_HOME to a folder on another",
    13: "choose a folder you may write to",
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
    if names & {"InputError", "UnknownModelError", "ClientError"}:
        return _joined(error)
    if isinstance(error, OSError) and error.errno is not None:
        hint = HINTS.get(error.errno, "check that path")
        return f"{error.filename or 'a file'}: {error.strerror}; {hint}."
    if "MlflowException" in names or module.startswith("sqlalchemy"):
        return f"the MLflow store refused: {_joined(error)}; check MLFLOW_TRACKING_URI and the space on its disk."
    if module.startswith("tensorflow") and "No space left" in str(error):
        return f"{_joined(error)}; {HINTS[28]}."
    return None


def _joined(error: Exception) -> str:
    return " ".join(str(error).split())
