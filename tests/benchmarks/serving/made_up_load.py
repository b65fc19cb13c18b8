"""Rows of a run of the server's benchmark that never was."""


def load(server, form="rest", concurrency=32, rate=1000.0, p50=1.0, p99=2.0, start=2.0, mib=500.0, errors=0, **more):
    """more: request and tool, which older runs have not; rounds."""
    return {
        "part": "load",
        "server": server,
        "form": form,
        "concurrency": concurrency,
        "rate": rate,
        "p50": p50,
        "p99": p99,
        "requests": 100,
        "errors": errors,
        "start_seconds": start,
        "resident_mib": mib,
        "rounds": {"rate": [rate]},
        **more,
    }


BARE = {"part": "bare", "call_ms": 0.2, "import_seconds": 1.5, "import_mib": 450.0}
