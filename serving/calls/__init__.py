"""The calls that both faces share. A face decodes, calls, encodes."""

from serving.calls.calls import Calls
from serving.calls.model_spec import ModelSpec

__all__ = ["Calls", "ModelSpec"]
