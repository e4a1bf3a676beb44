"""JCAMP-DX: every form comes back, every check that fails refuses."""

from __future__ import annotations

import runpy
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from surrogate.formats import read as read_module
from surrogate.formats.errors import NotUnderstood
from surrogate.formats.read import read_bytes
from surrogate.formats.readers import Reader
from surrogate.spectra.formats import jcamp, jcamp_library

seeds = SimpleNamespace(**runpy.run_path(str(Path(__file__).parents[2] / "formats" / "seeds_spectra.py")))
CURVE, FORMS, jcamp_file, rows = seeds.CURVE, seeds.FORMS, seeds.jcamp_file, seeds.rows

READERS = (
    Reader(name="jcamp", version="1", module="surrogate.spectra.formats.jcamp"),
    Reader(name="jcamp-library", version="1", module="surrogate.spectra.formats.jcamp_library", checks=("jcamp",)),
)
NUMBERS = st.lists(st.integers(-(10**7), 10**7) | st.integers(-2, 2), min_size=2, max_size=60)


def _only(data: bytes):
    content = jcamp.read(data)
    assert len(content.scans) == 1
    return content.scans[0], content.warnings


@given(
    values=NUMBERS,
    form=st.sampled_from(FORMS),
    per_line=st.integers(1, 12),
    ending=st.sampled_from(["", " $$ 1", "  "]),
)
def test_every_form_comes_back(values, form, per_line, ending):
    data = jcamp_file(rows(values, form, per_line=per_line, ending=ending), len(values), YFACTOR=1)
    scan, warnings = _only(data)
    np.testing.assert_array_equal(scan.values, values)
    np.testing.assert_allclose(scan.axis.values, 400 + 2 * np.arange(len(values)))
    assert warnings == ()


@given(values=NUMBERS, form=st.sampled_from(FORMS), per_line=st.integers(1, 12))
def test_the_package_never_contradicts(values, form, per_line):
    data = jcamp_file(rows(values, form, per_line=per_line), len(values))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(read_module, "readers", lambda: READERS)
        file = read_bytes(data, name="a.jdx")
    np.testing.assert_allclose(file.scans[0].values, np.array(values) * 0.001)
    if form == "AFFN":
        assert file.checked_by == ("jcamp-library",)


def test_the_package_reads_differences_too():
    data = jcamp_file(rows(CURVE, "DIF"), len(CURVE))
    np.testing.assert_allclose(jcamp_library.read(data).scans[0].values, np.array(CURVE) * 0.001)


@pytest.mark.parametrize("line", ["400ATB", "400AJT0"], ids=["of a value", "ten and more"])
def test_the_package_is_not_asked_about_other_repeats(line):
    with pytest.raises(NotUnderstood, match="does not know this form"):
        jcamp_library.read(jcamp_file([line], 3))


def test_example_of_the_standard():
    """Table of McDonald and Wilks: one line in the free form, squeezed and with differences and repeats."""
    values = [1, 2, 3, 3, 2, 1, 0, -1, -2, -3]
    for line in ("1 2 3 3 2 1 0 -1 -2 -3", "+1+2+3+3+2+1+0-1-2-3", "ABCCBA@abc", "ABCTBA@abc", "AJJ%jjjjjj", "AJT%jX"):
        scan, _ = _only(jcamp_file([f"400 {line}" if line[0] == "1" else f"400{line}"], 10, YFACTOR=1))
        np.testing.assert_array_equal(scan.values, values)


def test_broken_ordinate_check_names_line_and_values():
    lines = rows(CURVE, "DIF")
    lines[1] = lines[1].replace("I90", "I91", 1)
    with pytest.raises(NotUnderstood, match=r"line \d+: its ordinate check is 991, the line before ended with 990"):
        jcamp.read(jcamp_file(lines, len(CURVE)))


