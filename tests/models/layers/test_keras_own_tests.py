"""Keras's own tests of its recurrent layers, with ours in their place."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from keras.src.layers import rnn

FOLDER = Path(rnn.__file__).parent
FILES = [
    "lstm_test.py", "gru_test.py", "simple_rnn_test.py", "bidirectional_test.py", "stacked_rnn_cells_test.py",
]  # those that make a layer or a cell that ours take the place of  # fmt: skip
NOT_OURS = "fused_gru or fused_lstm"  # of Keras's inner path for a pair of its own layers under JAX


@pytest.mark.skipif(not (FOLDER / FILES[0]).exists(), reason="this Keras was installed without its tests")
def test_they_pass_with_our_layers(tmp_path):
    plugin = ["-p", "tests.models.layers.in_their_place", "-p", "no:cacheprovider", "-c", "/dev/null"]
    command = [sys.executable, "-m", "pytest", *plugin, f"--rootdir={tmp_path}", "-q", "-k", f"not ({NOT_OURS})"]
    root = Path(__file__).parents[3]
    done = subprocess.run(
        [*command, *(str(FOLDER / name) for name in FILES)], cwd=root, capture_output=True, text=True, timeout=280,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-3000:]
    assert int(re.search(r"(\d+) passed", done.stdout)[1]) >= 35
