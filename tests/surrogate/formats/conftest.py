"""Measurements of both kinds, with everything that a record can hold."""

import numpy as np
import pytest

from surrogate.formats.record import Axis, MeasurementFile, Radiation, Scan, counted

RNG_SEED = 11


def make_scan(**changes) -> Scan:
    rng = np.random.default_rng(RNG_SEED)
    n = 400
    counts = rng.poisson(200.0, n).astype(float)
    fields = {
        "kind": "diffractogram",
        "axis": Axis(quantity="two_theta", unit="deg", values=np.linspace(10.0, 37.3, n)),
        "count_time_s": np.full(n, 1.7),
        "radiation": Radiation(wavelength_angstrom=(1.540598, 1.544426), ratio=(1.0, 0.497), anode="Cu"),
        "title": "rutile, 2nd",
        "facts": {
            "sample": "rutile", "tube_voltage_kv": 45.0, "append_number": 3, "is_spun": True, "a/b . c (s)": "x\ny",
        },
        **counted(counts, attenuation=np.where(counts > 220, 24.16, 1.0)),
    }  # fmt: skip
    return Scan(**(fields | changes))


def make_file(*scans: Scan) -> MeasurementFile:
    return MeasurementFile(
        name="rutile.xrdml",
        format="PANalytical XRDML 1.5",
        reader="xrdml",
        version="1",
        sha256="ab" * 32,
        header="<xml>\n 2θ & Ångström</xml>",
        scans=scans,
        warnings=("one thing\nwas assumed", "and another"),
        checked_by=("fairmat",),
    )


@pytest.fixture
def pattern() -> MeasurementFile:
    """Return a diffractogram with all fields."""
    return make_file(make_scan())


@pytest.fixture
def spectrum() -> MeasurementFile:
    """Return a spectrum with as few fields as there may be, and a value that is missing."""
    x = np.linspace(350.0, 1000.0, 300)
    values = 0.3 + 0.2 * np.cos(2 * np.pi * 900.0 / x)
    values[17] = np.nan
    scan = Scan(
        kind="spectrum",
        axis=Axis(quantity="wavelength", unit="nm", values=x),
        values=values,
        unit="1",
        quantity="reflectance",
    )
    return make_file(scan)


@pytest.fixture
def several(pattern) -> MeasurementFile:
    """Return twelve scans."""
    return make_file(*[make_scan(title=f"scan {number}") for number in range(12)])
