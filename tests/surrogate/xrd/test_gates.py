from dataclasses import replace

import numpy as np
import pytest

from surrogate.xrd.atlas import make_atlas
from surrogate.xrd.gates import Excess, excess, gates
from surrogate.xrd.quantify import Amount
from surrogate.xrd.result import Alternative, Cell, ResidualPeak
from tests.surrogate.xrd.mixtures import phase_of

NAMES = ("rutile", "anatase", "spinel", "Li4Ti5O12", "silicon", "magnetite", "Co3O4")


@pytest.fixture(scope="module")
def known():
    return make_atlas([phase_of(name) for name in NAMES], highest_deg=60.0)


def amount(name, **changes):
    cell = Cell(values=phase_of(name).cell, esd=(0.0,) * 6, volume_angstrom3=1.0)
    plain = Amount(
        phase=NAMES.index(name), weight_fraction=1.0, weight_interval=(1.0, 1.0), cell=cell, crystallite_nm=40.0,
        texture=1.0, strain=0.001, strain_sd=0.0005,
    )  # fmt: skip
    return replace(plain, **changes)


def sets(*pairs):
    return tuple(Alternative(phases=phases, probability=p) for phases, p in pairs)


def passed(known, found, alternatives=None, peaks=(), *, rwp=7.0, gof=1.5):
    alternatives = alternatives or sets((tuple(NAMES[one.phase] for one in found), 0.97), ((), 0.03))
    return {gate.name: gate for gate in gates(known, found, alternatives, peaks, rwp=rwp, gof=gof)}


def peak(sigma):
    return ResidualPeak(two_theta_deg=40.0, d_angstrom=2.2, height_sigma=sigma, relative_height=0.1)


def test_all_eight_are_told_with_reasons(known):
    found = passed(known, [amount("rutile")])
    assert list(found) == [f"G{n}" for n in range(1, 9)] and all(gate.reason for gate in found.values())
    assert [name for name, gate in found.items() if gate.passed is False] == []


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"gof": 9.0}, "goodness of fit 9.0 exceeds"),
        ({"rwp": 40.0}, "Rwp 40.0 % exceeds"),
        ({"peaks": (peak(30.0), peak(9.0))}, "2 residual peaks above"),
    ],
)
def test_a_poor_fit_fails(known, changes, words):
    gate = passed(known, [amount("rutile")], **changes)["G1"]
    assert gate.passed is False and words in gate.reason


def test_a_weak_residual_peak_does_not_fail(known):
    assert passed(known, [amount("rutile")], peaks=(peak(1.0),))["G1"].passed


def test_rivals_that_are_near_fail(known):
    gate = passed(known, [amount("rutile")], sets((("rutile",), 0.6), (("anatase",), 0.4)))["G2"]
    assert gate.passed is False and "rutile: 0.60; anatase: 0.40" in gate.reason
    assert passed(known, [amount("rutile")], sets((("rutile",), 0.97), ((), 0.03)))["G2"].passed
    only = passed(known, [amount("rutile")], sets((("rutile",), 1.0)))["G2"]
    assert only.passed and "nothing crystalline" not in only.reason


def test_a_rival_of_the_same_elements_is_a_question_of_order(known):
    near = passed(known, [amount("rutile")], sets((("rutile",), 0.6), (("anatase",), 0.4)))["G3"]
    assert near.passed is False and "rutile and anatase are not told apart" in near.reason
    far = passed(known, [amount("rutile")], sets((("rutile",), 0.99), (("anatase",), 0.01)))["G3"]
    assert far.passed and "no rival of the same elements" in far.reason


def test_a_disordered_phase_claims_no_order(known):
    gate = passed(known, [amount("Li4Ti5O12")])["G3"]
    assert gate.passed and "no order is claimed" in gate.reason


def test_a_library_without_rivals_cannot_say_of_order():
    lone = make_atlas([phase_of(name) for name in ("silicon", "spinel")], highest_deg=60.0)
    found = gates(lone, [replace(amount("silicon"), phase=0)], sets((("silicon",), 1.0)), (), rwp=7.0, gof=1.5)
    assert found[2].passed is None and "no disordered or differently ordered rival" in found[2].reason


def test_a_cell_far_off_is_no_known_phase(known):
    gate = passed(known, [amount("rutile", strain=-0.03)])["G4"]
    assert gate.passed is False and "rutile is -3.0 % off" in gate.reason
    near = passed(known, [amount("rutile")])["G4"]
    assert near.passed and phase_of("rutile").source in near.reason


def test_what_a_pattern_cannot_decide_is_left_open(known):
    found = passed(known, [amount("rutile")])
    assert found["G5"].passed is None and found["G7"].passed is None


def test_a_cell_that_is_hardly_known_fails(known):
    gate = passed(known, [amount("rutile", strain_sd=0.02)])["G6"]
    assert gate.passed is False and "no better than 0.5 %" in gate.reason


def test_elements_that_scatter_alike_ask_for_a_composition(known):
    one = passed(known, [amount("spinel")])["G8"]
    assert one.passed is None and "Mg and Al scatter alike" in one.reason
    two = passed(known, [amount("magnetite"), amount("Co3O4")])["G8"]
    assert two.passed is None and "Fe and Co" in two.reason
    assert passed(known, [amount("rutile")])["G8"].passed


def over(sigma, share):
    return Excess(two_theta_deg=27.43, sigma=sigma, share=share)


def test_a_model_far_above_the_pattern_fails_and_a_little_is_told(known):
    def first(found):
        facts = sets((("rutile",), 1.0))
        return gates(known, [amount("rutile")], facts, (), rwp=7.0, gof=1.5, over=found)[0]

    assert (
        first(over(20.0, 0.15)).passed is False
        and "up to 15 % of the highest peak at 27.43" in first(over(20.0, 0.15)).reason
    )
    assert first(over(20.0, 0.05)).passed and "20 sigma of noise" in first(over(20.0, 0.05)).reason
    assert first(over(4.0, 0.15)).passed and "above the pattern" not in first(over(4.0, 0.15)).reason


def test_the_excess_is_where_the_model_lies_farthest_above_what_was_seen():
    angle, background = np.arange(5.0), np.full(5, 10.0)
    model = background + np.array([0.0, 100.0, 0.0, 50.0, 400.0])
    observed = np.array([40.0, 90.0, 10.0, 10.0, 10.0])
    found = excess(angle, observed, model, background, np.array([1.0, 100.0, 1.0, 25.0, np.inf]))
    assert (found.two_theta_deg, found.sigma, found.share) == (3.0, 10.0, 0.5)
