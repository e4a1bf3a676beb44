import runpy
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from surrogate.formats import columns
from surrogate.formats.columns import read, recognises
from surrogate.formats.errors import NotUnderstood
from surrogate.formats.readers import Reader

seeds = SimpleNamespace(**runpy.run_path(str(Path(__file__).with_name("seeds_text.py"))))


@pytest.fixture(autouse=True)
def _no_other_readers(monkeypatch):
    monkeypatch.setattr(columns, "readers", lambda: ())


def text(header, x=seeds.TWO_THETA, y=seeds.COUNTS, form="{:.2f} {}\n", end="\n"):
    return (header + "".join(form.format(*row) for row in zip(x, y, strict=True))).replace("\n", end).encode()


def test_a_bare_pattern_is_read_and_what_was_assumed_is_said():
    content = read(seeds.xy())
    (scan,) = content.scans
    assert (scan.kind, scan.axis.quantity, scan.axis.unit, scan.unit) == ("diffractogram", "unknown", "1", "counts")
    np.testing.assert_array_equal(scan.counts, seeds.COUNTS)
    np.testing.assert_allclose(scan.sigma, np.sqrt(seeds.COUNTS + 1.0))
    assert content.warnings == (
        "nothing names the axis; its quantity and unit are unknown",
        "it was taken as a diffractogram by the range and the step of its axis",
        "whole numbers without a unit were taken as counts",
    )


def test_a_bare_spectrum_is_told_by_its_axis():
    content = read(text("", seeds.NM, seeds.REFLECTANCE))
    assert content.scans[0].kind == "spectrum"
    assert content.scans[0].unit == "arbitrary"
    assert "it was taken as a spectrum by the range and the step of its axis" in content.warnings


def test_names_units_sigma_and_wavelength_are_taken_from_a_header():
    content = read(seeds.xye())
    (scan,) = content.scans
    assert (scan.axis.quantity, scan.axis.unit, scan.unit) == ("two_theta", "deg", "counts")
    np.testing.assert_allclose(scan.sigma, np.sqrt(seeds.COUNTS), atol=6e-4)
    assert scan.radiation.wavelength_angstrom == (1.5406,)
    assert content.header == "# Wavelength: 1.5406\n# 2theta counts sigma"
    assert content.warnings == ()


def test_a_third_column_that_looks_like_sigma_is_taken_with_a_warning():
    rows = "".join(f"{x:.2f} {y} {y**0.5:.2f}\n" for x, y in zip(seeds.TWO_THETA, seeds.COUNTS, strict=True))
    content = read(rows.encode())
    np.testing.assert_allclose(content.scans[0].sigma, np.sqrt(seeds.COUNTS), atol=6e-3)
    assert any("looks like standard deviations" in warning for warning in content.warnings)


def test_a_third_column_that_is_no_sigma_is_a_second_scan_with_a_warning():
    rows = "".join(f"{x:.2f} {y} {2 * y}\n" for x, y in zip(seeds.TWO_THETA, seeds.COUNTS, strict=True))
    content = read(rows.encode())
    assert [scan.title for scan in content.scans] == ["column 2", "column 3"]
    assert any("the 3 columns have no names" in warning for warning in content.warnings)


def test_a_title_of_as_many_words_as_columns_is_no_row_of_names():
    rows = "".join(f"{x:.2f} {y} {y**0.5:.2f}\n" for x, y in zip(seeds.TWO_THETA, seeds.COUNTS, strict=True))
    (scan,) = read(f"my quartz sample\n{rows}".encode()).scans
    assert scan.sigma is not None
    np.testing.assert_array_equal(scan.values, seeds.COUNTS)


def test_several_named_columns_are_several_scans():
    scans = read(seeds.csv_named()).scans
    assert [scan.title for scan in scans] == ["sample a", "sample b"]
    np.testing.assert_array_equal(scans[1].values, seeds.COUNTS + 3)


def test_pairs_of_columns_have_an_axis_each():
    data = b"2theta,I,2theta,I\n10,1.5,20,3.5\n11,2.5,21,4.5\n12,2.0,22,4.0\n"
    first, second = read(data).scans
    assert first.axis.values.tolist() == [10, 11, 12]
    assert second.axis.values.tolist() == [20, 21, 22]
    assert second.values.tolist() == [3.5, 4.5, 4.0]


