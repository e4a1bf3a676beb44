"""The state of a sample: it is checked, and goes through JSON exactly."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulators.materials.solid_state.facts import table
from simulators.materials.solid_state.powder import Portion, Powder, merged

finite = st.floats(1e-3, 1e6)
shares = st.floats(0.0, 1.0)
portions = st.lists(
    st.builds(
        Portion,
        phase=st.sampled_from(sorted(table().phases)),
        amount_fmol=st.integers(1, 10**16),
        size_nm=finite,
        microstrain=st.floats(0.0, 0.5),
    ),
    unique_by=lambda portion: portion.phase,
).map(lambda found: tuple(sorted(found, key=lambda portion: portion.phase)))
pairs = st.dictionaries(st.sampled_from(["CO2", "H2O", "O2", "PbO vapour"]), st.integers(-(10**16), 10**16))
progress = st.dictionaries(st.sampled_from(["anatase", "anatase + witherite"]), finite)
powders = st.builds(
    Powder,
    portions=portions,
    released_fmol=pairs.map(lambda found: tuple(sorted(found.items()))),
    progress=progress.map(lambda found: tuple(sorted(found.items()))),
    unmixed=shares,
    contact=finite,
    liquid=shares,
    glass=shares,
    highest_c=st.floats(-20.0, 2000.0),
    fired_minutes=st.integers(0, 10**6),
)


@given(powders)
def test_a_state_goes_through_json_exactly(powder):
    again = Powder.from_json(powder.to_json())
    assert again == powder and hash(again) == hash(powder)
    assert again.to_json() == powder.to_json()


@given(portions, portions)
def test_putting_together_keeps_amounts(one, other):
    both = {portion.phase: portion for portion in merged((*one, *other))}
    for phase in {portion.phase for portion in (*one, *other)}:
        amounts = [portion.amount_fmol for portion in (*one, *other) if portion.phase == phase]
        sizes = [portion.size_nm for portion in (*one, *other) if portion.phase == phase]
        assert both[phase].amount_fmol == sum(amounts)
        assert 0.999 * min(sizes) <= both[phase].size_nm <= 1.001 * max(sizes)


@pytest.mark.parametrize(
    "text",
    ["[]", "{}", "not json", '{"portions": [{"phase": "rutile"}]}', '{"portions": [], "colour": "red"}'],
)
def test_what_is_no_state_is_refused(text):
    with pytest.raises(ValueError):
        Powder.from_json(text)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"phase": "kryptonite"}, "no phase is named"),
        ({"amount_fmol": 0}, "whole number above 0"),
        ({"amount_fmol": 1.0}, "whole number above 0"),
        ({"size_nm": 0.0}, "size_nm"),
        ({"microstrain": float("nan")}, "microstrain"),
    ],
)
def test_portions_that_cannot_be_are_refused(change, why):
    with pytest.raises(ValueError, match=why):
        Portion(**{"phase": "rutile", "amount_fmol": 1, "size_nm": 100.0, "microstrain": 0.0, **change})


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"glass": 1.5}, "glass is 1.5"),
        ({"contact": 0.0}, "must be finite"),
        ({"highest_c": float("inf")}, "must be finite"),
        ({"released_fmol": (("CO2", 1.5),)}, "whole numbers of known gases"),
        ({"released_fmol": (("CO", 1),)}, "whole numbers of known gases"),
        ({"progress": (("rutile", -1.0),)}, "not below 0"),
        ({"progress": (("b", 1.0), ("a", 1.0))}, "sorted"),
    ],
)
def test_states_that_cannot_be_are_refused(change, why):
    with pytest.raises(ValueError, match=why):
        Powder(**change)


def test_json_holds_plain_values(mixed):
    row = json.loads(mixed("BaTiO3-tetragonal", "witherite", "anatase").to_json())
    assert [portion["phase"] for portion in row["portions"]] == ["anatase", "witherite"]
    assert all(isinstance(portion["amount_fmol"], int) for portion in row["portions"])


def test_sizes_are_averaged_by_volume():
    fine, coarse = (Portion(phase="rutile", amount_fmol=10, size_nm=size, microstrain=0.0) for size in (100.0, 200.0))
    (both,) = merged((fine, coarse))
    assert both.size_nm == pytest.approx(((100.0**3 + 200.0**3) / 2.0) ** (1.0 / 3.0))
