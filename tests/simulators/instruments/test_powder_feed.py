import numpy as np
import pytest

from simulators.chance import generator
from simulators.instruments.powder_feed import (
    NO_FLOW_S,
    PULSATION,
    SPIN_UP_S,
    TURNS_PER_S,
    fed_mg,
    plan_feed,
)


def feed(seed=0, *, material="silica", target_mg=250.0, tolerance_mg=1.0, hopper_mg=20_000.0, clogs_at=1.0):
    return plan_feed(
        material=material,
        target_mg=target_mg,
        tolerance_mg=tolerance_mg,
        hopper_mg=hopper_mg,
        clogs_at=clogs_at,
        rng=generator(seed, "dose", 1),
    )


def test_the_screw_pulses_with_every_turn():
    times_s = np.linspace(0.0, 1.0, 2001)
    flow = np.gradient([fed_mg(6.0, time_s) for time_s in times_s], times_s)
    assert flow.mean() == pytest.approx(6.0 * TURNS_PER_S, rel=1e-3)
    assert flow.max() == pytest.approx(12.0 * (1.0 + PULSATION), rel=1e-3)
    assert flow.min() == pytest.approx(12.0 * (1.0 - PULSATION), rel=1e-2)
    assert fed_mg(6.0, 0.5) == pytest.approx(6.0)  # one turn


def test_mass_of_a_turn_spreads_by_two_percent():
    turns = np.array([feed(seed).turn_mg for seed in range(400)])
    assert turns.mean() == pytest.approx(6.0, rel=0.005)
    assert turns.std() == pytest.approx(0.12, rel=0.15)


@pytest.mark.parametrize(("material", "mg_per_s"), [("titania", 4.0), ("silica", 12.0), ("sodium-chloride", 40.0)])
def test_powders_flow_as_they_do(material, mg_per_s):
    dose = feed(material=material, target_mg=1000.0)
    assert dose.delivered_mg(SPIN_UP_S + 10.0) == pytest.approx(10.0 * mg_per_s, rel=0.08)


def test_the_end_game_is_slow_and_slower_for_a_finer_tolerance():
    coarse, fine = feed(tolerance_mg=1.0), feed(tolerance_mg=0.1)
    assert coarse.slowness == pytest.approx(0.1)
    assert fine.slowness == pytest.approx(0.5 / 12.0)
    assert fine.lasts_s > coarse.lasts_s
    at_s = SPIN_UP_S + coarse.fast_s
    assert coarse.delivered_mg(at_s) == pytest.approx(250.0 - 12.5, abs=1.2)
    assert coarse.delivered_mg(at_s + 5.0) - coarse.delivered_mg(at_s) == pytest.approx(6.0, abs=1.5)


@pytest.mark.parametrize("tolerance_mg", [0.1, 0.5, 5.0])
def test_the_amount_is_within_its_tolerance_and_spreads(tolerance_mg):
    amounts = np.array([feed(seed, tolerance_mg=tolerance_mg).delivered_mg(1e6) for seed in range(60)])
    assert np.abs(amounts - 250.0).max() <= tolerance_mg
    assert amounts.std() > 0.05 * min(tolerance_mg, 0.5)


def test_mass_only_grows():
    dose = feed()
    masses = np.array([dose.delivered_mg(time_s) for time_s in np.arange(0.0, dose.lasts_s + 1.0, 0.01)])
    assert masses[0] == 0.0
    assert np.diff(masses).min() >= 0.0


@pytest.mark.parametrize(
    ("limits", "outcome", "most_mg"), [({"clogs_at": 0.4}, "clogged", 100.0), ({"hopper_mg": 60.0}, "empty", 60.0)]
)
def test_a_flow_that_ends_early_is_noticed(limits, outcome, most_mg):
    dose = feed(**limits)
    assert (dose.outcome, dose.delivered_mg(1e6)) == (outcome, most_mg)
    assert dose.lasts_s == pytest.approx(SPIN_UP_S + most_mg / 12.0 + NO_FLOW_S, rel=0.08)
    assert dose.delivered_mg(dose.lasts_s - NO_FLOW_S) == most_mg
