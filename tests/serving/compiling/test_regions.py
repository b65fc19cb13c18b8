from hypothesis import given, settings
from hypothesis import strategies as st

from serving.compiling.regions import regions


@st.composite
def graphs(draw):
    """Operations in an order in which they can run, the safe ones, and pairs that belong together."""
    names = [f"n{i:02}" for i in range(draw(st.integers(1, 14)))]
    sources = {
        name: draw(st.lists(st.sampled_from(names[:i]), max_size=3)) if i else [] for i, name in enumerate(names)
    }
    safe = set(draw(st.lists(st.sampled_from(names))))
    edges = [(one, name) for name, read in sources.items() for one in read]
    bound = draw(st.lists(st.sampled_from(edges), max_size=3)) if edges else []
    return sources, safe, bound


def after(sources, names):
    """All that reads these, directly or not."""
    found = set(names)
    for name, read in sources.items():
        if found & set(read):
            found.add(name)
    return found - set(names)


@settings(max_examples=500)
@given(graphs())
def test_no_way_leads_out_of_a_region_and_back(graph):
    sources, safe, bound = graph
    found = regions(sources, safe, bound)
    for region in found.values():
        outside = after(sources, region)
        assert not after(sources, outside) & region


@settings(max_examples=500)
@given(graphs())
def test_regions_are_of_safe_operations_and_hold_what_belongs_together(graph):
    sources, safe, bound = graph
    found = regions(sources, safe, bound)
    of = {name: level for level, region in found.items() for name in region}
    assert of.keys() <= safe
    assert all(of.get(one) == of.get(other) for one, other in bound)
    if not bound:
        assert of.keys() == safe


@settings(max_examples=200)
@given(graphs())
def test_with_nothing_unsafe_there_is_one_region(graph):
    sources, _, bound = graph
    assert regions(sources, set(sources), bound) == {0: set(sources)}


def test_what_an_assertion_guards_is_one_region_with_what_it_alone_needs():
    sources = {
        "x": [], "right": ["x"], "assert": ["right"], "zeros": [], "product": ["x"],
        "guarded": ["product", "assert"], "loop": ["guarded", "zeros"], "text": ["loop"], "again": ["text"],
    }  # fmt: skip
    found = regions(sources, set(sources) - {"assert", "text"}, [])
    assert found == {0: {"x", "right"}, 1: {"product", "zeros", "guarded", "loop"}, 2: {"again"}}


def test_a_pair_with_something_unsafe_between_is_left_out():
    sources = {"list": [], "cut": ["list"], "where": ["cut"], "set": ["list", "where"], "end": ["set"]}
    assert regions(sources, set(sources) - {"where"}, [("list", "set")]) == {1: {"cut"}, 2: {"end"}}
