"""What the long check has reached, as a table of docs/sequences.md.

python -m tests.serving.sequences.checker.report benchmarks/results/soak_sequences.json docs/sequences.md
"""

import argparse
import json
from collections import Counter
from pathlib import Path

BEGIN, END = "<!-- soak-sequences: begin -->", "<!-- soak-sequences: end -->"
HEAD = ("store", "steps", "sequences", "seeds", "minutes", "events", "errors, each as it is listed")


def table(parts):
    """A line for each store, and one for all."""
    stores = list(dict.fromkeys(part["store"] for part in parts))
    lines = [_line(store, [part for part in parts if part["store"] == store]) for store in stores]
    rows = [HEAD, ("---",) * len(HEAD), *lines, _line("all", parts)]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _line(name, parts):
    counts, events = Counter(), Counter()
    for part in parts:
        counts.update(part["counts"])
        events.update(part["events"])
    errors = sum(n for what, n in counts.items() if what.startswith("answer: ") and what != "answer: OK")
    seeds = len({part["seed"] for part in parts})
    minutes = sum(part["seconds"] for part in parts) / 60
    numbers = (counts["steps"], counts["sequences"], seeds, round(minutes), sum(events.values()), errors)
    return (name, *(f"{number:,}" for number in numbers))


def shown(page, result):
    """The page with the table in its place. Raises ValueError when it has none."""
    before, _, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not end:
        raise ValueError(f"the page has no {BEGIN} and {END}; put them where the table belongs")
    where = result["machine"]
    about = f"On {where['processor']}, {where['cores']} cores, Python {where['python']}:"
    return f"{before}{BEGIN}\n{about}\n\n{table(result['parts'])}\n{END}{after}"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("result", type=Path)
    parser.add_argument("page", type=Path)
    given = parser.parse_args()
    given.page.write_text(shown(given.page.read_text(), json.loads(given.result.read_text())))


if __name__ == "__main__":
    main()
