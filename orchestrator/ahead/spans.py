"""Spans of time: from when to when, in seconds; what they have in common and what they leave."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import pairwise

Span = tuple[float, float]


def union(spans: Iterable[Span]) -> list[Span]:
    """Return spans in order, those that touch as one; empty ones are left out."""
    found: list[Span] = []
    for start, end in sorted(spans):
        if found and start <= found[-1][1]:
            found[-1] = (found[-1][0], max(found[-1][1], end))
        elif end > start:
            found.append((start, end))
    return found


def free_spans(spans: Sequence[Span], n: int, until_s: float) -> list[Span]:
    """Return when fewer than n of some spans are under way, from 0 until a time."""
    changes = Counter[float]()
    for start, end in spans:
        changes[start] += 1
        changes[end] -= 1
    marks = sorted({0.0, until_s, *(at_s for at_s in changes if 0.0 < at_s < until_s)})
    found, under_way = list[Span](), 0
    for start, end in pairwise(marks):
        under_way += changes[start]
        if under_way < n:
            found.append((start, end))
    return union(found)


def common_s(span: Span, others: Sequence[Span]) -> float:
    """Return the length of what a span has in common with others, which are in order and do not overlap."""
    total_s = 0.0
    for start, end in others[max(0, bisect_right(others, span) - 1) :]:
        if start >= span[1]:
            break
        total_s += max(0.0, min(end, span[1]) - max(start, span[0]))
    return total_s


def without(span: Span, others: Sequence[Span]) -> list[Span]:
    """Return what is left of a span without others, which are in order and do not overlap."""
    start, found = span[0], list[Span]()
    for other in others[max(0, bisect_right(others, span) - 1) :]:
        if other[0] >= span[1]:
            break
        if other[0] > start:
            found.append((start, other[0]))
        start = max(start, other[1])
    return [*found, (start, span[1])] if start < span[1] else found
