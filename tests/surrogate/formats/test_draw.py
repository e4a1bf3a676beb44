"""Pictures and pages of measurements."""

import re
import struct
from dataclasses import replace

import numpy as np
import pytest

from surrogate.formats.draw import MOST_FILES, page, png, root_ticks
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
    assert rows["counted"].startswith("whole counts up to")
    other = dict(summary(spectrum.scans[0]))
    assert other["values"] == "reflectance, from 0.1 to 0.5, 1 missing"
    assert other["counted"] == "no counts, no uncertainty"


def test_units_at_the_end_of_facts_follow_their_values(pattern):
    rows = dict(facts_table(pattern.scans[0]))
    assert rows["tube voltage"] == "45 kV"
    assert rows["sample"] == "rutile"


def test_steps_of_rounded_positions_are_even():
    rounded = np.round(np.arange(100) * 0.0131303 + 5.0, 4)
    assert step_words(rounded, "°") == "in steps of 0.01313 °"
    assert step_words(np.array([1.0, 2.0, 4.0]), "nm") == "in steps from 1 to 2 nm"
