"""The curl line of the tour."""

import json
import re

import numpy as np

from seqzoo.question import curl_line


def test_the_curl_line_holds_the_last_days_in_short_digits():
    inputs = {
        "temp_max": np.array([[1.1, 2.2, 3.3, 4.4]], np.float32),
        "day_of_year": np.array([[1, 2, 3, 4]], np.float32),
        "lengths": np.array([4], np.int32),
    }
    line = curl_line("http://localhost:1/v1/models/m:predict", inputs, last=2)
    body = re.fullmatch(r"curl -d '(.*)' http://localhost:1/v1/models/m:predict", line)[1]
    assert json.loads(body) == {"instances": [{"temp_max": [3.3, 4.4], "day_of_year": [3, 4], "lengths": 2}]}
    assert "3.3," in body