@pytest.mark.parametrize("form", FORMS)
def test_a_lost_line_is_found_by_its_abscissa(form):
    lines = rows([7] * 15, form)
    del lines[1]
    with pytest.raises(NotUnderstood, match=r"its abscissa is 4\d\d, and the header and the points before it give"):
        jcamp.read(jcamp_file(lines, 10, LASTX=418))


def test_points_and_their_number_must_agree():
    with pytest.raises(NotUnderstood, match="NPOINTS=15, and the table holds 14 points"):
        jcamp.read(jcamp_file(rows(CURVE, "AFFN"), 14, NPOINTS=15))
    with pytest.raises(NotUnderstood, match="more points than the 13"):
        jcamp.read(jcamp_file(rows(CURVE, "AFFN"), 14, NPOINTS=13))


def test_a_step_that_contradicts_is_said_with_numbers():
    _, warnings = _only(jcamp_file(rows(CURVE, "AFFN"), 14, DELTAX=-2))
    assert warnings == ("##DELTAX=-2, while ##FIRSTX, ##LASTX and the points give 2, which is taken",)


def test_axis_without_last_or_first():
    scan, warnings = _only(jcamp_file(rows(CURVE, "AFFN"), 14, LASTX=None, FIRSTX=None))
    np.testing.assert_allclose(scan.axis.values, 400 + 2 * np.arange(14))
    assert "no ##FIRSTX" in warnings[0] and "neither ##LASTX nor ##DELTAX" in warnings[1]


def test_first_value_that_contradicts_is_said():
    _, warnings = _only(jcamp_file(rows(CURVE, "AFFN"), 14, FIRSTY=100.0, MAXY=1.2))
    assert warnings == ("##FIRSTY=100, and the table with ##YFACTOR has 1",)


def test_unknown_values_are_nan_and_end_differences():
    scan, _ = _only(jcamp_file(["400 1 ? 3"], 3))
    np.testing.assert_array_equal(np.isnan(scan.values), [False, True, False])
    scan, _ = _only(jcamp_file(["400A?C"], 3))
    np.testing.assert_array_equal(np.isnan(scan.values), [False, True, False])
    with pytest.raises(NotUnderstood, match="a difference to a value that is not known"):
        jcamp.read(jcamp_file(["400A?J"], 3))


def test_e_is_an_exponent_or_a_digit_and_never_both():
    scan, _ = _only(jcamp_file(["4.0E+02E12E13"], 2, YFACTOR=1))
    np.testing.assert_array_equal(scan.values, [512, 513])
    scan, _ = _only(jcamp_file(["400 1.5E-1 -2E3"], 2, YFACTOR=1))
    np.testing.assert_array_equal(scan.values, [0.15, -2000])
    with pytest.raises(NotUnderstood, match="E before a sign is both"):
        jcamp.read(jcamp_file(["400A12E-3"], 3))


def test_decimal_comma():
    lines = ["400,0 0,1 0,2 0,3", "406,0 0,4"]
    scan, _ = _only(jcamp_file(lines, 4, FIRSTX="400,0", LASTX="406,0", YFACTOR="1,0"))
    np.testing.assert_allclose(scan.values, [0.1, 0.2, 0.3, 0.4])
    np.testing.assert_allclose(scan.axis.values, [400, 402, 404, 406])


@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"], ids=["unix", "windows", "mac"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "latin-1", "utf-16"])
def test_line_ends_and_encodings(ending, encoding):
    text = jcamp_file(rows(CURVE, "DIFDUP"), 14, TITLE="Röhre").decode()
    data = text.replace("\n", ending).encode(encoding)
    assert jcamp.recognises(data)
    scan, _ = _only(data)
    assert scan.title == "Röhre" and len(scan.values) == 14


