"""What a powder laboratory can be told."""

import pytest

from simulators.powder_lab.options import DEFAULTS, PROFILES, LabFaults, LabOptions
from simulators.powder_lab.world import PowderLab
from simulators.world import WorldFile


class Desk:
    def now_s(self):
        return 0.0


def test_the_defaults_are_fine_and_nothing_goes_wrong_by_default():
    assert PowderLab.check({}) == [] == PowderLab.check(dict(DEFAULTS))
    faults = LabOptions.of({}).faults
    rates = [name for name in LabFaults.__slots__ if "_per_" in name or name in ("dosing_error", "carry_over")]
    assert all(getattr(faults, name) == 0.0 for name in rates)
    assert PowderLab.pool({}) is None


def test_the_profile_is_that_of_the_science():
    faults = LabOptions.of({"profile": "science", "faults": {"dropped_per_transfer": 0.5}}).faults
    assert (faults.dosing_error, faults.clogged_per_dose, faults.swapped_vial_per_dose) == (0.005, 0.01, 1e-3)
    assert (faults.overshoot_c, faults.power_loss_per_run, faults.wrong_hold_per_run) == (10.0, 1e-3, 2e-3)
    assert (faults.carry_over, faults.dropped_per_transfer) == (0.003, 0.5)
    assert PROFILES["science"]["dropped_per_transfer"] == 3e-3


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"colour": 1}, "no option 'colour'"),
        ({"precursors": ["gold"]}, "no precursor is called 'gold'"),
        ({"precursors": []}, "a list of names"),
        ({"precursors": ["TiO2", "TiO2"]}, "each once"),
        ({"precursors": "TiO2"}, "a list of names"),
        ({"precursors": [3]}, "no precursor is called 3"),
        ({"stock_mg": -1.0}, "stock_mg is -1.0"),
        ({"homes": 0}, "homes is 0"),
        ({"homes": 4.5}, "homes is 4.5"),
        ({"crucibles": True}, "crucibles is True"),
        ({"hard_limit_c": "hot"}, "hard_limit_c is 'hot'"),
        ({"arms_are_on": "yes"}, "true or false"),
        ({"profile": "hell"}, "no profile is called 'hell'"),
        ({"faults": {"typo": 1.0}}, "no fault is called 'typo'"),
        ({"faults": {"carry_over": 2.0}}, "carry_over is 2.0; it goes from 0 to 1"),
        ({"faults": {"carry_over": "some"}}, "carry_over is 'some'"),
        ({"faults": ["carry_over"]}, "rates by name"),
        ({"enclosure_opens": [[10.0]]}, "one after the other"),
        ({"enclosure_opens": [[10.0, 5.0], [12.0, 1.0]]}, "one after the other"),
        ({"enclosure_opens": [[10.0, 0.0]]}, "one after the other"),
        ({"enclosure_opens": 3.0}, "one after the other"),
    ],
)
def test_what_cannot_be_is_named(options, problem):
    (found,) = PowderLab.check(options)
    assert problem in found
    with pytest.raises(ValueError, match="."):
        PowderLab(state=WorldFile(":memory:"), clock=Desk(), seed=1, options=options)


def test_precursors_go_by_formula_or_by_phase():
    told = LabOptions.of({"precursors": ["BaCO3", "rutile", "Co3O4"]})
    assert told.precursors == ("BaCO3", "rutile", "Co3O4")


def test_a_file_is_of_one_laboratory():
    state = WorldFile(":memory:")
    PowderLab(state=state, clock=Desk(), seed=1, options={})
    with pytest.raises(ValueError, match="seed 1, not 2"):
        PowderLab(state=state, clock=Desk(), seed=2, options={})


def test_homes_and_dosers_are_as_many_as_it_is_told():
    lab = PowderLab(state=WorldFile(":memory:"), clock=Desk(), seed=1, options={"homes": 3, "precursors": ["CoO"]})
    assert [name for name in lab.instruments if name.startswith("doser")] == ["doser-1"]
    assert sorted(place for place in lab.all_places if place.startswith("home")) == ["home-01", "home-02", "home-03"]