def test_the_shorter_of_two_pairs_ends_where_its_cells_are_empty():
    data = b"2theta;I;2theta;I\n10;1.5;20;3.5\n11;2.5;21;4.5\n12;2.0;;\n"
    first, second = read(data).scans
    assert (len(first.values), len(second.values)) == (3, 2)


def test_the_index_that_pandas_writes_is_no_axis():
    frame = pd.DataFrame({"2theta": seeds.TWO_THETA, "counts": seeds.COUNTS})
    (scan,) = read(frame.to_csv(float_format="%.2f").encode()).scans
    np.testing.assert_allclose(scan.axis.values, seeds.TWO_THETA)
    np.testing.assert_array_equal(scan.counts, seeds.COUNTS)


def test_a_german_file_is_read():
    content = read(seeds.csv_german())
    (scan,) = content.scans
    assert (scan.axis.quantity, scan.axis.unit, scan.quantity, scan.unit) == ("wavelength", "nm", "reflectance", "%")
    assert scan.facts["probe"] == "Rutil"
    assert content.header == "Probe: Rutil\nWellenlänge [nm];Reflexion [%]"
    assert content.warnings == ()


def test_a_panalytical_csv_is_read_with_its_radiation():
    (scan,) = read(seeds.csv_panalytical()).scans
    assert scan.radiation.wavelength_angstrom == (1.5406, 1.54443)
    assert scan.radiation.ratio == (1.0, 0.5)
    assert scan.axis.quantity == "two_theta"


def test_utf_16_is_read():
    (scan,) = read(seeds.xy_utf16()).scans
    assert (scan.axis.quantity, scan.unit) == ("two_theta", "counts")


def test_names_of_a_fit2d_file_stand_one_below_the_other():
    header = f"rutile.tif\n2-Theta Angle (Degrees)\nIntensity\n        {seeds.N}\n"
    content = read(text(header, y=seeds.COUNTS / 8, form=" {:.6E}  {:.6E}\n"))
    (scan,) = content.scans
    assert (scan.axis.quantity, scan.axis.unit, scan.unit) == ("two_theta", "deg", "arbitrary")
    np.testing.assert_allclose(scan.values, seeds.COUNTS / 8)
    assert content.warnings == ()


@pytest.mark.parametrize("end", ["\n", "\r", "\r\n"], ids=["lf", "cr", "crlf"])
def test_line_ends_make_no_difference(end):
    (scan,) = read(text("2theta counts\n", end=end)).scans
    np.testing.assert_array_equal(scan.counts, seeds.COUNTS)


def test_names_and_units_in_two_rows():
    content = read(b"Wave   ;Sample   ;Reflectance\n[nm]   ;[counts] ;[%]\n400;10.5;20\n401;11.5;21\n402;11.2;22\n")
    assert [(scan.title, scan.unit) for scan in content.scans] == [("Sample", "counts"), ("Reflectance", "%")]
    assert content.scans[0].axis.unit == "nm"


def test_counts_of_a_spectrometer_have_no_poisson_sigma():
    content = read(text("Wavelength (nm) Intensity (counts)\n", seeds.NM))
    (scan,) = content.scans
    np.testing.assert_array_equal(scan.counts, seeds.COUNTS)
    assert (scan.sigma, content.warnings) == (None, ())


def test_zeros_in_a_column_of_counts_are_counts():
    (scan,) = read(text("2theta counts\n", y=seeds.COUNTS * 0)).scans
    assert scan.counts is not None and scan.sigma is not None
    np.testing.assert_array_equal(scan.sigma, np.ones(seeds.N))


