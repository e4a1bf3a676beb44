import runpy
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from surrogate.formats.errors import NotUnderstood
from surrogate.xrd.formats.gsas import read, recognises

seeds = SimpleNamespace(**runpy.run_path(str(Path(__file__).parents[2] / "formats" / "seeds_text.py")))

CENTIDEGREES = "positions of CONST steps were taken as centidegrees of 2theta, not as microseconds of flight"


def std(fields, *, points=None, bank="CONST 1000.0 2.0 0 0 STD"):
    rows = ["".join(fields[at : at + 10]) for at in range(0, len(fields), 10)]
    return "\n".join(["title", f"BANK 1 {points or len(fields)} {len(rows)} {bank}", *rows]).encode()


@pytest.mark.parametrize("name", ["gsas_std", "gsas_esd", "gsas_fxye", "gsas_alt"])
def test_all_kinds_of_records_give_the_same_axis(name):
    data = seeds.SEEDS[name]()
    assert recognises(data)
    scan = read(data).scans[0]
    np.testing.assert_allclose(scan.axis.values, seeds.TWO_THETA, rtol=1e-12)
    assert (scan.kind, scan.axis.quantity, scan.axis.unit) == ("diffractogram", "two_theta", "deg")


def test_standard_records_of_one_counter_are_counts():
    content = read(seeds.gsas_std())
    (scan,) = content.scans
    np.testing.assert_array_equal(scan.counts, seeds.COUNTS)
    np.testing.assert_allclose(scan.sigma, np.sqrt(seeds.COUNTS + 1.0))
    assert (content.format, scan.title, content.warnings) == ("GSAS STD", "Rutile, a test", (CENTIDEGREES,))


def test_the_mean_of_several_counters_has_a_smaller_sigma_and_no_counts():
    (scan,) = read(std([" 4   100", "12   100", "     225"])).scans
    assert scan.values.tolist() == [100, 100, 225]
    assert scan.counts is None
    np.testing.assert_allclose(scan.sigma**2, [101 / 4, 101 / 12, 226])


def test_values_that_fill_their_columns_are_parted():
    assert read(std(["10123456", "10654321", "10111111"])).scans[0].values.tolist() == [123456, 654321, 111111]


def test_a_last_record_that_is_filled_up_is_cut():
    assert len(read(std(["     100"] * 20, points=17)).scans[0].values) == 17


def test_records_parted_by_blanks_are_read_with_a_warning():
    # as SSRL wrote them: A. Mehta, rietveld_l, 26 August 1998
    data = b"BA67AJ_300K.002 LA= 1.23966\nBANK 1 12 2 CONST 400 1\n20 21 26 29 30 36 18 21 25 25\n20 21\n"
    content = read(data)
    (scan,) = content.scans
    assert scan.counts.tolist() == [20, 21, 26, 29, 30, 36, 18, 21, 25, 25, 20, 21]
    np.testing.assert_allclose(scan.axis.values, 4 + 0.01 * np.arange(12))
    assert "parted at blanks" in content.warnings[0]


def test_values_that_may_run_into_the_counters_are_refused():
    with pytest.raises(NotUnderstood, match="may run into the columns of the counters"):
        read(std([f"{value:8d}" for value in (1234567, 998, 2345678, 12)]))


def test_records_with_deviations_keep_them():
    (scan,) = read(seeds.gsas_esd()).scans
    np.testing.assert_array_equal(scan.values, seeds.COUNTS)
    np.testing.assert_allclose(scan.sigma, np.sqrt(seeds.COUNTS), atol=6e-3)
    assert scan.counts is None


def test_banks_are_scans_and_flight_paths_are_told_from_angles():
    content = read(seeds.gsas_fxye())
    first, second = content.scans
    assert first.radiation.wavelength_angstrom == (0.413263,)
    assert (second.axis.quantity, second.axis.unit, second.radiation) == ("time", "us", None)
    assert second.axis.values[:2].tolist() == [5000, 5009]
    assert (first.facts["bank"], second.facts["bank"]) == (1, 2)
    assert "BANK 2" in content.header


