"""What a user gave cannot be used: the one error that the command line shows as one line."""


class InputError(ValueError):
    """Says what was given, what was expected and what to do; has no traceback at the command line."""
