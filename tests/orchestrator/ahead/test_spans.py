from hypothesis import given
from hypothesis import strategies as st

from orchestrator.ahead.spans import common_s, free_spans, union, without

END = 20
span = st.tuples(st.integers(0, END), st.integers(0, END)).map(lambda two: (float(min(two)), float(max(two))))
spans = st.lists(span, max_size=8)


def cells(them):
    """Return the whole seconds that spans hold."""
    return {second for start, end in them for second in range(int(start), int(end))}


@given(spans)
def test_a_union_holds_what_its_parts_hold_in_order_and_apart(them):
    found = union(them)
    assert cells(found) == cells(them)
    assert all(a[1] < b[0] for a, b in zip(found, found[1:], strict=False))


@given(spans, st.integers(1, 4))
def test_free_is_where_fewer_are_under_way(them, n):
    free = cells(free_spans(them, n, float(END)))
    assert free == {second for second in range(END) if sum(a <= second < b for a, b in them) < n}


@given(span, spans)
def test_what_is_common_and_what_is_left_make_the_whole(one, them):
    others = union(them)
    left = without(one, others)
    assert cells(left) == cells([one]) - cells(others)
    assert common_s(one, others) == len(cells([one]) & cells(others))


def test_a_span_without_end_is_never_free_after_it_began():
    assert free_spans([(5.0, float("inf"))], 1, 20.0) == [(0.0, 5.0)]
