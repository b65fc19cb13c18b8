"""The time of a call: asked with the export's own warm-up request."""

import numpy as np
import pytest
import tensorflow as tf

from training.export.command import export
from training.export.saved_model import write_warmup
from training.tasks.given import EXAMPLES
from training.zoo.latency import latency_ms, warmup_request


def test_the_request_is_the_one_that_was_written_for_serving_default(tmp_path):
    folder = export("xor", tmp_path)
    (asked,) = warmup_request(folder).items()
    assert asked[0] == "x"
    np.testing.assert_array_equal(asked[1], EXAMPLES["xor"]["serving_default"]["x"])
    assert 0 < latency_ms(folder) < 60_000


def test_an_export_without_such_a_request_is_an_error(tmp_path):
    (tmp_path / "assets.extra").mkdir()
    path = tmp_path / "assets.extra" / "tf_serving_warmup_requests"
    write_warmup(path, "xor", {"classify": EXAMPLES["xor"]["classify"]})
    with pytest.raises(ValueError, match="no request for serving_default"):
        warmup_request(tmp_path)
    assert list(tf.data.TFRecordDataset(str(path)))