def test_pairs_with_commas_semicolons_and_blanks():
    data = jcamp_file(
        ["1,2; 3,4 5, 6", "7 8"], 4, XYDATA=None, XYPOINTS="(XY..XY)", FIRSTX=1, LASTX=7, XFACTOR=1, YFACTOR=1
    )
    scan, warnings = _only(data)
    np.testing.assert_array_equal(scan.axis.values, [1, 3, 5, 7])
    np.testing.assert_array_equal(scan.values, [2, 4, 6, 8])
    assert warnings == ()
    with pytest.raises(NotUnderstood, match=r"line \d+ holds 3 numbers"):
        jcamp.read(data.replace(b"7 8", b"7 8 9"))


def test_peak_table_is_a_spectrum_with_a_warning():
    labels = {"DATA TYPE": "MASS SPECTRUM", "XUNITS": "M/Z", "YUNITS": "RELATIVE ABUNDANCE", "YFACTOR": 1}
    labels |= {"XYDATA": None, "PEAK TABLE": "(XY..XY)", "FIRSTX": None, "LASTX": None}
    scan, warnings = _only(jcamp_file(["50, 5.84", "51, 9.55"], 2, **labels))
    assert scan.kind == "spectrum" and scan.axis.quantity == "mass_to_charge"
    assert warnings == ("a list of 2 peaks, not a curve",)


def test_compound_file_gives_scans_in_order():
    blocks = [jcamp_file(rows(CURVE[: 5 + n], "DIFDUP"), 5 + n, TITLE=f"block {n}").decode() for n in range(3)]
    link = "##TITLE=all\n##JCAMP-DX=4.24\n##DATA TYPE=LINK\n##BLOCKS=3\n" + "".join(blocks) + "##END=\n"
    content = jcamp.read(link.encode())
    assert [scan.title for scan in content.scans] == ["block 0", "block 1", "block 2"]
    assert [len(scan.values) for scan in content.scans] == [5, 6, 7]
    assert content.warnings == () and "compound" in content.format
    assert "it holds 2" in jcamp.read(link.replace(blocks[1], "").encode()).warnings[0]


def test_a_file_without_end_is_said_to_be_cut():
    data = jcamp_file(rows(CURVE, "AFFN"), 14).replace(b"##END=\n", b"")
    assert jcamp.read(data).warnings == ("it ends without ##END=; it may be cut short",)


NTUPLES = """##TITLE=a decay
##JCAMP-DX=5.00
##DATA TYPE=NMR FID
##DATA CLASS=NTUPLES
##NTUPLES=NMR FID
##VAR_NAME= TIME, FID/REAL, FID/IMAG, PAGE NUMBER
##SYMBOL= X, R, I, N
##VAR_TYPE= INDEPENDENT, DEPENDENT, DEPENDENT, PAGE
##VAR_FORM= AFFN, ASDF, ASDF, AFFN
##VAR_DIM= 4, 4, 4, 2
##UNITS= SECONDS, ARBITRARY UNITS, ARBITRARY UNITS,
##FIRST= 0, 10, 20, 1
##LAST= 0.3, 13, 23, 2
##FACTOR= 0.1, 2, 3, 1
##PAGE= N=1
##DATA TABLE= (X++(R..R)), XYDATA   $$ real
0A0JJJ
3A3
##PAGE= N=2
##DATA TABLE= (X++(I..I)), XYDATA
0B0JJJ
3B3
##END=
"""


def test_pages_take_their_own_factors():
    content = jcamp.read(NTUPLES.encode())
    np.testing.assert_allclose(content.scans[0].values, [20, 22, 24, 26])
    np.testing.assert_allclose(content.scans[1].values, [60, 63, 66, 69])
    np.testing.assert_allclose(content.scans[1].axis.values, [0, 0.1, 0.2, 0.3])
    assert content.scans[0].axis.quantity == "time" and "FID/REAL" in content.scans[0].title


def test_pages_of_more_variables_are_refused():
    with pytest.raises(NotUnderstood, match=r"tables of the form \(T\+\+\(Y..Y\)\) are not read"):
        jcamp.read(NTUPLES.replace("(X++(R..R))", "(T++(Y..Y))").encode())


