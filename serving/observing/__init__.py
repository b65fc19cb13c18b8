"""What is told about each request: its id, a line in the log, a span."""

from serving.observing.observer import Observer
from serving.observing.request import CURRENT, Request

__all__ = ["CURRENT", "Observer", "Request"]
