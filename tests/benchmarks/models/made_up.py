"""Rows of a run that never was."""

from benchmarks.models.ratios import comparison

MACHINE = {
    "processor": "Abacus (family 1 model 2)",
    "cores": "2",
    "threads": "2",
    "load": "0.03",
    "system": "Linux x86_64",
    "python": "3.11.7",
    "tensorflow": "2.21.0",
    "keras": "3.15.1",
    "torch": "2.13.0",
    "numpy": "2.4.6",
}


def row(part="layers", kind="LSTM", task="forward", sizes=(1, 64, 64, 64), **more):
    named = dict(zip(("batch", "time", "features", "units"), sizes, strict=True))
    return {"benchmark": "layers", "part": part, "kind": kind, "task": task, **named, **more}


def timed(ours, keras, torch=None, compiled=True, **where):
    """A row of one round: milliseconds of our faster form (the other is ten times slower), of Keras's, of torch."""
    rounds = {"ours": [ours * 10 if compiled else ours], "ours compiled": [ours if compiled else ours * 10]}
    rounds |= {"keras": [keras], "keras compiled": [keras * 2]} | ({"torch": [torch]} if torch else {})
    return {**row(**where), **comparison(rounds), "rounds": rounds, "apart": {"keras": 3e-7}}


def mib(**of):
    """A row of peak memory: MiB by contender, _ for a blank."""
    figures = {name.replace("_", " "): {"median": peak, "low": peak, "high": peak} for name, peak in of.items()}
    return row("memory", task="gradients", mib=figures)


def grown(doubled, sizes, ms, peak):
    rounds = {"ours": [ms], "ours compiled": [ms * 2]}
    return {
        **row("growth", task="gradients", sizes=sizes, doubled=doubled, mib={"ours": peak}),
        **comparison(rounds),
        "rounds": rounds,
        "apart": {},
    }
