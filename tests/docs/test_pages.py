"""The pages: every link leads somewhere, every named symbol is there, every Python block runs."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "models" / "zoo" / "cards").glob("*.md")])
LINK = re.compile(r"\[(?P<text>[^\]]*)\]\((?P<target>[^)#\s]+)(?:#[^)]*)?\)")
ANY_BLOCK = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
BLOCK = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)


def links(page):
    """The page's links to files of the repository: (text, target)."""
    prose = ANY_BLOCK.sub("", page.read_text())
    return [(m["text"], m["target"]) for m in LINK.finditer(prose) if not re.match(r"[a-z]+:", m["target"])]


def named(page):
    return str(page.relative_to(ROOT))


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_every_link_leads_to_a_file_and_its_symbol(page):
    for text, path in links(page):
        target = page.parent / path
        assert target.exists(), f"{named(page)} links to {path}"
        symbol = re.fullmatch(r"`(\w+)`", text)
        if symbol and target.suffix == ".py":
            assert symbol[1] in symbols(target), f"{named(page)}: {path} has no {symbol[1]}"


def symbols(path):
    """The names that a module defines at its top level."""
    found = set()
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            found.add(node.name)
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            found.add(node.target.id)
        elif isinstance(node, ast.Assign):
            found.update(target.id for target in node.targets if isinstance(target, ast.Name))
    return found


@pytest.mark.parametrize("page", [p for p in PAGES if BLOCK.search(p.read_text())], ids=named)
def test_every_python_block_runs(page, monkeypatch):
    monkeypatch.chdir(ROOT)
    exec(compile("\n".join(BLOCK.findall(page.read_text())), named(page), "exec"), {"__name__": "__main__"})


SLIDES = [f"S{number}" for number in range(1, 13)]


@pytest.mark.parametrize("slide", SLIDES)
def test_every_slide_has_its_row_with_formula_code_and_test(slide):
    (row,) = re.findall(rf"^\| {slide} \|.*$", (ROOT / "docs" / "equations.md").read_text(), re.MULTILINE)
    _, formula, code, test = (cell.strip() for cell in row.strip("|").split(" | "))
    assert formula
    for targets, folder in ((LINK.findall(code), "../models/"), (LINK.findall(test), "../tests/")):
        assert targets
        assert all(target.startswith(folder) for _, target in targets)


@pytest.mark.parametrize("slide", SLIDES)
def test_every_slide_has_an_example(slide):
    _, *sections = re.split(r"^## ", (ROOT / "docs" / "equations.md").read_text(), flags=re.MULTILINE)
    (section,) = [part for part in sections if slide in re.findall(r"S\d+", part.splitlines()[0])]
    assert any("assert" in block for block in BLOCK.findall(section))


def test_the_readme_shows_the_step_as_it_is():
    in_readme, in_code = (
        re.search(r"    i, f, o, g = .*?\n    return [^\n]*", (ROOT / path).read_text(), re.DOTALL)[0]
        for path in ("README.md", "models/layers/equations/lstm.py")
    )
    assert in_readme == in_code


def test_every_page_is_reached_from_the_index():
    reached, queue = set(), [ROOT / "README.md"]
    while queue:
        page = queue.pop().resolve()
        if page in reached or page.suffix != ".md":
            continue
        reached.add(page)
        queue += [page.parent / path for _, path in links(page) if (page.parent / path).exists()]
    assert {named(p) for p in PAGES} - {named(p) for p in reached} == set()


def test_the_recorded_card_has_the_figures_that_the_readme_shows():
    recorded = (ROOT / "docs" / "model_cards" / "weather.md").read_text()
    assert recorded.startswith((ROOT / "models" / "zoo" / "cards" / "weather.md").read_text().rstrip())
    row = re.search(r"\| weather \(this version\) \| ([\d.]+) \| ([\d.]+) \| ([\d.]+) \|", recorded)
    shown = re.search(r"weather \(LSTM\) +([\d.]+) C +([\d.]+) C +([\d.]+)", (ROOT / "README.md").read_text())
    for in_card, in_readme in zip(row.groups(), shown.groups(), strict=True):
        assert abs(float(in_card) - float(in_readme)) <= 0.0051, "the README rounds to two places"


def test_the_card_that_comes_along_with_intent_slots_has_the_figures_that_the_card_states():
    card = (ROOT / "models" / "zoo" / "cards" / "intent-slots.md").read_text()
    recorded = (ROOT / "models" / "weights" / "intent-slots" / "assets.extra" / "model_card.md").read_text()
    row = re.search(r"\| intent-slots \(this version\) \| ([\d.]+) \| ([\d.]+) \| ([\d.]+) \|", recorded)
    stated = re.search(r"slot F1 ([\d.]+), intents ([\d.]+), utterances ([\d.]+),", card)
    assert [float(figure) for figure in stated.groups()] == [float(figure) for figure in row.groups()]
