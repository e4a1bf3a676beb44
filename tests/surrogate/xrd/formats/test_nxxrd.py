"""NeXus of any origin; that of labpilot's own writing is tested with the writer."""

import io

import h5py
import numpy as np
import pytest

from surrogate.formats.errors import NotUnderstood


def plain(entry, *, axis="two_theta", unit="deg", signal=None, x=None):
    data = entry.create_group("data")
    data.attrs["NX_class"] = "NXdata"
    data["data"] = np.arange(12.0) ** 2 if signal is None else signal
    data["data"].attrs["signal"] = 1
    data[axis] = np.linspace(10.0, 21.0, 12) if x is None else x
    if unit:
        data[axis].attrs["units"] = unit


def test_nxxrd_pan_is_read_with_its_lines(seeds, open_file):
    file = open_file(seeds.nexus())
    scan = file.scans[0]
    assert (file.format, file.warnings) == ("NeXus NXxrd_pan", ())
    np.testing.assert_array_equal(scan.counts, seeds.COUNTS)
    np.testing.assert_array_equal(scan.axis.values, seeds.TWO_THETA)
    assert (scan.radiation.wavelength_angstrom, scan.radiation.ratio) == ((1.5406, 1.54439), (1.0, 0.5))
    assert scan.facts["tube_voltage_kv"] == 40.0
    np.testing.assert_array_equal(scan.count_time_s, np.full(12, 1.5))
    assert "/entry/title: rutile" in file.header


def test_nxmonopd_gives_the_wavelength_by_its_energy(seeds, open_file):
    def fill(entry):
        plain(entry, axis="polar_angle", unit="degrees")
        entry["incident_energy"] = 8.0478
        entry["incident_energy"].attrs["units"] = "keV"

    scan = open_file(seeds.nexus(fill, definition="NXmonopd")).scans[0]
    assert scan.radiation.wavelength_angstrom[0] == pytest.approx(1.5406, abs=1e-4)
    assert scan.axis.quantity == "two_theta"


def test_angles_in_radian_become_degrees(seeds, open_file):
    x = np.linspace(0.2, 0.5, 12)
    scan = open_file(seeds.nexus(lambda entry: plain(entry, unit="rad", x=x))).scans[0]
    np.testing.assert_allclose(scan.axis.values, np.degrees(x))


def test_a_spectrum_is_one(seeds, open_file):
    scan = open_file(seeds.nexus(lambda entry: plain(entry, axis="wavelength", unit="nm"), definition="NXx")).scans[0]
    assert (scan.kind, scan.axis.quantity, scan.axis.unit, scan.radiation) == ("spectrum", "wavelength", "nm", None)


def test_a_missing_unit_of_an_angle_is_a_warning(seeds, open_file):
    assert "degrees are assumed" in open_file(seeds.nexus(lambda entry: plain(entry, unit=""))).warnings[0]


@pytest.mark.parametrize(
    ("fill", "reason"),
    [
        (lambda entry: plain(entry, axis="energy", unit=""), "axis energy has no unit"),
        (lambda entry: plain(entry, unit="gon"), "in 'gon', a unit that is not known"),
        (lambda entry: plain(entry, signal=np.ones((12, 3))), "no curve"),
        (lambda entry: plain(entry, x=np.arange(13.0)), "edges of bins"),
        (lambda entry: plain(entry, axis="depth"), "no axis of 12 points that is known"),
        (lambda entry: entry.create_group("x"), "holds 0 groups of data"),
    ],
    ids=["unit", "gon", "map", "bins", "axis", "empty"],
)
def test_what_says_too_little_is_refused(seeds, open_file, fill, reason):
    with pytest.raises(NotUnderstood, match=reason):
        open_file(seeds.nexus(fill))


def test_links_out_of_the_file_are_not_followed(seeds, open_file, tmp_path):
    with h5py.File(tmp_path / "secret.h5", "w") as secret:
        secret["numbers"] = np.arange(12.0)

    def fill(entry):
        plain(entry)
        del entry["data/data"]
        entry["data/data"] = h5py.ExternalLink(str(tmp_path / "secret.h5"), "numbers")

    with pytest.raises(NotUnderstood, match="does not say what was measured"):
        open_file(seeds.nexus(fill))


def test_data_stored_in_another_file_is_refused(seeds, open_file, tmp_path):
    (tmp_path / "raw").write_bytes(np.arange(12.0).tobytes())

    def fill(entry):
        plain(entry)
        del entry["data/data"]
        external = [(str(tmp_path / "raw"), 0, 96)]
        entry["data"].create_dataset("data", shape=(12,), dtype="f8", external=external).attrs["signal"] = 1

    with pytest.raises(NotUnderstood, match="lies in another file"):
        open_file(seeds.nexus(fill))


def test_a_dataset_larger_than_the_file_can_hold_is_not_allocated(seeds, open_file):
    def fill(entry):
        plain(entry)
        del entry["data/data"]
        entry["data"].create_dataset("data", shape=(10**9,), dtype="f8", chunks=(10**6,), compression="gzip")
        entry["data/data"].attrs["signal"] = 1

    with pytest.raises(NotUnderstood, match="declares 1000000000 numbers"):
        open_file(seeds.nexus(fill))


def test_hdf5_without_an_entry_is_for_others(open_file):
    out = io.BytesIO()
    with h5py.File(out, "w") as file:
        file["x"] = np.arange(3.0)
    with pytest.raises(NotUnderstood, match="HDF5 without an entry of NeXus"):
        open_file(out.getvalue())
