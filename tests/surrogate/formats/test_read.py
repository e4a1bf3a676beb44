import hashlib
import runpy
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest

from surrogate.formats import columns, read
from surrogate.formats.errors import Disagreement, NotUnderstood
from surrogate.formats.read import read_bytes, read_file
from surrogate.formats.readers import Reader, readers
from surrogate.formats.record import Axis, Content, Scan, counted

seeds = SimpleNamespace(**runpy.run_path(str(Path(__file__).with_name("seeds_text.py"))))

KINDS = {
    "gsas": "gsas", "uxd": "uxd", "pdcif": "pdcif", "xy": "columns", "xye": "columns", "csv": "columns",
    "labpilot_csv": "labpilot_csv",
}  # fmt: skip
"""Beginning of a seed's name to the reader of it; all others are of spectrometers."""


@pytest.fixture
def use(monkeypatch):
    def install(*chosen):
        monkeypatch.setattr(read, "readers", lambda: chosen)
        monkeypatch.setattr(columns, "readers", lambda: chosen)

    return install


@pytest.fixture
def reader(monkeypatch):
    """Make a reader from its answer: a module of its own that recognises what begins with TEST."""

    def make(name, answer, *, checks=()):
        module = ModuleType(f"reader_{name}")
        module.recognises = lambda data: data.startswith(b"TEST")  # type: ignore[attr-defined]

        def answered(_):
            if isinstance(answer, Exception):
                raise answer
            return answer

        module.read = answered  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, module.__name__, module)
        return Reader(name=name, version="2", module=module.__name__, checks=checks)

    return make


def content(*values, axis=None, scans=1, warnings=(), **more):
    x = np.arange(len(values), dtype=float) if axis is None else np.array(axis, dtype=float)
    fields = counted(np.array(values, dtype=float)) | {name: np.array(each, dtype=float) for name, each in more.items()}
    scan = Scan(kind="spectrum", axis=Axis(quantity="wavelength", unit="nm", values=x), **fields)
    return Content(format="test", header="TEST", scans=(scan,) * scans, warnings=warnings)


@pytest.mark.parametrize("name", sorted(seeds.SEEDS))
def test_each_text_is_taken_by_one_reader(name):
    taken = read_bytes(seeds.SEEDS[name]())
    expected = next((reader for start, reader in KINDS.items() if name.startswith(start)), "instrument_text")
    assert taken.reader == expected


def test_a_file_is_read_with_its_name_hash_and_version(tmp_path):
    path = tmp_path / "rutile.xye"
    path.write_bytes(seeds.xye())
    measured = read_file(path)
    assert measured.name == "rutile.xye"
    assert measured.sha256 == hashlib.sha256(seeds.xye()).hexdigest()
    assert (measured.version, measured.checked_by) == ("1", ())


def test_the_name_of_a_file_does_not_matter(tmp_path):
    path = tmp_path / "pattern.brml"
    path.write_bytes(seeds.gsas_std())
    assert read_file(path).reader == "gsas"


def test_two_readers_that_agree_are_both_named(use, reader):
    use(reader("one", content(1, 2, 3)), reader("two", content(1, 2, 3 + 1e-6)))
    measured = read_bytes(b"TEST")
    assert (measured.reader, measured.checked_by) == ("one", ("two",))


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (content(1, 2, 4), "one and two read different values in scan 1: 3 and 4 at point 3"),
        (content(1, 2, 3, axis=[0, 1, 2.1]), "different axis in scan 1: 2 and 2.1 at point 3"),
        (content(1, 2), "3 and 2 points in scan 1"),
        (content(1, 2, 3, scans=2), "1 and 2 scans"),
        (content(1, 2, np.nan), "different values in scan 1: 3 and nan at point 3"),
    ],
    ids=["values", "axis", "points", "scans", "nan"],
)
@pytest.mark.parametrize("checks", [(), ("one",)], ids=["both take it", "second opinion"])
def test_two_readers_that_differ_are_not_believed(use, reader, other, message, checks):
    use(reader("one", content(1, 2, 3)), reader("two", other, checks=checks))
    with pytest.raises(Disagreement, match=message):
        read_bytes(b"TEST")


