import numpy as np
import pytest

from surrogate.reactions.balance import Network
from surrogate.reactions.beliefs import Beliefs, Seen
from surrogate.reactions.kinetics import conversion, kinetic_factor
from surrogate.reactions.precursors import set_of
from surrogate.reactions.substances import shipped_table

TARGET = "BaTiO3-tetragonal"
CARBONATE, OXIDE = "rutile + witherite", "BaO + rutile"
TABLE = shipped_table().within({"Ba", "Ti"})
NETWORK = Network(TABLE)
UNREACTED = {"rutile": 0.288, "witherite": 0.712}


def beliefs(seed=0):
    return Beliefs(NETWORK, TARGET, (700.0, 1100.0), seed=seed)


def seen(weights, *, at=900.0, precursors=CARBONATE, **told):
    return Seen(precursors=set_of(TABLE, TARGET, precursors), temperature_c=at, weights=weights, **told)


def expected_yield(known, at=900.0, precursors=CARBONATE):
    return float(known.forecast([(set_of(TABLE, TARGET, precursors), at)]).yields.mean())


def test_a_pair_that_was_seen_to_react_is_expected_to_do_so_again_and_above():
    before = beliefs()
    after = before.taught(seen({TARGET: 1.0}))
    assert expected_yield(after) > max(0.8, expected_yield(before))
    assert expected_yield(after, at=1000.0) > 0.9


def test_a_pair_that_was_seen_side_by_side_is_not_expected_to_react_there_nor_below():
    before = beliefs()
    after = before.taught(seen(UNREACTED))
    assert expected_yield(after) < 0.5 * expected_yield(before)
    assert expected_yield(after, at=800.0) < expected_yield(before, at=800.0)
    belief = after.pairs[("rutile", "witherite")]
    assert belief.reacts_by(900.0) < before.pairs[("rutile", "witherite")].reacts_by(900.0)


def test_an_intermediate_is_foreseen_in_what_was_not_tried():
    after = beliefs().taught(seen({"Ba2TiO4": 0.828, "rutile": 0.172}, at=900.0))
    forecast = after.forecast([(set_of(TABLE, TARGET, CARBONATE), 850.0)])
    weights = dict(zip(after.phases, forecast.weights[0], strict=True))
    assert weights["Ba2TiO4"] > 0.25
    assert forecast.remaining_mev_atom[0] > 0.0


def test_an_unsure_phase_teaches_less_than_a_sure_one():
    before = beliefs()
    weights = {TARGET: 0.4, "witherite": 0.43, "rutile": 0.17}
    sure = before.taught(seen(weights, at=700.0))
    unsure = before.taught(seen(weights, at=700.0, probabilities={TARGET: 0.5}))
    assert expected_yield(unsure, 700.0) < expected_yield(sure, 700.0) - 0.02


def test_contradictory_patterns_are_outvoted_not_believed_for_good():
    known = beliefs().taught(seen({TARGET: 1.0}))
    for _ in range(3):
        known = known.taught(seen(UNREACTED))
    assert expected_yield(known) < 0.4
    for _ in range(6):
        known = known.taught(seen({TARGET: 1.0}))
    assert expected_yield(known) > 0.6
    assert all(np.isfinite(one.probability).all() for one in known.pairs.values())


def test_unknown_phases_alone_teach_nothing():
    before = beliefs()
    after = before.taught(seen({"unobtainium": 1.0}))
    assert expected_yield(after) == expected_yield(before)


def test_a_yield_alone_teaches_too():
    before = beliefs()
    high = before.taught(seen({TARGET: 0.95}, is_whole=False))
    low = before.taught(seen({TARGET: 0.0}, is_whole=False))
    assert expected_yield(low) < expected_yield(before) < expected_yield(high)


def test_teaching_leaves_the_old_beliefs_as_they_were():
    before = beliefs()
    yields = expected_yield(before)
    before.taught(seen({TARGET: 1.0}))
    assert expected_yield(before) == yields


def test_equal_seeds_give_equal_beliefs():
    one, other = (beliefs(seed=3).taught(seen({TARGET: 0.6, "Ba2TiO4": 0.4})) for _ in range(2))
    for pair, belief in one.pairs.items():
        assert np.array_equal(belief.probability, other.pairs[pair].probability)


def test_firing_keeps_every_cation():
    known = beliefs()
    one = set_of(TABLE, TARGET, CARBONATE)
    fired = known._fire(
        [(one, 1000.0)], np.stack([b.draw(np.linspace(0.01, 0.99, 32)) for b in known.pairs.values()], axis=1)
    )
    for element in ("Ba", "Ti"):
        held = fired.moles @ [TABLE[name].atoms.get(element, 0.0) for name in known.phases]
        assert held == pytest.approx(1.0)


def test_conversion_is_one_per_hour_at_the_onset_and_none_where_it_never_begins():
    found = conversion(np.array([800.0, np.inf]), 800.0, 1.0)
    assert found == pytest.approx([1.0 - np.exp(-1.0), 0.0])
    assert conversion(np.array([800.0]), 700.0, 1.0)[0] < 0.3


def test_weak_driving_forces_are_sluggish():
    assert kinetic_factor(0.0) == pytest.approx(0.2, abs=0.05)
    assert kinetic_factor(200.0) == pytest.approx(1.0, abs=0.01)
