"""Tubes as headers describe them."""

import pytest

from surrogate.xrd.formats.source import Tube, misfit


def test_lines_with_their_ratio():
    lines = Tube(anode="Cu", alpha_1=1.5406, alpha_2=1.5444, beta=1.3922, ratio=0.497).radiation()
    assert lines is not None
    assert (lines.wavelength_angstrom, lines.ratio, lines.anode) == ((1.5406, 1.5444), (1.0, 0.497), "Cu")


@pytest.mark.parametrize(
    "tube",
    [
        Tube(alpha_1=1.5406),
        Tube(alpha_1=1.5406, alpha_2=1.5444, ratio=0.0),
        Tube(alpha_1=0.7, alpha_2=0.7, ratio=1.0),
        Tube(alpha_1=1.5406, alpha_2=0.0, ratio=0.5),
    ],
    ids=["alone", "ratio 0", "the same", "no wavelength"],
)
def test_one_line_only(tube):
    lines = tube.radiation()
    assert lines is not None
    assert lines.ratio == (1.0,)


@pytest.mark.parametrize("wavelength", [None, 0.0, -1.0, 154.06, float("nan")])
def test_a_wavelength_that_cannot_be_is_none(wavelength):
    tube = Tube(anode="Cu", alpha_1=wavelength)
    assert tube.radiation() is None
    assert "not known" in tube.warnings()[0]


def test_what_is_assumed_or_contradicts_itself_is_told():
    assert Tube(anode="Cu", alpha_1=1.5406, alpha_2=1.5444, ratio=0.5).warnings() == []
    assert "0.5 is assumed" in Tube(alpha_1=1.5406, alpha_2=1.5444).warnings()[0]
    assert "K-alpha 1 of Co is 1.789 Ao" in Tube(anode="CO", alpha_1=1.5406).warnings()[0]


def test_k_beta_is_a_fact_since_nobody_says_how_much_of_it_is_left():
    assert Tube(anode="Cu", alpha_1=1.5406, beta=1.3922).facts() == {"anode": "Cu", "k_beta_angstrom": 1.3922}


@pytest.mark.parametrize(
    ("anode", "wavelength", "is_told"),
    [
        ("Cu", 1.5406, False), ("Cu", 1.540598, False), ("Cu", 1.54056, False), ("Cu", 1.5418, False),
        ("Cu", 1.54184, False), ("Cu", 1.5443, True), ("Cu", 1.5430, True), ("Cu", 1.789, True), ("Mo", 0.71073, False),
        ("Mo", 0.7093, False), ("Co", 1.78901, False), ("Co", 1.79026, False), ("Cr", 2.2910, False),
        ("Fe", 1.93604, False), ("Ag", 0.5608, False), ("In", 1.5443, False),
    ],
)  # fmt: skip
def test_a_wavelength_that_is_a_little_wrong_for_its_anode_is_told(anode, wavelength, is_told):
    assert bool(misfit(anode, wavelength)) is is_told
