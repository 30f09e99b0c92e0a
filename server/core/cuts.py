"""Where totals tell a few sheets: thin cuts of the graph that two ways of dividing the same sheets make.

Its vertices are what totals are known of (agencies on one side, channels on the other), its edges the sheets that two
of them share and nobody is shown. Some agencies together less some channels together leave the sheets of the edges
between these vertices and all others: a cut. So no sum or difference of known totals tells fewer than `below` sheets
if, and only if, every cut that has any has as many.

Whether there is such a cut is found without looking at all: two vertices that no cut below `below` can part are one
(H. Nagamochi, T. Ono, T. Ibaraki, "Implementing an efficient minimum capacity cut algorithm", Mathematical Programming
67, 1994: scanning vertices by what ties them to those scanned already, every edge says how well its ends hang
together)."""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Hashable, Mapping
from typing import TypeVar

Vertex = TypeVar("Vertex", bound=Hashable)


def thin_cuts(edges: Mapping[tuple[Vertex, Vertex], int], below: int) -> list[frozenset[Vertex]]:
    """One side each of some cuts with more than 0 and fewer than `below` sheets; none where there is none at all.

    `edges`: sheets that two vertices share."""
    number: dict[Vertex, int] = {}
    left = [
        (number.setdefault(one, len(number)), number.setdefault(other, len(number)), count)
        for (one, other), count in edges.items()
        if count > 0
    ]
    over = list(range(len(number)))  # of each vertex one that it is one with
    joined = [(one, other) for one, other, count in left if count >= below]
    while left:
        for one, other in joined:
            over[_top(over, other)] = _top(over, one)
        near: dict[int, dict[int, int]] = defaultdict(dict)
        for one, other, count in left:
            a, b = _top(over, one), _top(over, other)
            if a != b:
                near[a][b] = near[b][a] = near[a].get(b, 0) + count
        thin = {one for one, others in near.items() if sum(others.values()) < below}
        if thin:
            members: dict[int, list[Vertex]] = defaultdict(list)
            for vertex, one in number.items():
                members[_top(over, one)].append(vertex)
            return [frozenset(members[one]) for one in sorted(thin)]
        left = [(one, other, count) for one, others in near.items() for other, count in others.items() if one < other]
        joined = _one_with(near, below)
    return []


def _top(over: list[int], one: int) -> int:
    while over[one] != one:
        over[one] = one = over[over[one]]
    return one


def _one_with(near: Mapping[int, Mapping[int, int]], below: int) -> list[tuple[int, int]]:
    """Pairs that no cut below `below` parts: at least one, where no single vertex is such a cut."""
    found: list[tuple[int, int]] = []
    held: dict[int, int] = {}
    scanned: set[int] = set()
    for start in near:
        heap = [(0, start)]
        while heap:
            _, one = heapq.heappop(heap)
            if one in scanned:
                continue
            scanned.add(one)
            for other, count in near[one].items():
                if other not in scanned:
                    held[other] = held.get(other, 0) + count
                    if held[other] >= below:
                        found.append((one, other))
                    heapq.heappush(heap, (-held[other], other))
    return found