def test_a_second_opinion_that_cannot_read_it_has_none(use, reader):
    use(reader("one", content(1, 2, 3)), reader("two", NotUnderstood("no"), checks=("one",)))
    assert read_bytes(b"TEST").checked_by == ()


def test_a_second_opinion_alone_reads_nothing(use, reader):
    use(reader("two", content(1, 2, 3), checks=("one",)))
    with pytest.raises(NotUnderstood, match="without two rows of numbers; it begins with 'TEST'"):
        read_bytes(b"TEST")


def test_a_reader_that_refuses_is_named_with_its_reason(use, reader):
    use(reader("one", NotUnderstood("its end is missing")))
    with pytest.raises(NotUnderstood, match=r"a.raw \(one\): its end is missing"):
        read_bytes(b"TEST", name="a.raw")


def test_a_reader_that_fails_is_a_file_that_is_broken(use, reader):
    use(reader("one", KeyError("wavelength")))
    with pytest.raises(NotUnderstood, match="it is broken \\(KeyError: 'wavelength'\\)"):
        read_bytes(b"TEST")


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (content(1, 2, axis=[0, 1, 2]), "an axis of 3 points, and values of another number"),
        (content(1), "a scan of 1 points"),
        (content(1, 2, axis=[0, np.inf]), "the axis holds numbers that are not finite"),
        (Content(format="test", header="", scans=()), "it holds no scan"),
        (content(np.nan, np.nan), "none of the values is a number"),
        (content(1, 2, sigma=[1, -1]), "one of the standard deviations is negative"),
        (content(1, 2, attenuation=[1, 0.04]), "a factor of attenuation is 0.04; one by which a beam was weakened"),
    ],
    ids=["shape", "one point", "infinite", "no scan", "no number", "negative sigma", "factor"],
)
def test_scans_that_are_none_are_refused(use, reader, answer, message):
    use(reader("one", answer))
    with pytest.raises(NotUnderstood, match=message):
        read_bytes(b"TEST")


@pytest.mark.parametrize(
    ("data", "message"),
    [(b"", "is empty"), (b"\r\n \t", "holds only blanks and zeros"), (b"\x00" * 512, "holds only blanks and zeros")],
    ids=["empty", "blank", "zeros"],
)
def test_empty_files_are_refused(data, message):
    with pytest.raises(NotUnderstood, match=f"a.xy {message}"):
        read_bytes(data, name="a.xy")


def test_files_beyond_all_sizes_are_refused_unread(tmp_path, monkeypatch):
    monkeypatch.setattr(read, "LARGEST_BYTES", 1 << 20)
    with (tmp_path / "a.xy").open("wb") as file:
        file.truncate((1 << 20) + 1)
    with pytest.raises(NotUnderstood, match="a.xy has more than 1 MiB, and is not read"):
        read_file(tmp_path / "a.xy")


@pytest.mark.skipif(not Path("/dev/zero").exists(), reason="no device without an end")
def test_what_has_no_end_is_refused():
    with pytest.raises(NotUnderstood, match="zero is a pipe or a device, no file; copy what comes out of it to a file"):
        read_file("/dev/zero")


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="every file tells its size")
def test_what_tells_no_size_is_read_up_to_the_limit(monkeypatch):
    monkeypatch.setattr(read, "LARGEST_BYTES", 16)
    with pytest.raises(NotUnderstood, match="maps has more than .* MiB, and is not read"):
        read_file("/proc/self/maps")


def test_warnings_of_a_reader_are_passed_on(use, reader):
    use(reader("one", content(1, 2, warnings=("assumed",))))
    assert read_bytes(b"TEST").warnings == ("assumed",)


def test_the_names_of_all_readers_differ():
    names = [reader.name for reader in readers()]
    assert len(set(names)) == len(names)
