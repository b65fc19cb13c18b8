"""What a client raises."""

from serving.errors import ServingError


class ClientError(ServingError):
    """The server's answer to a call that failed, or why there was none."""
