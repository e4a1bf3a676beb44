import base64

import numpy as np
import pytest

from orchestrator.measurements import read_measurement
from orchestrator.reading import read_snapshot
from orchestrator.report import spectra as spectra_module
from orchestrator.report.pack import block_means
from orchestrator.report.spectra import pack_spectra


def decoded(curve):
    steps = np.frombuffer(base64.b64decode(curve["data"]), dtype="<u2").astype(float)
    values = curve["low"] + steps * (curve["high"] - curve["low"]) / 65534
    return np.where(steps == 65535, np.nan, values)


def test_references_come_back_as_the_files_have_them(fabricate):
    path = fabricate().sara(1, points=3, pixels=64)
    snapshot = read_snapshot(path)
    pack = pack_spectra(snapshot)
    rows = {row.id: row for row in snapshot.measurements}
    raw = [curve for curve in pack.curves[1] if not curve["relative"]]
    assert {curve["role"] for curve in raw} == {"mirror", "blank"}
    for curve in raw:
        counts = read_measurement(path / rows[curve["id"]].path).arrays["counts"]
        np.testing.assert_allclose(decoded(curve), counts, atol=1.0)
    grid = np.frombuffer(base64.b64decode(pack.grids[raw[0]["grid"]]), dtype="<f4")
    np.testing.assert_allclose(grid, np.linspace(350, 900, 64), rtol=1e-6)


def test_film_spectra_are_shown_as_reflectance_against_the_latest_references(fabricate):
    path = fabricate().sara(2, points=3, pixels=500)
    snapshot = read_snapshot(path)
    rows = {row.id: row for row in snapshot.measurements}
    # trial 2 took no references of its own: those of trial 1 hold
    film = [curve for curve in pack_spectra(snapshot).curves[2] if curve["role"] == "film"]
    assert len(film) == 3
    for curve in film:
        counts = read_measurement(path / rows[curve["id"]].path).arrays["counts"]
        assert curve["relative"]
        shown, expected = decoded(curve), (counts - 500) / 39_500
        valid = np.isfinite(shown)
        assert valid.mean() > 0.95
        np.testing.assert_allclose(shown[valid], expected[valid], atol=2e-3)
        assert curve["x"] == rows[curve["id"]].facts["offset_mm"]


def test_without_references_counts_are_shown(fabricate):
    path = fabricate().sara(1, points=3, pixels=64)
    for file in (path / "measurements" / "000001").glob("*.2.0.npz"):
        file.unlink()
    pack = pack_spectra(read_snapshot(path))
    assert not any(curve["relative"] for curve in pack.curves[1])
    assert "1 of" in pack.notices[0]
    assert "000001.2.0.npz" in pack.notices[0]


def test_a_changed_file_is_left_out_and_said(fabricate):
    path = fabricate().sara(1, points=3, pixels=64)
    file = path / "measurements" / "000001" / "000001.4.0.1.npz"
    file.write_bytes(file.read_bytes()[:-9] + b"tampered.")
    pack = pack_spectra(read_snapshot(path))
    assert "000001.4.0.1" not in {curve["id"] for curve in pack.curves[1]}
    assert any("was changed after it was taken" in notice for notice in pack.notices)


def test_too_many_spectra_keep_whole_trials_that_tell_most(fabricate, monkeypatch):
    monkeypatch.setattr(spectra_module, "MOST_SPECTRA", 40)
    monkeypatch.setattr(spectra_module, "MOST_PICTURES", 5)
    snapshot = read_snapshot(fabricate().sara(12, points=6, pixels=16))
    pack = pack_spectra(snapshot)
    sizes = {}
    for row in snapshot.measurements:
        # trial 5 is lost before it has a spectrum
        sizes[row.trial] = sizes.get(row.trial, 0) + (row.kind == "spectrum")
    assert all(len(curves) == sizes[number] for number, curves in pack.curves.items())
    assert sum(len(curves) for curves in pack.curves.values()) <= 40
    assert {3, 12} <= set(pack.curves)  # the one that failed, and the newest
    assert len(pack.pictures) == 5
    assert f"{len(pack.curves)} of 11 trials" in pack.notices[0]
    assert any("pictures of 5 of 11" in notice for notice in pack.notices)


def test_long_spectra_are_shortened_by_means(fabricate, monkeypatch):
    monkeypatch.setattr(spectra_module, "MOST_POINTS", 50)
    path = fabricate().sara(1, points=1, pixels=1200)
    snapshot = read_snapshot(path)
    mirror = next(curve for curve in pack_spectra(snapshot).curves[1] if curve["role"] == "mirror")
    row = next(row for row in snapshot.measurements if row.id == mirror["id"])
    counts = read_measurement(path / row.path).arrays["counts"]
    np.testing.assert_allclose(decoded(mirror), block_means(counts, 50), atol=1.0)


@pytest.mark.parametrize("arrays", [{}, {"values": np.zeros(4)}, {"a": np.zeros(3), "b": np.zeros(4)}])
def test_what_is_no_curve_is_left_alone(fabricate, arrays):
    maker = fabricate()
    maker.sara(1, end=False, points=1)
    maker.measure(1, "9", "trace", "odd", arrays)
    maker.end()
    assert "odd" not in {curve["role"] for curve in pack_spectra(read_snapshot(maker.path)).curves[1]}
