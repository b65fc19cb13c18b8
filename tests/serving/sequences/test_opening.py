import re

import pytest

from serving.clock import SystemClock
from serving.errors import ServingError
from serving.sequences.opening import open_store


@pytest.mark.parametrize(
    "text", ["", "disk", "Memory", "files:/tmp", "file:", "file:?sync=always", "file:x?sync=never"]
)
def test_a_store_that_is_none_is_refused(text):
    with pytest.raises(ServingError, match=re.escape(f"sequence_store is {text!r}") + "; expected memory, file:DIR"):
        open_store(text, SystemClock())
