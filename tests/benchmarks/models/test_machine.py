"""What is said of the machine."""

import pytest

from benchmarks.models.machine import busy, machine, processor, version
from benchmarks.models.memory import status_mib

CPUINFO = """processor\t: 0
vendor_id\t: AuthenticAMD
cpu family\t: 25
model\t\t: 17
model name\t: AMD EPYC
flags\t\t: fpu sse avx2 {vectors}

processor\t: 1
model\t\t: 17
"""


@pytest.mark.parametrize(("vectors", "named"), [("avx512f", "AVX-512"), ("", "AVX2")])
def test_a_processor_is_named_with_its_numbers_and_widest_vectors(vectors, named, tmp_path):
    (tmp_path / "cpuinfo").write_text(CPUINFO.format(vectors=vectors))
    assert processor(tmp_path / "cpuinfo") == f"AMD EPYC (family 25 model 17, {named})"


def test_a_machine_without_that_file_has_a_name_all_the_same(tmp_path):
    assert processor(tmp_path / "absent")


def test_the_machine_has_processor_cores_threads_and_versions():
    found = machine()
    assert int(found["cores"]) >= 1
    assert {"processor", "threads", "load", "system", "python", "tensorflow", "keras", "numpy"} <= found.keys()
    assert busy({"load": "1.97"})
    assert not busy({"load": "0.03"})
    assert version("no-such-library") is None


def test_memory_is_read_in_mib_from_the_status_of_the_process():
    status = "Name:\tpython\nVmPeak:\t 9999 kB\nVmHWM:\t 716800 kB\nVmRSS:\t  512000 kB\n"
    assert status_mib("VmHWM", status) == 700.0
    assert status_mib("VmRSS", status) == 500.0
    with pytest.raises(LookupError, match=r"no VmHWM in .* memory is measured on Linux"):
        status_mib("VmHWM", "Name:\tpython\n")
