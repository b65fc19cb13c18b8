"""The machine that figures come from, and how the process that measures is set up."""

import os
import platform
import re
from importlib import metadata
from pathlib import Path

THREADS = 2  # for TensorFlow's and torch's operations
BUSY = 0.5  # processes that ran in the last minute
LIBRARIES = ("tensorflow", "keras", "torch", "numpy")


def set_up_process() -> None:
    """Keeps TensorFlow's log lines away; to be called before it is imported."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


def machine() -> dict[str, str]:
    """Processor, cores, threads, load, system and versions, as they stand in each row."""
    return {
        "processor": processor(Path("/proc/cpuinfo")),
        "cores": str(cores()),
        "threads": str(THREADS),
        "load": f"{os.getloadavg()[0]:.2f}",
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        **{name: found for name in LIBRARIES if (found := version(name))},
    }


def cores() -> int:
    """Those that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def busy(where: dict[str, str]) -> bool:
    """Whether other work ran before: torch's threads then wait for one that is not running, up to half a second."""
    return float(where["load"]) > BUSY


def processor(cpuinfo: Path) -> str:
    """The model with family and model number, since a virtual machine's name says little ("AMD EPYC")."""
    if not cpuinfo.exists():
        return platform.processor() or "unknown"
    found = dict(re.findall(r"^(model name|cpu family|model|flags)\s*: (.*)$", cpuinfo.read_text(), re.MULTILINE))
    vectors = "AVX-512" if "avx512f" in found.get("flags", "") else "AVX2" if "avx2" in found.get("flags", "") else ""
    numbers = f"family {found.get('cpu family', '?')} model {found.get('model', '?')}"
    return f"{found.get('model name', 'unknown')} ({', '.join(filter(None, (numbers, vectors)))})"


def version(library: str) -> str | None:
    """The installed version, None where it is absent."""
    try:
        return metadata.version(library)
    except metadata.PackageNotFoundError:
        return None
