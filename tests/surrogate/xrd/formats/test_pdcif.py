import runpy
from pathlib import Path
from types import SimpleNamespace

import gemmi
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from surrogate.formats.errors import NotUnderstood
from surrogate.xrd.formats.pdcif import read, recognises

seeds = SimpleNamespace(**runpy.run_path(str(Path(__file__).parents[2] / "formats" / "seeds_text.py")))

RANGE = "_pd_meas_2theta_range_min 10\n_pd_meas_2theta_range_max 11\n_pd_meas_2theta_range_inc 0.5\n"
COUNTS = "loop_\n_pd_meas_counts_total\n5\n7\n9\n"


def test_counts_on_a_range_are_read_with_the_lines_of_the_source():
    content = read(seeds.pdcif())
    scan = content.scans[0]
    np.testing.assert_allclose(scan.axis.values, seeds.TWO_THETA, rtol=1e-12)
    np.testing.assert_array_equal(scan.counts, seeds.COUNTS)
    assert (scan.radiation.wavelength_angstrom, scan.radiation.ratio) == ((1.5406, 1.5444), (1.0, 0.5))
    assert scan.facts["chemical_formula_sum"] == "O2 Ti"
    assert "_pd_meas_2theta_range_min 10.00" in content.header
    assert len(content.header) < 700


def test_each_block_is_a_scan_and_uncertainties_stand_in_brackets():
    content = read(seeds.pdcif())
    scan = content.scans[1]
    assert (scan.title, scan.unit, scan.counts) == ("again", "arbitrary", None)
    np.testing.assert_array_equal(scan.sigma, np.full(seeds.N, 3.0))
    assert content.warnings == ("the wavelength is that of block rutile",)


@pytest.mark.parametrize(
    ("written", "value", "sigma"),
    [("12.34(5)", 12.34, 0.05), ("1234(35)", 1234, 35), ("1.2e3(2)", 1200, 200), ("-0.50(12)", -0.5, 0.12)],
)
def test_uncertainties_have_the_places_of_the_value(written, value, sigma):
    text = f"data_a\n{RANGE}loop_\n_pd_proc_intensity_net\n{written}\n5.0(1)\n6.0(1)\n"
    (scan,) = read(text.encode()).scans
    assert (scan.values[0], scan.sigma[0]) == pytest.approx((value, sigma))
    assert scan.values[0] == pytest.approx(gemmi.cif.as_number(written))


def test_a_value_that_is_missing_is_told():
    content = read(f"data_a\n{RANGE}loop_\n_pd_proc_intensity_total\n5\n.\n?\n".encode())
    assert np.isnan(content.scans[0].values).tolist() == [False, True, True]
    assert "2 intensities are missing" in content.warnings


@pytest.mark.parametrize(
    ("name", "quantity", "unit"),
    [
        ("_pd_proc_d_spacing", "d_spacing", "Ao"),
        ("_pd_proc_recip_len_Q", "q", "/Ao"),
        ("_pd_meas_time_of_flight", "time", "us"),
        ("_pd_proc_energy_detection", "energy", "eV"),
        ("_pd_meas_2theta_scan", "two_theta", "deg"),
    ],
)
def test_axes_of_all_quantities(name, quantity, unit):
    content = read(f"data_a\nloop_\n{name}\n_pd_proc_intensity_net\n1.0 5\n2.0 6\n3.5 7\n".encode())
    axis = content.scans[0].axis
    assert (axis.quantity, axis.unit, axis.values.tolist()) == (quantity, unit, [1.0, 2.0, 3.5])


def test_measured_positions_go_with_measured_counts():
    rows = "10.0 10.1 5\n10.5 10.6 7\n"
    text = f"data_a\nloop_\n_pd_meas_2theta_scan\n_pd_proc_2theta_corrected\n_pd_meas_counts_total\n{rows}"
    assert read(text.encode()).scans[0].axis.values.tolist() == [10.0, 10.5]


def test_counting_time_is_read_for_all_points():
    (scan,) = read(f"data_a\n{RANGE}_pd_meas_step_count_time 2.5\n{COUNTS}".encode()).scans
    assert scan.count_time_s.tolist() == [2.5, 2.5, 2.5]


def test_lines_are_ordered_by_their_weight():
    lines = "loop_\n_diffrn_radiation_wavelength\n_diffrn_radiation_wavelength_wt\n1.5444 0.4\n1.5406 0.8\n"
    (scan,) = read(f"data_a\n{lines}{RANGE}{COUNTS}".encode()).scans
    assert (scan.radiation.wavelength_angstrom, scan.radiation.ratio) == ((1.5406, 1.5444), (1.0, 0.5))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (f"data_a\n{RANGE.replace('11', '1e9')}{COUNTS}", "range 10 to 1e\\+09 by 0.5 has 1999999981.0 points, not 3"),
        (f"data_a\n{RANGE.replace('0.5', '0')}{COUNTS}", "has no points, not 3"),
        (f"data_a\n{COUNTS}", "block a holds 3 intensities, and no positions"),
        ("data_a\nloop_\n_pd_calc_intensity_total\n1\n2\n", "no measured and no processed intensities"),
        (f"data_a\n{RANGE}{COUNTS.replace('7', 'abc')}", "'abc' is no number"),
        ("data_a\nloop_\n_pd_meas_counts_total\n_pd_x\n1 2 3\n", "no valid CIF"),
        ("data_a\n_pd_meas_counts_total 'open\n", "no valid CIF"),
    ],
    ids=["huge range", "no step", "no axis", "computed", "word", "loop", "quote"],
)
def test_broken_files_are_refused(text, message):
    with pytest.raises(NotUnderstood, match=message):
        read(text.encode())


@pytest.mark.parametrize(
    ("data", "own"),
    [
        (seeds.pdcif(), True), (seeds.pdcif().decode().encode("utf-16"), True), (b"data_a\n_cell_length_a 5\n", False),
        (b"_pd_meas_counts_total\n", False), (b"", False),
    ],
)  # fmt: skip
def test_only_cif_with_a_pattern_is_recognised(data, own):
    assert recognises(data) is own


@given(st.lists(st.integers(0, 10**7), min_size=2, max_size=40).filter(any))
def test_a_document_that_gemmi_writes_is_read_back(values):
    document = gemmi.cif.Document()
    block = document.add_new_block("a")
    loop = block.init_loop("_pd_", ["meas_2theta_scan", "meas_counts_total"])
    for index, value in enumerate(values):
        loop.add_row([f"{10 + index / 4}", str(value)])
    (scan,) = read(document.as_string().encode()).scans
    assert scan.counts.tolist() == values
    assert scan.axis.values.tolist() == [10 + index / 4 for index in range(len(values))]
