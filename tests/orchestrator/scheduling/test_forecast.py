from hypothesis import given
from hypothesis import strategies as st

from orchestrator.scheduling.board import AGE_S
from orchestrator.scheduling.forecast import Stage, Traveller, arrivals

MILL, SCALE = (frozenset({"mill"}),), (frozenset({"scale"}),)
TWO = (frozenset({"left"}), frozenset({"right"}))


def stage(servers, lasts_s):
    return Stage(servers=servers, lasts_s=lasts_s)


def traveller(owner, *stages, since_s=0.0, **more):
    return Traveller(owner=owner, stages=stages, since_s=since_s, **more)


def test_a_station_serves_one_after_another():
    found = arrivals([traveller("a", stage(MILL, 600.0)), traveller("b", stage(MILL, 600.0))], 0.0)
    assert found == {"a": 600.0, "b": 1200.0}


def test_two_places_serve_two_at_once():
    found = arrivals([traveller(name, stage(TWO, 100.0)) for name in "abc"], 0.0)
    assert found == {"a": 100.0, "b": 100.0, "c": 200.0}


def test_what_has_begun_is_over_when_it_should_be_and_takes_its_station_until_then():
    begun = traveller("a", stage(MILL, 600.0), stage(SCALE, 10.0), began_s=900.0, taken=frozenset({"mill"}))
    assert arrivals([traveller("b", stage(MILL, 600.0)), begun], 1000.0) == {"a": 1510.0, "b": 2100.0}


def test_what_should_be_over_already_is_over_now():
    assert arrivals([traveller("a", stage(MILL, 600.0), began_s=0.0)], 1000.0) == {"a": 1000.0}


def test_who_has_more_left_goes_first_and_before_all_who_has_waited_for_long():
    fresh = [
        traveller(name, stage(MILL, 60.0), since_s=1000.0, beyond_s=beyond) for name, beyond in (("a", 1), ("b", 2))
    ]
    assert arrivals(fresh, 1000.0) == {"b": 1060.0, "a": 1120.0}
    old = traveller("old", stage(MILL, 60.0), since_s=1000.0 - AGE_S)
    assert arrivals([*fresh, old], 1000.0) == {"old": 1060.0, "b": 1120.0, "a": 1180.0}


def test_waiting_needs_no_station():
    assert arrivals([traveller("a", stage((), 300.0), stage(MILL, 60.0))], 0.0) == {"a": 360.0}


def test_who_has_nothing_left_is_there():
    assert arrivals([traveller("a", since_s=5.0)], 10.0) == {"a": 5.0}


stages = st.lists(
    st.builds(stage, st.sampled_from([MILL, SCALE, TWO, ()]), st.integers(0, 5000).map(float)), max_size=4
)


@given(plans=st.lists(stages, max_size=8))
def test_everybody_arrives_and_nobody_faster_than_alone(plans):
    found = arrivals([traveller(f"s{i}", *plan) for i, plan in enumerate(plans)], 0.0)
    for number, plan in enumerate(plans):
        assert found[f"s{number}"] >= sum(one.lasts_s for one in plan)
    milling_s = sum(one.lasts_s for plan in plans for one in plan if one.servers == MILL)
    assert max(found.values(), default=0.0) >= milling_s
