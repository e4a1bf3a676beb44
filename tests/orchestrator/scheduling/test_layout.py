import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.scheduling.layout import BadRange, Layout, Leg, Station, places_of, problems

NEAR = ("home-1", "home-2", "stack", "mill", "bridge", "bin")
FAR = ("bridge", "box-1", "desk")


def layout(**changes):
    values = {
        "homes": ("home-1", "home-2"),
        "magazine": "stack",
        "chute": "bin",
        "reach": {"arm-1": NEAR, "arm-2": FAR},
        "stations": {
            "mill": Station(places=("mill",), devices=("mill",)),
            "box": Station(places=("box-1",), devices=("box",)),
            "desk": Station(places=("desk",), devices=("camera",)),
        },
    }
    return Layout(**{**values, **changes})


def test_a_sound_layout_has_no_problems():
    assert list(problems(layout())) == []


def test_a_place_that_two_robots_reach_and_nothing_else_uses_passes_samples_on():
    assert layout().handovers == {"bridge"}


def test_the_way_goes_over_the_bridge_and_claims_robots_and_places_on_it():
    route = layout().route("home-1", "box-1")
    assert route is not None
    assert route.legs == (
        Leg(robot="arm-1", source="home-1", destination="bridge"),
        Leg(robot="arm-2", source="bridge", destination="box-1"),
    )
    assert route.resources == {"arm-1", "arm-2", "bridge", "box-1"}


def test_the_way_does_not_lead_through_stations_or_homes():
    cut = layout(reach={"arm-1": ("home-1", "home-2", "stack", "mill", "bin"), "arm-2": ("mill", "box-1", "desk")})
    assert cut.route("home-1", "box-1") is None
    assert any("no way leads from 'home-1' to 'box-1' of station box" in problem for problem in problems(cut))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"homes": ("home-1", "mill")}, "the place 'mill' belongs to homes and to station mill"),
        ({"chute": "stack"}, "the place 'stack' belongs to magazine and to chute"),
        ({"reach": {"arm-1": NEAR, "arm-2": ("bridge", "box-1")}}, "no robot reaches the place 'desk' of station desk"),
        ({"magazine": "cellar"}, "no robot reaches the place 'cellar' of magazine"),
    ],
)
def test_what_does_not_fit_is_told(changes, message):
    assert any(message in problem for problem in problems(layout(**changes)))


def test_a_range_stands_for_its_places():
    assert places_of(["mill", "home-08..home-11"]) == ("mill", "home-08", "home-09", "home-10", "home-11")


@given(st.integers(0, 90), st.integers(0, 30))
def test_ranges_keep_their_digits(low, more):
    found = places_of([f"box-2-{low:03d}..box-2-{low + more:03d}"])
    assert len(found) == more + 1
    assert found[0] == f"box-2-{low:03d}" and found[-1] == f"box-2-{low + more:03d}"


@pytest.mark.parametrize("text", ["home-9..home-1", "home-1..rack-4", "home..9", "a-1..a-5000"])
def test_a_range_that_is_none_is_refused(text):
    with pytest.raises(BadRange):
        places_of([text])