def test_alternative_records_have_implied_decimals():
    content = read(seeds.gsas_alt())
    np.testing.assert_allclose(content.scans[0].values, seeds.COUNTS / 100)
    np.testing.assert_allclose(content.scans[0].sigma, 0.1)
    assert "the four places that ALT implies" in content.warnings[0]


def test_steps_beyond_half_a_turn_are_flight():
    content = read(std(["     100"] * 20, bank="CONST 17000.0 100.0 0 0 STD"))
    assert content.scans[0].axis.unit == "us"
    assert "more than 180 degrees" in content.warnings[0]


def test_records_of_80_characters_without_line_ends_are_read():
    lines = seeds.gsas_std().decode().split("\r\n")
    data = "".join(line.ljust(80) for line in lines if line.strip()).encode()
    assert recognises(data)
    np.testing.assert_array_equal(read(data).scans[0].counts, seeds.COUNTS)


def test_fewer_points_than_declared_are_told_where_each_has_its_position():
    data = seeds.gsas_fxye().replace(b"BANK 1 120", b"BANK 1 121")
    assert "bank 1 has 120 points and declares 121" in read(data).warnings


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (std(["     100"] * 20, points=40), "20 points in the columns of the format, and 40 declared"),
        (std(["     100"] * 20, points=900_000_000), "bank 1 declares 900000000 points in 2 records"),
        (std(["     100"] * 20, points="9" * 12), "declares 999999999999 points"),
        (std(["     100"] * 20, bank="SLOG 1000 2 0.001 0 STD"), "SLOG steps and no positions"),
        (std(["     100"] * 20, bank="TIME_MAP 1 STD"), "steps of kind TIME_MAP"),
        (std(["     100"] * 20, bank="EDS 1.0 2.0 0 0"), "steps of kind EDS"),
        (std(["     100"] * 20, bank="CONST 1000.0 STD"), "no start and step"),
        (std(["    oops"] * 20), "no points in the columns"),
        (b"t\nBANK 1 2 2 CONST 1000 2 0 0 FXYE\n10.0 5 2\n10.02 5 2\n", "declares a start of 1000 and begins at 10"),
        (b"t\nBANK 1 2 2 CONST 1000 2 0 0 FXYE\n", "a bank holds no records"),
        (b"t\nBANK 1 2 2 CONST 1000 2 0 0 FXYE\n1000 5\n1002 5\n", "has no 3 numbers"),
        (b"title only\n", "0 BANK records"),
    ],
    ids=lambda value: value[:20] if isinstance(value, str) else "file",
)
def test_broken_files_are_refused(data, message):
    with pytest.raises(NotUnderstood, match=message):
        read(data)


@pytest.mark.parametrize("data", [b"# BANK 1 2 3 CONST\n", b"the BANK 1 2 3 \n", b"BANKS\n", b""])
def test_other_files_are_not_recognised(data):
    assert not recognises(data)


counts = st.lists(st.integers(0, 99_999), min_size=2, max_size=45)


@given(counts)
def test_standard_records_round_trip(values):
    (scan,) = read(std([f"{value:8d}" for value in values])).scans
    assert scan.values.tolist() == values


@given(st.lists(st.tuples(st.floats(0, 99_999), st.floats(0.01, 999)), min_size=2, max_size=30))
def test_fxye_records_round_trip(pairs):
    rows = "".join(f"{500 + 2.5 * i:.3f} {y!r} {s!r}\n" for i, (y, s) in enumerate(pairs))
    (scan,) = read(f"t\nBANK 3 {len(pairs)} {len(pairs)} CONST 500 2.5 0 0 FXYE\n{rows}".encode()).scans
    assert [*zip(scan.values, scan.sigma, strict=True)] == pairs
