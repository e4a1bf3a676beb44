import json

from hypothesis import given
from hypothesis import strategies as st

from orchestrator.ahead.lists import ShortList, merged


def short(points, unimagined=(), quantile=0.5):
    return ShortList(
        ask=3, quantile=quantile, imagined={4: {"y": 1.0}}, unimagined=unimagined, points=points, busy_s=2.0
    )


def at(*xs):
    return [{"x": float(x)} for x in xs]


def test_first_points_come_first_and_each_once():
    lists = [short(at(1, 2, 3)), short(at(1, 4)), short(at(5))]
    found = merged(lists, lambda _: False, s_max=1, most=25)
    assert [point["x"] for point in found.points] == [1.0, 5.0, 2.0, 4.0, 3.0]
    assert (found.lists, found.unseen, found.why) == (3, 0, "")


def test_the_freshest_lists_alone_count():
    found = merged([short(at(1), [7, 8]), short(at(2), [8])], lambda number: number == 7, s_max=1, most=25)
    assert (found.points, found.unseen, found.lists) == (at(2), 0, 1)


def test_lists_that_miss_too_much_are_refused_and_say_so():
    found = merged([short(at(1), [7, 8])], lambda _: True, s_max=1, most=25)
    assert not found.points and "miss 2 results, and at most 1" in found.why


def test_no_list_is_no_choice():
    assert merged([], lambda _: True, s_max=1, most=25).why == "no short list was ready"
    assert merged([short([])], lambda _: True, s_max=1, most=25).why == "the short lists are empty"


values = st.dictionaries(st.sampled_from(["y", "z"]), st.floats(allow_nan=False, allow_infinity=False))
lists_ = st.builds(
    ShortList,
    ask=st.integers(0, 99),
    quantile=st.floats(0.01, 0.99),
    imagined=st.dictionaries(st.integers(1, 999), values, max_size=3),
    unimagined=st.lists(st.integers(1, 999), max_size=3),
    points=st.lists(st.dictionaries(st.sampled_from("xk"), st.floats(-9, 9) | st.integers(0, 9)), max_size=5),
    busy_s=st.floats(0, 1e4),
)


@given(one=lists_)
def test_the_journal_gives_a_list_back(one):
    assert ShortList.of(json.loads(json.dumps(one.body()))) == one


@given(lists=st.lists(lists_, max_size=5), ended=st.sets(st.integers(1, 999)), s_max=st.integers(0, 3))
def test_never_more_than_may_be_and_nothing_staler_than_may_be(lists, ended, s_max):
    found = merged(lists, ended.__contains__, s_max=s_max, most=7)
    assert len(found.points) <= 7 and bool(found.points) is not bool(found.why)
    if found.points:
        assert found.unseen == min(one.unseen(ended.__contains__) for one in lists) <= s_max
