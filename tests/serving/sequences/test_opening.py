import pytest

from serving.clock import SystemClock
from serving.errors import ServingError
from serving.sequences.opening import open_store


@pytest.mark.parametrize("text", ["", "disk", "Memory", "files:/tmp"])
def test_a_store_that_is_none_is_refused(text):
    with pytest.raises(ServingError, match=f"sequence_store is '{text}'; expected memory"):
        open_store(text, SystemClock())
