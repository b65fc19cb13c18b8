"""Which operations are compiled together.

    level of a safe operation    =  max( level of a safe source, 1 + level of an unsafe one )
    level of an unsafe operation =  max( level of a source )

The safe ones of one level are a region: whatever lies between two of them is of their level, and safe, so that a region
can run as one call. Each then goes as late as what reads it allows, which leaves fewer values to be handed over."""

from collections.abc import Collection, Iterable, Mapping, Sequence


def regions(
    sources: Mapping[str, Sequence[str]], safe: Collection[str], bound: Iterable[tuple[str, str]]
) -> dict[int, set[str]]:
    """Level -> the safe operations of it.

    sources: operation -> those that it reads or waits for, in an order in which they can run; bound: pairs of a source
    and its reader between which nothing can be handed over: they are in one region, or in none."""
    joined = _joined(sources, bound)
    safe = {name for name in safe if all(one in safe for one in joined[name])}
    while left := sources.keys() - {name for group in _order(sources, joined) for name in group}:
        cycle = next(found for name in left if (found := _cycle(sources, joined, joined[name])))
        if cycle <= safe:
            joined |= dict.fromkeys(cycle, cycle)
        else:  # a group of it would have to run both before and after something unsafe
            safe -= {name for name in cycle if len(joined[name]) > 1}
            joined |= {name: {name} for name in cycle}
    return _levels(sources, safe, joined, _order(sources, joined))


def _joined(sources: Mapping[str, Sequence[str]], bound: Iterable[tuple[str, str]]) -> dict[str, set[str]]:
    """Operation -> its group."""
    groups = {name: {name} for name in sources}
    for one, other in bound:
        if groups[one] is not groups[other]:
            groups[one] |= groups[other]
            for name in groups[other]:
                groups[name] = groups[one]
    return groups


def _cycle(sources: Mapping[str, Sequence[str]], joined: Mapping[str, set[str]], group: set[str]) -> set[str]:
    """The operations of all groups that this one waits for and that wait for it."""
    before = _before(sources, joined, group)
    return {name for name in before if group & _before(sources, joined, joined[name])} if group & before else set()


def _before(sources: Mapping[str, Sequence[str]], joined: Mapping[str, set[str]], group: set[str]) -> set[str]:
    """The operations of all groups that a group waits for."""
    found: set[str] = set()
    waiting = [one for name in group for one in sources[name] if one not in group]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found |= joined[name]
            waiting += [one for other in joined[name] for one in sources[other] if one not in joined[name]]
    return found


def _order(sources: Mapping[str, Sequence[str]], joined: Mapping[str, set[str]]) -> list[set[str]]:
    """The groups, each after its sources; without those that wait for themselves, and what waits for them."""
    first = {name: min(group) for name, group in joined.items()}  # stands for its group
    readers: dict[str, set[str]] = {name: set() for name in set(first.values())}
    missing = dict.fromkeys(readers, 0)
    for name, read in sources.items():
        for one in read:
            if first[one] != first[name] and first[name] not in readers[first[one]]:
                readers[first[one]].add(first[name])
                missing[first[name]] += 1
    ready = [name for name, count in missing.items() if not count]
    order = []
    while ready:
        name = ready.pop()
        order.append(joined[name])
        for reader in readers[name]:
            missing[reader] -= 1
            if not missing[reader]:
                ready.append(reader)
    return order


def _levels(
    sources: Mapping[str, Sequence[str]], safe: set[str], joined: Mapping[str, set[str]], order: list[set[str]]
) -> dict[int, set[str]]:
    readers: dict[str, list[str]] = {name: [] for name in sources}
    level: dict[str, int] = {}
    for group in order:
        read = {one for name in group for one in sources[name]} - group
        after = max((level[one] + (one not in safe and group <= safe) for one in read), default=0)
        level |= dict.fromkeys(group, after)
        for name in group:
            for one in sources[name]:
                readers[one].append(name)
    for group in reversed(order):
        by = [level[reader] for name in group for reader in readers[name] if reader not in group]
        if by and group <= safe:
            level |= dict.fromkeys(group, min(by))
    found: dict[int, set[str]] = {}
    for name in safe:
        found.setdefault(level[name], set()).add(name)
    return found
