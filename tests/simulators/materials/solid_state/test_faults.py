"""The rates of faults: plain numbers within their ranges."""

from dataclasses import asdict

import pytest

from simulators.materials.solid_state.faults import FaultRates


def test_rates_are_those_proposed():
    rates = FaultRates()
    assert (rates.dosing_error, rates.clogged_per_dose, rates.swapped_vial_per_sample) == (0.005, 0.01, 1e-3)
    assert (rates.furnace_overshoot_c, rates.power_loss_per_firing, rates.wrong_hold_per_firing) == (10.0, 1e-3, 2e-3)
    assert (rates.drop_per_transfer, rates.carry_over, rates.melt_through_per_firing) == (3e-3, 0.003, 0.01)


def test_nothing_goes_wrong():
    assert set(asdict(FaultRates.none()).values()) == {0.0}


@pytest.mark.parametrize(
    "change", [{"drop_per_transfer": 1.5}, {"carry_over": -0.1}, {"overshoot_per_firing": float("nan")}]
)
def test_rates_that_cannot_be_are_refused(change):
    with pytest.raises(ValueError, match=next(iter(change))):
        FaultRates(**change)