@pytest.mark.parametrize(
    ("words", "technique", "quantity", "unit"),
    [
        ("1/CM", "INFRARED SPECTRUM", "wavenumber", "/cm"), ("1/CM", "RAMAN SPECTRUM", "raman_shift", "/cm"),
        ("NANOMETERS", "UV-VIS", "wavelength", "nm"), ("MICROMETERS", "INFRARED SPECTRUM", "wavelength", "um"),
        ("HZ", "NMR SPECTRUM", "frequency", "Hz"),
    ],
    ids=["infrared", "raman", "nm", "um", "hz"],
)  # fmt: skip
def test_axis_units(words, technique, quantity, unit):
    scan, warnings = _only(jcamp_file(rows(CURVE, "AFFN"), 14, XUNITS=words, DATA_TYPE=technique))
    assert (scan.axis.quantity, scan.axis.unit, warnings) == (quantity, unit, ())


def test_unknown_units_are_said():
    scan, warnings = _only(jcamp_file(rows(CURVE, "AFFN"), 14, XUNITS="FURLONGS", YUNITS="BELS"))
    assert scan.axis.quantity == "unknown" and scan.unit == "arbitrary"
    assert len(warnings) == 2 and "FURLONGS" in warnings[0] and "BELS" in warnings[1]


def test_transmittance_above_one_is_percent_and_said():
    scan, warnings = _only(jcamp_file(rows(CURVE, "AFFN"), 14, YUNITS="TRANSMITTANCE", YFACTOR=0.08))
    assert scan.unit == "%" and "taken as percent" in warnings[0]


def test_whole_counts_of_a_diffractometer_have_a_sigma():
    scan, _ = _only(jcamp_file(["400 9 16 0"], 3, XUNITS="2THETA", YUNITS="COUNTS", YFACTOR=1))
    assert (scan.kind, scan.axis.quantity) == ("diffractogram", "two_theta")
    assert scan.counts is not None and scan.sigma is not None
    np.testing.assert_allclose(scan.sigma**2, [10, 17, 1])


def test_whole_counts_of_a_spectrometer_have_none():
    scan, _ = _only(jcamp_file(["400 9 16 0"], 3, YUNITS="COUNTS", YFACTOR=1))
    np.testing.assert_array_equal(scan.counts, [9, 16, 0])
    assert scan.sigma is None


def test_user_labels_and_header_are_kept():
    data = jcamp_file(rows(CURVE, "AFFN"), 14, **{"$LAMP": "halogen", "LONGDATE": "2024/05/17 13:45:10"})
    content = jcamp.read(data)
    assert content.scans[0].facts["lamp"] == "halogen"
    assert content.scans[0].facts["started_at"] == "2024-05-17T13:45:10"
    assert "##$LAMP= halogen" in content.header and "1003" not in content.header


@pytest.mark.parametrize("declared", [None, 10**9], ids=["unsaid", "declared"])
def test_a_short_file_of_many_repeats_is_refused(declared):
    data = jcamp_file(["400AS999999999"], 2, NPOINTS=declared)
    with pytest.raises(NotUnderstood, match=r"more points than|points are read"):
        jcamp.read(data)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("400 1.2.3 4", "is no digit of an ordinate"), ("400T5", "its first ordinate is no value"),
        ("400", "holds an abscissa and no ordinate"), ("400A1.5B", "is no digit"), ("abc", "does not begin"),
        ("400AJU0S", "more points"),
    ],
)  # fmt: skip
def test_lines_out_of_form_are_refused_with_their_number(line, reason):
    with pytest.raises(NotUnderstood, match=rf"line \d+.*{reason}"):
        jcamp.read(jcamp_file([line, "402 1 2"], 3))


def test_other_files_are_not_recognised():
    assert not jcamp.recognises(b"# ##TITLE=x") and not jcamp.recognises(b"PK\x03\x04") and not jcamp.recognises(b"")
