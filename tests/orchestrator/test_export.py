import csv
import errno
import json

import numpy as np
import pyarrow.parquet
import pytest

from orchestrator import export as export_module
from orchestrator.cli.main import supervise
from orchestrator.errors import InputError, StorageError
from orchestrator.export import export_campaign
from orchestrator.measurements import read_measurement
from orchestrator.reading import read_snapshot

FORMATS = ["csv", "parquet"]


def rows_of(path):
    if path.suffix == ".csv":
        with path.open(newline="", encoding="utf-8") as file:
            return list(csv.DictReader(file))
    return pyarrow.parquet.read_table(path).to_pylist()


def number(cell):
    return None if cell in ("", None) else float(cell)


@pytest.mark.parametrize("to", FORMATS)
def test_trials_equal_the_table(fabricate, to):
    path = fabricate().bench(2)
    exported = export_campaign(path, to=to)
    trials = read_snapshot(path).trials
    rows = rows_of(exported.path / f"trials.{to}")
    assert exported.files[f"trials.{to}"] == len(rows) == len(trials) == 32
    for row, trial in zip(rows, trials, strict=True):
        assert int(row["number"]) == trial.number
        assert (row["outcome"] or None) == trial.outcome
        assert number(row["value_hydrogen"]) == trial.values.get("hydrogen")
        assert number(row["parameter_cysteine"]) == trial.parameters["cysteine"]
        assert number(row["predicted_sd_hydrogen"]) == (trial.predictions.get("hydrogen") or {}).get("sd")
        assert str(row["is_control"]) == str(trial.is_control)


@pytest.mark.parametrize("to", FORMATS)
def test_spectra_equal_the_files(fabricate, to):
    path = fabricate().sara(2, points=3, pixels=40)
    exported = export_campaign(path, to=to)
    rows = rows_of(exported.path / f"spectrum_points.{to}")
    measurements = [row for row in read_snapshot(path).measurements if row.kind == "spectrum"]
    assert len(rows) == 40 * len(measurements)
    for measurement in measurements:
        arrays = read_measurement(path / measurement.path).arrays
        mine = [row for row in rows if row["measurement"] == measurement.id]
        np.testing.assert_allclose([float(row["counts"]) for row in mine], arrays["counts"], rtol=1e-12)
        np.testing.assert_allclose([float(row["wavelength_nm"]) for row in mine], arrays["wavelength_nm"])
        assert {float(row["offset_mm"]) for row in mine} == {measurement.facts["offset_mm"]}
        assert {row["role"] for row in mine} == {measurement.role}


@pytest.mark.parametrize("to", FORMATS)
def test_every_column_is_described_with_its_unit(fabricate, to):
    exported = export_campaign(fabricate().sara(6), to=to)
    sidecar = json.loads((exported.path / "columns.json").read_text())
    assert set(sidecar["files"]) == set(exported.files)
    for file, columns in sidecar["files"].items():
        rows = rows_of(exported.path / file)
        assert rows, file
        assert list(rows[0]) == [column["name"] for column in columns]
        assert all(column["meaning"] for column in columns)
    units = {column["name"]: column["unit"] for column in sidecar["files"][f"trials.{to}"]}
    assert units["parameter_peak_temperature"] == "degC"
    assert units["parameter_dwell"] == "us"
    assert units["finished_s"] == "s"
    assert "parameter_dwell | us" in (exported.path / "README.md").read_text()


def test_parquet_carries_units_and_types_in_its_schema(fabricate):
    exported = export_campaign(fabricate().sara(1), to="parquet")
    schema = pyarrow.parquet.read_schema(exported.path / "trials.parquet")
    assert schema.field("parameter_dwell").metadata[b"unit"] == b"us"
    assert schema.field("reason").type == "string"
    assert schema.field("started_s").type == "double"


def test_what_is_no_column_is_said_to_be_left_out(fabricate):
    exported = export_campaign(fabricate().sara(1), to="csv")
    assert "image_points.csv" not in exported.files
    assert any("image" in text for text in exported.left_out)
    assert "stay in the .npz files" in (exported.path / "README.md").read_text()


def test_a_missing_and_a_changed_file_are_said(fabricate):
    path = fabricate().sara(1, points=3, pixels=16)
    files = sorted((path / "measurements" / "000001").glob("*.4.*.npz"))
    files[0].unlink()
    files[1].write_bytes(files[1].read_bytes()[:-1] + b"x")
    exported = export_campaign(path, to="csv")
    assert sum("cannot be read" in text for text in exported.left_out) == 1
    assert sum("was changed" in text for text in exported.left_out) == 1
    assert exported.files["spectrum_points.csv"] == 16 * 3


@pytest.mark.parametrize("to", FORMATS)
def test_an_empty_campaign_gives_tables_with_headers(fabricate, to):
    exported = export_campaign(fabricate().sara(0), to=to)
    assert exported.files[f"trials.{to}"] == 0
    file = exported.path / f"trials.{to}"
    names = file.read_text().strip().split(",") if to == "csv" else pyarrow.parquet.read_schema(file).names
    assert "parameter_dwell" in names


def test_an_export_is_not_overwritten_unless_forced(fabricate):
    path = fabricate().sara(1)
    first = export_campaign(path, to="csv")
    (first.path / "mine.txt").write_text("a note")
    with pytest.raises(InputError, match="--force"):
        export_campaign(path, to="csv")
    assert (first.path / "mine.txt").exists()
    export_campaign(path, to="csv", force=True)
    assert not (first.path / "mine.txt").exists()


def test_force_never_replaces_what_is_no_export(fabricate, tmp_path):
    path = fabricate().sara(1)
    home = tmp_path / "home"
    home.mkdir()
    (home / "thesis.tex").write_text("years of work")
    with pytest.raises(InputError, match="no earlier export"):
        export_campaign(path, to="csv", out=home, force=True)
    assert (home / "thesis.tex").read_text() == "years of work"


def test_a_failed_export_leaves_nothing_and_keeps_the_old_one(fabricate, tmp_path, monkeypatch):
    path = fabricate().sara(1)
    target = tmp_path / "out"
    export_campaign(path, to="csv", out=target)
    before = sorted(file.name for file in target.iterdir())

    def full(*_arguments):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(export_module, "_readme", full)
    with pytest.raises(StorageError, match="No space left"):
        export_campaign(path, to="csv", out=target, force=True)
    assert sorted(file.name for file in target.iterdir()) == before
    assert [entry.name for entry in tmp_path.iterdir() if entry.name.startswith(".")] == []


def test_a_damaged_journal_is_said(fabricate):
    import sqlite3

    path = fabricate().sara(1)
    with sqlite3.connect(path / "journal.sqlite") as connection:
        connection.execute("UPDATE journal SET body_hash = 'x' WHERE seq = 4")
    connection.close()
    assert any("journal rows 4" in text for text in export_campaign(path, to="csv").left_out)


def test_the_command_says_what_it_wrote(fabricate, tmp_path, capsys):
    path = fabricate().bench(1)
    assert supervise(["export", str(path), "--to", "parquet", "--out", str(tmp_path / "out")]) == 0
    said = capsys.readouterr().out
    assert "trials.parquet: 16 rows" in said
    assert str(tmp_path / "out") in said
    assert supervise(["export", str(path), "--to", "parquet", "--out", str(tmp_path / "out")]) == 2
    assert "--force" in capsys.readouterr().err
