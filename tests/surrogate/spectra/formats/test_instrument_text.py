import runpy
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from surrogate.formats.errors import NotUnderstood
from surrogate.spectra.formats.instrument_facts import with_common_names
from surrogate.spectra.formats.instrument_text import read, recognises

seeds = SimpleNamespace(**runpy.run_path(str(Path(__file__).parents[2] / "formats" / "seeds_text.py")))

MAKERS = ("ocean", "avantes", "craic", "perkin_elmer", "labspec", "labspec_map")


@pytest.mark.parametrize("name", MAKERS)
def test_texts_of_all_makers_are_recognised(name):
    assert recognises(seeds.SEEDS[name]())


@pytest.mark.parametrize("name", sorted(set(seeds.SEEDS) - set(MAKERS)))
def test_other_texts_are_not(name):
    assert not recognises(seeds.SEEDS[name]())


@pytest.mark.parametrize("name", MAKERS)
def test_all_of_the_header_is_kept(name):
    data = seeds.SEEDS[name]()
    header = read(data).header
    first = data.decode("cp1252").replace("\r\n", "\n").split("\n")
    assert header.split("\n")[:5] == [line if name != "labspec" else line.strip() for line in first[:5]]


def test_ocean_optics_with_decimal_commas():
    content = read(seeds.ocean())
    (scan,) = content.scans
    np.testing.assert_allclose(scan.axis.values, seeds.NM)
    np.testing.assert_allclose(scan.values, seeds.REFLECTANCE, atol=6e-4)
    assert (scan.kind, scan.axis.quantity, scan.axis.unit, scan.unit) == ("spectrum", "wavelength", "nm", "arbitrary")
    expected = {"integration_s": 0.07, "averages": 15, "boxcar_pixels": 5, "serial": "USB2+H11150"}
    assert expected.items() <= dict(scan.facts).items()
    assert content.warnings == (
        "the axis was taken as wavelength in nm",
        "a reference was used and the file does not say for what: %R, %T or absorbance",
    )


def test_a_file_that_was_cut_is_told():
    data = seeds.ocean().replace(b"User: Adolfo", b"Number of Pixels in Processed Spectrum: 120")
    assert not any("pixels" in warning for warning in read(data).warnings)
    cut = read(data[:-600]).warnings
    assert any(warning.startswith("the file declares 120 pixels and holds 80") for warning in cut)


def test_oceanview_names_its_axis_and_time():
    head = (
        "Data from scan_1.txt Node\n\nDate: Sun Jun 13 23:27:09 CET 2021\nIntegration Time (sec): 3.000000E-1\n"
        "Scans to average: 4\nBoxcar width: 2\nXAxis mode: Raman Shifts\n>>>>>Begin Spectral Data<<<<<\n"
    )
    content = read((head + "340.154\t-12.5\n340.532\t800.25\n340.910\t7.0\n").encode())
    (scan,) = content.scans
    assert (scan.axis.quantity, scan.values.tolist()) == ("raman_shift", [-12.5, 800.25, 7.0])
    assert {"integration_s": 0.3, "averages": 4, "boxcar_pixels": 2}.items() <= dict(scan.facts).items()
    assert content.warnings == ()


def test_jaz_names_its_columns_by_letters():
    text = ">>>>>Begin Processed Spectral Data<<<<<\nW\tD\tR\tS\tP\n400\t1.5\t9.5\t5.5\t50\n401\t1.5\t9.5\t5.0\t49\n"
    content = read(text.encode())
    assert [scan.title for scan in content.scans] == [
        "Dark (counts)",
        "Reference (counts)",
        "Sample (counts)",
        "Processed",
    ]
    assert content.scans[3].values.tolist() == [50, 49]


def test_avantes_gives_each_column_as_a_spectrum():
    content = read(seeds.avantes())
    assert [(scan.title, scan.unit) for scan in content.scans] == [
        ("Dark", "counts"), ("Ref", "counts"), ("Sample", "counts"), ("Transmittance", "%"),
    ]  # fmt: skip
    transmittance = content.scans[3]
    assert (transmittance.quantity, transmittance.axis.unit) == ("transmittance", "nm")
    np.testing.assert_allclose(transmittance.values, seeds.REFLECTANCE, atol=6e-5)
    expected = {"integration_s": 0.175, "averages": 20, "boxcar_pixels": 0, "serial": "0411041S1", "comment": "M-"}
    assert expected.items() <= dict(transmittance.facts).items()


def test_avantes_with_units_in_brackets_and_blanks_in_rows():
    text = (
        "\nIntegration time [ms]:  84.900\nAveraging Nr. [scans]: 10\nSmoothing Nr. [pixels]: 1\n"
        "Data measured with spectrometer [name]: 1501154U1\nWave   ;Sample   ;Dark     ;Reference;Reflectance\n"
        "[nm]   ;[counts] ;[counts] ;[counts] ;[%]\n\n 174.78;  -15.000;  -14.500;    2.400;-2.95858\n"
        " 175.38;   14.400;    3.167;   14.333;100.59701\n 175.99;   17.000;    7.000;   19.767;78.32898\n"
    )
    scan = read(text.encode()).scans[3]
    assert (scan.quantity, scan.unit, scan.values[0]) == ("reflectance", "%", -2.95858)
    assert {"integration_s": 0.0849, "averages": 10, "serial": "1501154U1"}.items() <= dict(scan.facts).items()


