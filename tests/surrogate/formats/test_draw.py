"""Pictures and pages of measurements."""

import re
import struct
from dataclasses import replace

import numpy as np
import pytest

from surrogate.formats import draw
from surrogate.formats.draw import MOST_FILES, MOST_PLOTS, alike, page, png, root_ticks
from surrogate.formats.record import Axis, Scan
from surrogate.formats.words import facts_table, step_words, summary


def size(picture: bytes) -> tuple[int, int]:
    assert picture.startswith(b"\x89PNG")
    return struct.unpack(">II", picture[16:24])


def test_a_picture_has_a_panel_for_each_file(pattern, spectrum):
    one, two = size(png([pattern])), size(png([pattern, spectrum]))
    assert one[0] == two[0] == 1350
    assert two[1] > 1.8 * one[1]


@pytest.mark.parametrize("values", [np.zeros(50), np.full(50, -3.0), np.full(50, np.nan), np.r_[np.nan, np.arange(49)]])
def test_any_values_can_be_drawn(pattern, values):
    axis = Axis(quantity="two_theta", unit="deg", values=np.linspace(10.0, 20.0, 50))
    scan = Scan(kind="diffractogram", axis=axis, values=values, unit="counts")
    file = replace(pattern, scans=(scan,))
    assert size(png([file]))[0] == 1350
    assert "plotly" in page([file])


def test_a_page_tells_all_and_asks_the_network_for_nothing(pattern, spectrum):
    text = page([pattern, spectrum])
    assert text.count("<section>") == 2
    for words in ("checked by fairmat", "sha256 " + pattern.sha256, "2θ from 10 to 37.3 °", "24.16", "and another"):
        assert words in text
    assert not re.search(r"<(script|link|img|iframe)[^>]+(src|href)=", text)


def test_what_a_file_says_is_no_html(pattern):
    bad = "<script>alert(1)</script>"
    file = replace(pattern, name=bad, header=bad, warnings=(bad,), scans=(replace(pattern.scans[0], title=bad),))
    assert bad not in page([file]).replace("\\u003c", "<").split("Plotly.newPlot")[0]
    assert bad not in page([file])


def test_scans_of_different_axes_or_units_are_drawn_apart(pattern):
    scan = pattern.scans[0]
    flight = replace(scan, axis=Axis(quantity="time", unit="us", values=scan.axis.values))
    rate = replace(scan, unit="counts/s")
    file = replace(pattern, scans=(scan, flight, scan, rate))
    assert [[number for number, _ in group] for group in alike(file)] == [[1, 3], [2], [4]]
    assert size(png([file]))[1] > 2.5 * size(png([pattern]))[1]
    text = page([file])
    assert [words for words in ("2 of 4 scans", "scan 2 of 4", "scan 4 of 4") if words in text] == [
        "2 of 4 scans", "scan 2 of 4", "scan 4 of 4",
    ]  # fmt: skip
    assert text.count("Plotly.newPlot(") >= 3


def test_a_file_of_many_kinds_of_scans_is_drawn_in_part(pattern):
    scans = tuple(replace(pattern.scans[0], quantity=f"kind {number}") for number in range(MOST_PLOTS + 9))
    file = replace(pattern, scans=scans)
    assert len(alike(file)) == MOST_PLOTS


def test_a_picture_has_no_more_panels_than_files_that_are_drawn(pattern, monkeypatch):
    monkeypatch.setattr(draw, "MOST_FILES", 2)
    scans = tuple(replace(pattern.scans[0], quantity=f"kind {number}") for number in range(5))
    assert size(png([replace(pattern, scans=scans)] * 3))[1] == size(png([pattern] * 2))[1]


def test_so_many_files_that_a_page_can_hold(spectrum):
    assert page([spectrum] * (MOST_FILES + 5)).count("<section>") == MOST_FILES


def test_ticks_of_a_square_root_scale_keep_their_distance():
    assert root_ticks(10775.0) == [0.0, 400.0, 1000.0, 2000.0, 4000.0, 6000.0, 8000.0, 10000.0]
    assert root_ticks(0.0) == root_ticks(float("nan")) == [0.0]
    for highest in (1.0, 7.0, 99.0, 3e6):
        ticks = np.sqrt(root_ticks(highest))
        assert np.diff(ticks).min() > 0.08 * np.sqrt(highest)


def test_a_summary_says_what_was_counted_and_with_what(pattern, spectrum):
    rows = dict(summary(pattern.scans[0]))
    assert rows["axis"] == "2θ from 10 to 37.3 °"
    assert rows["counting time"] == "1.7 s for each point"
    assert rows["radiation"] == "Cu 1.540598 Å, 1.544426 Å (x 0.497)"
    assert re.fullmatch(r"whole counts up to \d+, with Poisson's uncertainty", rows["counted"])
    assert re.fullmatch(r"\d+ points, by a factor of up to 24.16", rows["attenuation"])
    other = dict(summary(spectrum.scans[0]))
    assert other["values"] == "reflectance, from 0.1 to 0.5, 1 missing"
    assert other["counted"] == "no counts, no uncertainty"


def test_a_summary_says_whose_uncertainty_it_is(pattern, spectrum):
    counts = replace(spectrum.scans[0], counts=np.arange(300.0))
    assert "no uncertainty: a spectrometer's counts are not single photons" in dict(summary(counts))["counted"]
    own = replace(pattern.scans[0], sigma=np.ones(400))
    assert dict(summary(own))["counted"].endswith(", with its uncertainty")
    one = replace(pattern.scans[0], attenuation=np.r_[2.0, np.ones(399)])
    assert dict(summary(one))["attenuation"] == "1 point, by a factor of up to 2"


def test_units_at_the_end_of_facts_follow_their_values(pattern):
    rows = dict(facts_table(pattern.scans[0]))
    assert rows["tube voltage"] == "45 kV"
    assert (rows["sample"], rows["is spun"]) == ("rutile", "yes")
    facts = {"laser_wavenumber_per_cm": 18797.0, "x_um": 3, "comment_s": "text", "flag_s": True, "s": 4}
    assert facts_table(replace(pattern.scans[0], facts=facts)) == [
        ("laser wavenumber", "18797 cm⁻¹"), ("x", "3 µm"), ("comment s", "text"), ("flag s", "yes"), ("s", "4"),
    ]  # fmt: skip


def test_steps_of_rounded_positions_are_even():
    rounded = np.round(np.arange(100) * 0.0131303 + 5.0, 4)
    assert step_words(rounded, "°") == "in steps of 0.01313 °"
    assert step_words(np.array([1.0, 2.0, 4.0]), "nm") == "in steps from 1 to 2 nm"
