from dataclasses import fields

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulators.materials.options import GROUPS, FilmOptions

SWITCHES = [field.name for field in fields(FilmOptions) if isinstance(field.default, bool)]


def test_everything_that_disturbs_a_real_station_is_on_by_default():
    options = FilmOptions()
    off = {name for name in SWITCHES if not getattr(options, name)}
    assert off == {"nucleation_pocket", "diffuse", "bruggeman"}


@pytest.mark.parametrize("group", GROUPS)
def test_a_group_switches_its_members_and_nothing_else(group: str):
    options = FilmOptions.from_mapping({group: False})
    changed = {name for name in SWITCHES if getattr(options, name) != getattr(FilmOptions(), name)}
    assert changed == set(GROUPS[group])


def test_an_option_named_on_its_own_wins_over_its_group():
    options = FilmOptions.from_mapping({"misfires": True, "failures": False})
    assert options.misfires
    assert not options.dropouts


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"noize": True}, r"unknown option 'noize' of the film station; did you mean 'noise'\?"),
        ({"failure": True}, r"did you mean 'failures'\?"),
        ({"zzzz": 1}, r"known options: asymmetry, "),
        ({"noise": 1}, r"option 'noise' is a switch; write true or false, not 1"),
        ({"failures": "no"}, r"option 'failures' is a switch"),
        ({"thickness_nm": "260 nm"}, r"option 'thickness_nm' is a finite number"),
        ({"thickness_nm": float("nan")}, r"option 'thickness_nm' is a finite number"),
        ({"thickness_nm": True}, r"option 'thickness_nm' is a finite number"),
        ({"thickness_nm": 90}, r"thickness_nm is 90; the film's model holds from 150 to 400 nm"),
        ({"score_every": 2.5}, r"option 'score_every' is a whole number"),
        ({"score_every": 0}, r"score_every is 0; write 1 or more"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_a_mistake_is_named_in_a_sentence(options: dict[str, object], message: str):
    with pytest.raises(ValueError, match=message):
        FilmOptions.from_mapping(options)


@given(st.fixed_dictionaries({name: st.booleans() for name in SWITCHES}), st.floats(150, 400), st.integers(1, 99))
def test_options_survive_the_way_through_a_mapping(switches: dict[str, bool], thickness: float, every: int):
    options = FilmOptions(**switches, thickness_nm=thickness, score_every=every)
    assert FilmOptions.from_mapping(options.to_mapping()) == options


def test_nothing_goes_wrong_leaves_only_what_is_asked_for():
    options = FilmOptions.nothing_goes_wrong(drift=True)
    assert {name for name in SWITCHES if getattr(options, name)} == {"drift"}