@pytest.mark.parametrize(
    ("header", "y", "unit", "warning"),
    [
        ("2theta counts\n", seeds.COUNTS + 0.5, "counts", "counts that are no whole numbers from 0 up"),
        ("2theta counts\n", seeds.COUNTS - 1000, "counts", "counts that are no whole numbers from 0 up"),
        ("2theta cps\n", seeds.COUNTS, "counts/s", None),
        ("2theta intensity(a.u.)\n", seeds.COUNTS, "arbitrary", None),
        ("2theta intensity\n", seeds.COUNTS - 1000, "arbitrary", None),
    ],
    ids=["not whole", "negative", "rate", "arbitrary", "negative without unit"],
)
def test_only_whole_counts_are_counts(header, y, unit, warning):
    content = read(text(header, y=y))
    (scan,) = content.scans
    assert (scan.unit, scan.counts, scan.sigma) == (unit, None, None)
    assert warning is None or any(warning in said for said in content.warnings)


@pytest.mark.parametrize(("scale", "unit"), [(1.0, "%"), (0.01, "1")])
def test_reflectance_without_a_unit_is_told_by_its_size(scale, unit):
    content = read(text("Wavelength (nm)\tReflectance\n", seeds.NM, scale * seeds.REFLECTANCE, "{:.2f}\t{:.6f}\n"))
    assert content.scans[0].unit == unit
    assert "the reflectance has no unit" in content.warnings[0]


def test_an_axis_that_turns_is_kept_with_a_warning():
    x = seeds.TWO_THETA.copy()
    x[50] = 3.0
    content = read(text("2theta cps\n", x))
    np.testing.assert_array_equal(content.scans[0].axis.values, np.round(x, 2))
    assert content.warnings == ("the axis turns back at point 51, from 10.98 to 3",)


def test_missing_values_are_kept_and_counted():
    data = b"2theta,cps\n10,1.5\n11,NaN\n12,\n13,2.5\n"
    content = read(data)
    assert np.isnan(content.scans[0].values).tolist() == [False, True, True, False]
    assert "2 values are missing or not finite" in content.warnings


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"1 5 3 2\n7 2 9 4\n3 8 1 6\n2 2 5 5\n", "no axis"),
        (b"words only\nand more\n", "no table of numbers"),
        (b"2theta,d\n10,1.5\n11,2.5\n12,2.0\n", "no column of values among 2theta, d"),
        (b"\x00\x01\x02" * 50, "binary"),
    ],
    ids=["no axis", "words", "no values", "binary"],
)
def test_what_is_no_scan_is_refused(data, message):
    with pytest.raises(NotUnderstood, match=message):
        read(data)


def test_too_many_scans_are_refused(monkeypatch):
    monkeypatch.setattr(columns, "MOST_SCANS", 2)
    with pytest.raises(NotUnderstood, match="3 columns of values"):
        read(b"2theta a b c\n10 1 2 3\n11 1 2 3\n")


@pytest.mark.parametrize("name", ["xy", "xye", "csv_named", "csv_german", "csv_panalytical", "xy_utf16"])
def test_tables_are_recognised(name):
    assert recognises(seeds.SEEDS[name]())


@pytest.mark.parametrize("data", [b"<xml>\n1 2\n2 3\n", b'{"x": 1}\n1 2\n2 3\n', b"words\n", b"\x00\x01" * 99, b""])
def test_other_files_are_not(data):
    assert not recognises(data)


def test_a_file_of_another_reader_is_left_to_it(monkeypatch):
    other = Reader(name="uxd", version="1", module="surrogate.xrd.formats.uxd")
    monkeypatch.setattr(columns, "readers", lambda: (other,))
    assert not recognises(seeds.uxd())
    assert recognises(seeds.xy())


numbers = st.floats(-1e6, 1e6).map(lambda value: round(value, 3))


@given(
    y=st.lists(numbers, min_size=2, max_size=40), decimal=st.sampled_from([".", ","]), delimiter=st.sampled_from("; \t")
)
def test_any_curve_is_read_back(y, decimal, delimiter):
    x = 10 + 0.25 * np.arange(len(y))
    rows = "".join(f"{a:.2f}{delimiter}{b:.3f}\n".replace(".", decimal) for a, b in zip(x, y, strict=True))
    (scan,) = read(f"2theta{delimiter}cps\n{rows}".encode()).scans
    np.testing.assert_array_equal(scan.axis.values, x)
    np.testing.assert_array_equal(scan.values, y)