def test_craic_says_its_mode_and_times():
    content = read(seeds.craic())
    (scan,) = content.scans
    np.testing.assert_allclose(scan.values, seeds.REFLECTANCE, atol=6e-5)
    assert (scan.quantity, scan.unit, scan.axis.unit) == ("reflectance", "%", "nm")
    expected = {"integration_s": 0.024, "averages": 50, "objective": "10X", "measured_at": "4/28/2021 10:14:13 AM"}
    assert expected.items() <= dict(scan.facts).items()
    assert "by its size it was taken in %" in content.warnings[1]


def test_perkin_elmer_runs_from_long_to_short_waves():
    content = read(seeds.perkin_elmer())
    (scan,) = content.scans
    np.testing.assert_allclose(scan.axis.values, seeds.NM[::-1])
    np.testing.assert_allclose(scan.values, seeds.REFLECTANCE[::-1], atol=6e-7)
    assert (scan.quantity, scan.unit, scan.title) == ("transmittance", "%", "glass slide")
    assert {"instrument": "Lambda 1050", "serial": "1050L1234"}.items() <= dict(scan.facts).items()
    assert content.warnings == ()


@pytest.mark.parametrize(
    ("written", "quantity", "unit"),
    [
        ("A", "absorbance", "1"),
        ("%R", "reflectance", "%"),
        ("INT", "intensity", "arbitrary"),
        ("?", "intensity", "arbitrary"),
    ],
)
def test_perkin_elmer_ordinates(written, quantity, unit):
    (scan,) = read(seeds.perkin_elmer().replace(b"%T", written.encode())).scans
    assert (scan.quantity, scan.unit) == (quantity, unit)


def test_labspec_spectrum_is_a_raman_shift_in_counts():
    content = read(seeds.labspec())
    (scan,) = content.scans
    np.testing.assert_array_equal(scan.counts, seeds.COUNTS)
    assert (scan.axis.quantity, scan.axis.unit, scan.sigma) == ("raman_shift", "/cm", None)
    expected = {"integration_s": 0.15, "averages": 20, "laser_nm": 532, "detector_temperature_c": -75.38}
    assert expected.items() <= dict(scan.facts).items()
    assert content.warnings == ()


def test_labspec_map_gives_a_scan_for_each_place():
    content = read(seeds.labspec_map())
    assert [(scan.facts["x_um"], scan.facts["y_um"]) for scan in content.scans] == [
        (0, 0), (1, 0), (2, 0), (0, 1), (1, 1), (2, 1),
    ]  # fmt: skip
    np.testing.assert_array_equal(content.scans[5].values, seeds.COUNTS + 12)
    assert content.warnings == ("the two columns before each spectrum were taken as y and x",)


def test_labspec_without_a_unit_or_a_laser_says_so():
    text = "#Acq. time (s)=\t1\n100.0\t5\n100.5\t6\n"
    assert "does not name the unit" in read(text.encode()).warnings[0]
    assert "names no laser" in read(("#AxisUnit[1]=\t1/cm\n" + text).encode()).warnings[0]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (seeds.ocean().partition(b"<<<<<")[0], "no table of numbers"),
        (seeds.labspec().replace(b"\t34\n", b"\tx4\n"), "holds something that is no number"),
        (seeds.labspec().replace(b"\t34\n", b"\t34\t1\t1\n"), "neither a spectrum nor a map"),
        (b"#Laser=\t5\n", "a header and no spectrum"),
        (seeds.perkin_elmer().replace(b"#DATA", b"#DAT"), "no #GR or no #DATA"),
        (seeds.craic().replace(b",", b",1,"), "3 columns"),
        (b"nothing of the kind", "of no spectrometer"),
    ],
    ids=["cut", "word", "row", "no rows", "no mark", "columns", "unknown"],
)
def test_broken_files_are_refused(data, message):
    with pytest.raises(NotUnderstood, match=message):
        read(data)


def test_common_names_are_added_and_none_is_lost():
    facts = {"integration_time_ms": 20, "scans_to_average": 3, "laser": "green", "colour": "red"}
    assert with_common_names(facts) == {**facts, "integration_s": 0.02, "averages": 3}


def test_a_header_of_two_makers_is_refused():
    data = seeds.labspec().replace(b"#Title", b"#>>>>>Begin Spectral Data<<<<<\n#Title")
    with pytest.raises(NotUnderstood, match="that of Ocean Optics text, LabSpec text; it must be that of one"):
        read(data)
