import errno
import os

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from orchestrator import measurements
from orchestrator.errors import StorageError
from orchestrator.measurements import MeasurementFile, read_measurement, write_measurement

SPECTRUM = MeasurementFile(
    kind="spectrum",
    arrays={"counts": np.arange(5.0), "wavelength_nm": np.linspace(350, 900, 5)},
    metadata={"role": "film", "offset_mm": 0.25},
)


@given(
    st.dictionaries(
        st.from_regex(r"[a-z][a-z_]{0,8}", fullmatch=True).filter(lambda name: name != "metadata"),
        hnp.arrays(st.sampled_from([np.float64, np.uint8, np.int32]), hnp.array_shapes(max_dims=3, max_side=4)),
        max_size=3,
    ),
    st.dictionaries(
        st.text(max_size=5).filter(lambda k: k != "kind"), st.floats(allow_nan=False, allow_infinity=False)
    ),
)
def test_what_was_written_is_read(tmp_path_factory, arrays, metadata):
    path = tmp_path_factory.mktemp("m") / "one.npz"
    measurement = MeasurementFile(kind="spectrum", arrays=arrays, metadata=metadata)
    written = write_measurement(path, measurement, fsync=False)
    back = read_measurement(path, sha256=written.sha256)
    assert back.metadata == metadata
    assert back.arrays.keys() == arrays.keys()
    for name, array in arrays.items():
        np.testing.assert_array_equal(back.arrays[name], array)
        assert back.arrays[name].dtype == array.dtype


def test_equal_measurements_have_equal_bytes(tmp_path):
    one = write_measurement(tmp_path / "a.npz", SPECTRUM)
    two = write_measurement(tmp_path / "b.npz", SPECTRUM)
    assert one.sha256 == two.sha256


def test_any_changed_byte_is_noticed(tmp_path):
    written = write_measurement(tmp_path / "a.npz", SPECTRUM)
    data = bytearray(written.path.read_bytes())
    data[len(data) // 2] ^= 1
    written.path.write_bytes(data)
    with pytest.raises(StorageError, match="was changed after it was taken"):
        read_measurement(written.path, sha256=written.sha256)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04rubbish", b"no archive at all"], ids=["empty", "cut", "text"])
def test_a_file_that_is_no_measurement_is_refused(tmp_path, content):
    path = tmp_path / "a.npz"
    path.write_bytes(content)
    with pytest.raises(StorageError, match=r"a\.npz"):
        read_measurement(path)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(StorageError, match=r"gone\.npz cannot be read"):
        read_measurement(tmp_path / "gone.npz")


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_a_full_disk_leaves_no_half_file_and_the_old_one_whole(tmp_path, monkeypatch, call):
    path = tmp_path / "a.npz"
    before = write_measurement(path, SPECTRUM)

    def full(*_args, **_kwargs):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, call, full)
    changed = MeasurementFile(kind="spectrum", arrays={"counts": np.zeros(9)}, metadata={})
    with pytest.raises(StorageError, match="No space left on device"):
        write_measurement(path, changed)
    monkeypatch.undo()
    assert read_measurement(path, sha256=before.sha256).arrays["counts"].size == 5
    assert [file.name for file in tmp_path.iterdir()] == ["a.npz"]


def test_the_names_of_new_folders_reach_the_disk_with_the_first_file(tmp_path, monkeypatch):
    synced = []
    real = measurements.sync_folder
    monkeypatch.setattr(measurements, "sync_folder", lambda path: synced.append(path) or real(path))
    for name in ("a", "b"):
        write_measurement(tmp_path / "measurements/000012" / f"{name}.npz", SPECTRUM)
    folder = tmp_path / "measurements/000012"
    assert synced == [tmp_path, folder.parent, folder, folder]
    synced.clear()
    write_measurement(tmp_path / "measurements/000013/a.npz", SPECTRUM, fsync_folder=False)
    assert synced == [folder.parent]
    write_measurement(tmp_path / "measurements/000014/a.npz", SPECTRUM, fsync=False)
    assert synced == [folder.parent]


def test_objects_are_never_pickled(tmp_path):
    with pytest.raises(ValueError, match="pickle"):
        write_measurement(tmp_path / "a.npz", MeasurementFile(kind="result", arrays={"x": np.array([{}])}, metadata={}))
