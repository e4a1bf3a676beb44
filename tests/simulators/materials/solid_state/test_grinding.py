"""Grinding and vessels: nothing appears or vanishes, and samples meet what the last one left."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulators.materials.solid_state.dosing import dose
from simulators.materials.solid_state.facts import table
from simulators.materials.solid_state.firing import fire
from simulators.materials.solid_state.grinding import (
    BALL_MILL,
    CLEAN,
    MORTAR,
    Residue,
    clean,
    grind,
    pass_through,
    put_back,
    take,
)
from simulators.materials.solid_state.profile import hold

recipes = st.dictionaries(st.sampled_from(sorted(table().phases)), st.floats(0.01, 500.0), min_size=1, max_size=4)


def amounts(*parts):
    total: dict[str, int] = {}
    for part in parts:
        for portion in part.portions:
            total[portion.phase] = total.get(portion.phase, 0) + portion.amount_fmol
    return total


@settings(max_examples=60, deadline=None)
@given(st.lists(recipes, min_size=1, max_size=4), st.integers(0, 99), st.floats(0.0, 0.5), st.floats(0.0, 1.0))
def test_what_samples_lose_is_in_the_vessel_or_in_the_waste(several, seed, keeps, leaves):
    rng = np.random.default_rng(seed)
    samples, vessel = [dose(recipe, rng) for recipe in several], CLEAN
    out = []
    for sample in samples:
        passed, vessel = pass_through(sample, vessel, rng, keeps=keeps)
        out.append(passed)
    vessel, waste = clean(vessel, leaves=leaves)
    assert amounts(*out, vessel, waste) == amounts(*samples)


@settings(max_examples=30, deadline=None)
@given(recipes, st.floats(0.001, 0.999), st.integers(0, 99))
def test_a_part_that_is_put_back_makes_the_whole(recipe, share, seed):
    whole = dose(recipe, np.random.default_rng(seed))
    part, rest = take(whole, share)
    assert amounts(put_back(rest, part)) == amounts(whole)
    assert part.mass_mg == pytest.approx(share * whole.mass_mg, rel=1e-6, abs=1e-9)


def test_a_dirty_mill_contaminates_the_next_sample(rng):
    first, second = dose({"litharge": 300.0}, rng), dose({"witherite": 300.0}, rng)
    _, mill = pass_through(first, CLEAN, rng)
    dirty, _ = pass_through(second, mill, rng)
    assert 0.0005 < dirty.weights["litharge"] < 0.01
    cleaned, waste = clean(mill)
    assert cleaned.mass_mg == pytest.approx(0.02 * mill.mass_mg) and waste.mass_mg > cleaned.mass_mg
    tidy, _ = pass_through(second, cleaned, rng)
    assert tidy.weights["litharge"] < 0.1 * dirty.weights["litharge"]


def test_contamination_reacts(chemistry, rng):
    sample = dose({"perovskite": 300.0, "alpha-Bi2O3": 1.0, "rutile": 100.0}, rng)
    fired = fire(grind(sample, minutes=10.0, rng=rng), [hold(750.0, 300)], chemistry)
    assert fired.weights["Bi4Ti3O12"] > 1e-3


def test_grinding_mixes_wears_and_strains(rng):
    before = dose({"witherite": 300.0, "anatase": 100.0}, rng)
    after = grind(before, minutes=30.0, rng=rng, mill=BALL_MILL)
    assert after.unmixed == pytest.approx(np.exp(-10.0)) and amounts(after) == amounts(before)
    for old, new in zip(before.portions, after.portions, strict=True):
        assert BALL_MILL.finest_nm < new.size_nm < old.size_nm
        assert old.microstrain < new.microstrain < BALL_MILL.strain
    fine = grind(after, minutes=1e4, rng=rng, mill=BALL_MILL)
    assert [portion.size_nm for portion in grind(fine, minutes=60.0, rng=rng, mill=MORTAR).portions] == pytest.approx(
        [portion.size_nm for portion in fine.portions]
    )


def test_grinding_breaks_layers_but_not_grains(chemistry, mixed, rng):
    fired = fire(mixed("perovskite", "calcite", "anatase"), [hold(650.0, 60)], chemistry)
    names = {name for name, _ in fired.progress}
    assert "anatase + calcite" in names and "anatase" in names
    assert {name for name, _ in grind(fired, minutes=5.0, rng=rng).progress} == {n for n in names if " + " not in n}


def test_contact_varies_by_fifteen_percent(rng):
    sample = dose({"rutile": 100.0}, rng)
    luck = [grind(sample, minutes=5.0, rng=rng).contact for _ in range(400)]
    assert np.std(luck) == pytest.approx(0.15, rel=0.15) and np.mean(luck) == pytest.approx(1.0, abs=0.03)


@pytest.mark.parametrize(
    ("act", "why"),
    [
        (lambda powder, rng: grind(powder, minutes=-1.0, rng=rng), "at least 0"),
        (lambda powder, rng: pass_through(powder, CLEAN, rng, keeps=0.9), "0 to 0.5"),
        (lambda powder, rng: clean(CLEAN, leaves=2.0), "0 to 1"),
        (lambda powder, rng: take(powder, 1.0), "between 0 and 1"),
    ],
)
def test_what_cannot_be_done_is_refused(rng, act, why):
    with pytest.raises(ValueError, match=why):
        act(dose({"rutile": 100.0}, rng), rng)


def test_the_account_of_gases_stays_with_the_rest(chemistry, rng):
    fired = fire(dose({"calcite": 300.0}, rng), [hold(800.0, 60)], chemistry)
    part, rest = take(fired, 0.25)
    assert part.released_fmol == () and rest.released_fmol == fired.released_fmol != ()
    assert put_back(rest, part).released_fmol == fired.released_fmol


def test_a_residue_goes_through_json_exactly(rng):
    _, mill = pass_through(dose({"litharge": 300.0, "rutile": 100.0}, rng), CLEAN, rng)
    assert Residue.from_json(mill.to_json()) == mill and Residue.from_json(CLEAN.to_json()) == CLEAN
    for text in ('[{"phase": "rutile"}]', "1", "no json"):
        with pytest.raises(ValueError):
            Residue.from_json(text)
