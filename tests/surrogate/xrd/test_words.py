import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from surrogate.xrd import words
from surrogate.xrd.result import Alternative, Cell, Identification, PhaseClaim


def cell(values, esd):
    return Cell(values=values, esd=esd, volume_angstrom3=1.0)


def claim(name="rutile", fraction=0.7, interval=(0.6, 0.8)):
    values = (4.5937, 4.5937, 2.9587, 90.0, 90.0, 90.0)
    return PhaseClaim(
        name=name, formula="TiO2", space_group="P 42/m n m", probability=0.9, weight_fraction=fraction,
        weight_interval=interval, cell=cell(values, (3e-4, 3e-4, 2e-4, 0.0, 0.0, 0.0)), reference_cell=values,
        crystallite_nm=40.0, texture=1.0,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("value", "esd", "text"),
    [
        (4.5937, 0.0003, "4.5937(3)"),
        (4.59370, 0.00012, "4.59370(12)"),
        (2.95870, 0.00019, "2.95870(19)"),
        (2.95870, 0.000196, "2.9587(2)"),
        (4.5937, 0.0096, "4.594(10)"),
        (90.0, 1.5, "90.0(15)"),
        (120.0, 25.0, "120(25)"),
        (90.0, 0.0, "90.0000"),
        (90.0, math.nan, "90.0000"),
        (math.nan, 0.1, "–"),
    ],
)
def test_esds_are_written_in_units_of_the_last_digit(value, esd, text):
    assert words.with_esd(value, esd) == text


@given(st.floats(0.5, 50.0), st.floats(1e-6, 0.9))
def test_an_esd_is_kept_within_a_quarter_and_the_value_within_half_of_it(value, esd):
    head, _, tail = words.with_esd(value, esd).rstrip(")").partition("(")
    decimals = len(head.partition(".")[2])
    assert int(tail) * 10.0**-decimals == pytest.approx(esd, rel=0.26)
    assert 2 <= int(tail) <= 19
    assert float(head) == pytest.approx(value, abs=0.51 * 10.0**-decimals)


@pytest.mark.parametrize(
    ("values", "esd", "names"),
    [
        ((4.2, 4.2, 4.2, 90.0, 90.0, 90.0), (1e-4, 1e-4, 1e-4, 0.0, 0.0, 0.0), "a"),
        ((4.6, 4.6, 2.9, 90.0, 90.0, 90.0), (1e-4, 0.0, 1e-4, 0.0, 0.0, 0.0), "a c"),
        ((3.2, 3.2, 5.2, 90.0, 90.0, 120.0), (1e-4, 1e-4, 1e-4, 0.0, 0.0, 0.0), "a c"),
        ((5.5, 5.5, 5.5, 60.2, 60.2, 60.2), (1e-4, 1e-4, 1e-4, 0.01, 0.01, 0.01), "a alpha"),
        ((5.1, 5.2, 5.3, 90.0, 99.2, 90.0), (1e-4, 1e-4, 1e-4, 0.0, 0.02, 0.0), "a b c beta"),
        ((5.1, 5.2, 5.3, 88.0, 99.2, 91.0), (1e-4, 1e-4, 1e-4, 0.02, 0.02, 0.02), "a b c alpha beta gamma"),
    ],
    ids=["cubic", "tetragonal", "hexagonal", "rhombohedral", "monoclinic", "triclinic"],
)
def test_only_what_symmetry_leaves_free_is_listed(values, esd, names):
    assert " ".join(one.name for one in words.free_parameters(cell(values, esd), values)) == names


def test_the_change_of_a_cell_is_told_for_lengths():
    found = cell((4.0, 4.0, 5.05, 90.0, 90.0, 90.0), (1e-4, 1e-4, 1e-4, 0.0, 0.0, 0.0))
    changes = [one.change_percent for one in words.free_parameters(found, (4.0, 4.0, 5.0, 90.0, 90.0, 90.0))]
    assert changes == pytest.approx([0.0, 1.0])


@pytest.mark.parametrize(
    ("fraction", "interval", "text"),
    [
        (0.72, (0.69, 0.75), "72 (69 to 75) wt%"),
        (0.046, (0.041, 0.052), "4.6 (4.1 to 5.2) wt%"),
        (1.0, (1.0, 1.0), "100 wt%"),
        (math.nan, (0.0, 1.0), "– wt%"),
    ],
)
def test_weights_are_as_precise_as_their_interval(fraction, interval, text):
    assert words.weight(claim(fraction=fraction, interval=interval)) == text


@pytest.mark.parametrize(
    ("value", "text"), [(0.9999, "> 0.99"), (1.0, "> 0.99"), (0.97, "0.97"), (0.0, "< 0.01"), (math.nan, "–")]
)
def test_no_probability_is_certain(value, text):
    assert words.probability(value) == text


@pytest.mark.parametrize(
    ("verdict", "phases", "text"),
    [
        ("identified", ["a", "b", "c"], "a, b and c"),
        ("unknown phase present", ["a"], "An unknown phase beside a"),
        ("unknown phase present", [], "An unknown phase"),
        ("cannot tell", ["a"], "Cannot tell: a, a + b or no phase"),
        ("amorphous", [], "Amorphous"),
        ("no crystalline phase", [], "No crystalline phase"),
        ("unusable", [], "Not usable"),
    ],
)
def test_every_verdict_has_its_headline(verdict, phases, text):
    sets = [Alternative(phases=names, probability=0.3) for names in (("a",), ("a", "b"), ())]
    found = Identification(
        file="f", verdict=verdict, reasons=(), phases=tuple(map(claim, phases)), alternatives=tuple(sets)
    )
    assert words.headline(found) == text


ROUNDED = (3.5873, 3.5873 * (1.0 + 2e-16), 4.9, 90.00000000000001, 90.0, 119.99999999999999)


def test_what_rounding_leaves_of_fixed_parameters_is_not_told():
    uncertain = (5e-4, 5e-4 * (1.0 + 1e-9), 7e-4, 4e-13, 0.0, 3e-13)
    reference = (3.59, 3.59, 4.91, 90.0, 90.0, 120.0)
    found = list(words.free_parameters(cell(ROUNDED, uncertain), reference))
    assert [one.name for one in found] == ["a", "c"]
