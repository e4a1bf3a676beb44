from dataclasses import replace

import pytest

from surrogate.xrd.result import Alternative, Cell, PhaseClaim, ResidualPeak
from surrogate.xrd.verdict import judge

CELL = (4.6, 4.6, 2.96, 90.0, 90.0, 90.0)
RUTILE = PhaseClaim(
    name="rutile", formula="TiO2", space_group="P 42/m n m", probability=0.95, weight_fraction=1.0,
    weight_interval=(1.0, 1.0), cell=Cell(values=CELL, esd=(0.0,) * 6, volume_angstrom3=62.6), reference_cell=CELL,
    crystallite_nm=40.0, texture=1.0,
)  # fmt: skip
SURE = (Alternative(phases=("rutile",), probability=0.95), Alternative(phases=(), probability=0.05))
TORN = (Alternative(phases=("rutile",), probability=0.42), Alternative(phases=(), probability=0.38))
PEAK = ResidualPeak(two_theta_deg=33.123, d_angstrom=2.7, height_sigma=12.0, relative_height=0.05)


def judged(phases=(RUTILE,), alternatives=SURE, **changes):
    facts = {"unknown_probability": 0.02, "unknown_peaks": (), "amorphous_fraction": 0.1, "warnings": ()}
    return judge(phases, alternatives, **(facts | changes))


def test_a_sure_set_is_identified_without_reasons():
    found = judged()
    assert found.verdict == "identified" and found.reasons == ()


@pytest.mark.parametrize(("factor", "verdict"), [(1.012, "identified"), (1.03, "cannot tell"), (0.97, "cannot tell")])
def test_a_cell_that_is_far_from_the_library_s_is_not_claimed(factor, verdict):
    cell = replace(RUTILE.cell, volume_angstrom3=factor**3 * 4.6 * 4.6 * 2.96)
    found = judged((replace(RUTILE, cell=cell),))
    assert found.verdict == verdict
    if verdict == "cannot tell":
        assert f"{100 * (factor - 1):+.1f} %" in found.reasons[0] and "check the wavelength" in found.reasons[0]


def test_something_unexplained_is_an_unknown_phase_and_says_where():
    found = judged(unknown_probability=0.9, unknown_peaks=(PEAK, replace(PEAK, two_theta_deg=41.0)))
    assert found.verdict == "unknown phase present"
    assert "probability 0.90" in found.reasons[0] and "33.12, 41.00 deg" in found.reasons[0]


def test_an_unknown_phase_without_peaks_claims_none():
    assert "peaks" not in judged(unknown_probability=0.9).reasons[0]


def test_beside_an_unknown_phase_one_with_another_cell_may_be_a_stand_in():
    strained = replace(RUTILE, is_solid_solution=True)
    assert "stand in" in " ".join(judged((strained,), unknown_probability=0.9).reasons)
    assert "stand in" not in " ".join(judged((strained,)).reasons)
    assert "stand in" not in " ".join(judged(unknown_probability=0.9).reasons)


def at(*spacings):
    return tuple(replace(PEAK, d_angstrom=spacing) for spacing in spacings)


@pytest.mark.parametrize(
    ("peaks", "is_told"),
    [(at(2.34, 2.026), True), (at(3.1, 2.335, 1.432), True), (at(2.34, 2.1), False), (at(1.432, 1.221), False)],
    ids=["two", "among others", "one", "not the first"],
)
def test_peaks_of_an_aluminium_holder_are_named(peaks, is_told):
    found = judged(unknown_probability=0.9, unknown_peaks=peaks)
    assert found.verdict == "unknown phase present" and ("aluminium sample holder" in found.reasons[0]) is is_told


def test_an_unknown_phase_is_told_before_doubt():
    assert judged(alternatives=TORN, unknown_probability=0.9).verdict == "unknown phase present"


def test_rivals_that_are_not_told_apart_are_named():
    found = judged(alternatives=TORN)
    assert found.verdict == "cannot tell"
    assert "rutile (0.42), none (0.38)" in found.reasons[0] and "count longer" in found.reasons[0]


def test_nothing_may_also_be_in_doubt():
    torn = tuple(reversed(TORN))
    assert judged((), (replace(torn[0], probability=0.45), torn[1])).verdict == "cannot tell"


@pytest.mark.parametrize(
    ("amorphous", "verdict"), [(0.9, "amorphous"), (0.1, "no crystalline phase"), (None, "no crystalline phase")]
)
def test_without_phases_humps_decide(amorphous, verdict):
    found = judged((), (Alternative(phases=(), probability=0.97),), amorphous_fraction=amorphous)
    assert found.verdict == verdict and found.reasons


def test_humps_beside_phases_are_no_verdict():
    assert judged(amorphous_fraction=0.9).verdict == "identified"


def test_a_solid_solution_is_named_whatever_the_verdict():
    solid = replace(RUTILE, is_solid_solution=True)
    for changes in ({}, {"alternatives": TORN}, {"unknown_probability": 0.9}):
        found = judged((solid,), **changes)
        assert any("the cell of rutile is not the library's" in reason for reason in found.reasons)


def test_warnings_come_with_every_verdict():
    for changes in ({}, {"alternatives": TORN}, {"unknown_probability": 0.9}, {"phases": ()}):
        assert "assumed" in judged(**changes, warnings=("assumed",)).reasons


def test_without_alternatives_there_is_no_doubt():
    assert judged((), ()).verdict == "no crystalline phase"


DOUBT = "the header gives 1.789 Ao, and K-alpha 1 of Cu is 1.5406 Ao"


@pytest.mark.parametrize("unknown", [0.02, 1.0])
def test_a_header_that_contradicts_itself_leads_and_nothing_is_claimed(unknown):
    found = judged(unknown_probability=unknown, warnings=("another",), radiation_doubt=DOUBT)
    assert found.verdict == "cannot tell" and found.reasons[0].startswith(DOUBT) and "--wavelength" in found.reasons[0]
    assert found.reasons[1:] == ("another",)


def test_a_doubtful_wavelength_makes_no_phase_of_a_background():
    assert judged((), (), radiation_doubt=DOUBT).verdict == "no crystalline phase"
