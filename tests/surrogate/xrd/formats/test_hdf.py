"""HDF5 read by a process of its own, which is ended where it hangs, crashes or takes too much."""

import io
import lzma
import os
import signal
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest

from surrogate.formats.errors import NotUnderstood
from surrogate.xrd.formats import hdf, hdf_child, hdf_process

ENDLESS = sorted((Path(__file__).parent / "endless").glob("*.h5.xz"))
"""Damaged files on which libhdf5 2.0 loops for ever."""


@pytest.fixture(autouse=True)
def _ended(monkeypatch):
    """Give each test a process of its own, and little patience."""
    hdf_process.end()
    monkeypatch.setattr(hdf_process, "LONGEST_S", 5.0)
    yield
    hdf_process.end()


@pytest.fixture
def program(monkeypatch, tmp_path):
    """Put a program in place of the one that reads."""

    def make(text):
        path = tmp_path / "program.py"
        path.write_text(text)
        monkeypatch.setattr(hdf_process, "_PROGRAM", path)

    return make


def filed(fill) -> bytes:
    out = io.BytesIO()
    with h5py.File(out, "w") as root:
        fill(root)
    return out.getvalue()


def numbers(root):
    root["a"] = np.arange(5.0)


def running() -> int:
    child = hdf_process._child
    assert child is not None
    return child.process.pid


def test_what_was_stored_comes_back():
    def fill(root):
        root.attrs.update(
            {"text": "ä", "texts": ["a", "b"], "number": 3, "table": np.zeros((2, 2)), "raw": np.void(b"x")}
        )
        root["deep/single"] = np.uint8(7)
        root["deep/yes"] = True
        root["deep/column"] = np.arange(4, dtype=">i2").reshape(4, 1)
        root["word"] = "µm"
        root["words"] = ["x", "y"]
        root["nothing"] = h5py.Empty("f8")

    root = hdf.opened(filed(fill))
    assert hdf.attribute(root, "text") == "ä"
    assert hdf.attributes(root, "texts") == ("a", "b")
    assert hdf.number_attribute(root, "number") == 3.0
    assert (hdf.attribute(root, "number"), hdf.number_attribute(root, "raw")) == ("", None)
    single, yes = hdf.child(root, "deep/single"), hdf.child(root, "deep/yes")
    assert isinstance(single, hdf.Dataset) and isinstance(yes, hdf.Dataset)
    assert (single.single, type(single.single), yes.single) == (7, int, True)
    np.testing.assert_array_equal(hdf.array(hdf.child(root, "deep/column")), [[0.0], [1.0], [2.0], [3.0]])
    assert hdf.texts(hdf.child(root, "words")) == ("x", "y")
    assert hdf.text(hdf.child(root, "word")) == "µm"
    assert hdf.array(hdf.child(root, "nothing")) is None
    assert hdf.child(root, "deep/single/below") is None


def test_a_table_is_refused_only_when_it_is_asked_for():
    root = hdf.opened(filed(lambda root: (numbers(root), root.create_dataset("map", data=np.ones((3, 4))))))
    np.testing.assert_array_equal(hdf.array(hdf.child(root, "a")), np.arange(5.0))
    with pytest.raises(NotUnderstood, match="/map is a table of 3 x 4 numbers, and no curve"):
        hdf.array(hdf.child(root, "map"))


def test_groups_that_hold_themselves_are_read_once():
    def fill(root):
        root["one/two/a"] = np.arange(3.0)
        root["one/two/back"] = root["one"]
        root["again"] = root["one/two"]

    root = hdf.opened(filed(fill))
    assert hdf.child(root, "one/two/back/two/back") is hdf.child(root, "one")
    assert hdf.child(root, "again") is hdf.child(root, "one/two")


def test_soft_links_are_left_alone():
    def fill(root):
        numbers(root)
        root["b"] = h5py.SoftLink("/a")

    assert list(hdf.opened(filed(fill)).children) == ["a"]


@pytest.mark.parametrize("path", ENDLESS, ids=lambda path: path.name.partition(".")[0])
def test_a_file_that_libhdf5_never_ends_is_refused(path, monkeypatch):
    monkeypatch.setattr(hdf_process, "LONGEST_S", 1.0)
    with pytest.raises(NotUnderstood, match="libhdf5 read nothing of it in 1 s and was ended"):
        hdf.opened(lzma.decompress(path.read_bytes()))
    assert hdf_process._child is None


def test_files_to_be_refused_are_there():
    assert len(ENDLESS) == 2


def test_one_process_reads_many_files():
    hdf.opened(filed(numbers))
    first = running()
    hdf.opened(filed(numbers))
    assert running() == first


def test_after_a_file_that_is_refused_another_process_reads():
    hdf.opened(filed(numbers))
    first = running()
    with pytest.raises(NotUnderstood, match="it is no whole HDF5 file"):
        hdf.opened(filed(numbers)[:700])
    hdf.opened(filed(numbers))
    assert running() != first


def test_after_many_files_another_process_reads(monkeypatch):
    monkeypatch.setattr(hdf_process, "MOST_FILES", 1)
    hdf.opened(filed(numbers))
    first = running()
    hdf.opened(filed(numbers))
    assert running() != first


def test_a_process_that_has_gone_is_started_again():
    hdf.opened(filed(numbers))
    os.kill(running(), signal.SIGTERM)
    assert hdf_process._child is not None
    hdf_process._child.process.wait()
    assert hdf.opened(filed(numbers)).children


def test_a_process_that_never_answers_is_ended(program, monkeypatch):
    program("import time; time.sleep(600)")
    monkeypatch.setattr(hdf_process, "LONGEST_S", 0.3)
    with pytest.raises(NotUnderstood, match="read nothing of it in 0.3 s and was ended"):
        hdf.opened(b"x" * 1_000_000)


def test_a_process_that_goes_on_is_waited_for(program, monkeypatch):
    program(
        "import struct, sys, time\n"
        "for _ in range(20):\n"
        "    time.sleep(0.1); sys.stdout.buffer.write(b'.'); sys.stdout.buffer.flush()\n"
        'text = b\'{"objects": [{"path": "/", "attributes": {}, "children": {}}]}\'\n'
        "sys.stdout.buffer.write(b'=' + struct.pack('<QQ', len(text), 0) + text)"
    )
    monkeypatch.setattr(hdf_process, "LONGEST_S", 1.5)
    assert hdf.opened(b"").children == {}


def test_a_process_that_crashes_is_a_damaged_file(program):
    program("import os; os._exit(7)")
    with pytest.raises(NotUnderstood, match="libhdf5 crashed on it or took too much memory .exit status 7."):
        hdf.opened(b"x")


def text_that_many_point_to(root):
    words = root.create_dataset("words", shape=(2000,), dtype=h5py.string_dtype())
    words[0] = "x" * 500_000
    root.attrs["at"] = words.id.get_offset()


@pytest.mark.skipif(sys.platform != "linux", reason="the limit of memory is Linux's")
def test_a_file_that_unfolds_in_memory_is_refused(monkeypatch):
    monkeypatch.setattr(hdf_process, "LEAST_MEMORY", 1 << 28)
    data = bytearray(filed(text_that_many_point_to))
    at = int(hdf.number_attribute(hdf.opened(bytes(data)), "at") or 0)
    data[at : at + 16 * 2000] = data[at : at + 16] * 2000
    with pytest.raises(NotUnderstood, match="/words|too much memory|no whole HDF5"):
        hdf.text(hdf.child(hdf.opened(bytes(data)), "words"))


def test_too_many_objects_are_refused(monkeypatch):
    monkeypatch.setattr(hdf_child, "MOST_OBJECTS", 3)
    text, _ = hdf_child.answer(filed(lambda root: [root.create_group(name) for name in "abc"]), lambda: None)
    assert b"it holds more than 3 objects" in text


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("MOST_NUMBERS", 4, b"declares 5 numbers"),
        ("LARGEST_SUM", 39, b"comes after more numbers"),
    ],
)
def test_more_numbers_than_are_sent_are_refused(monkeypatch, name, value, reason):
    monkeypatch.setattr(hdf_child, name, value)
    text, sent = hdf_child.answer(filed(numbers), lambda: None)
    assert (reason in text, len(sent)) == (True, 0)


def test_a_file_that_takes_too_long_is_refused(monkeypatch):
    monkeypatch.setattr(hdf_child, "LONGEST_S", -1.0)
    monkeypatch.setattr(hdf_child, "BETWEEN_S", 0.0)
    monkeypatch.setattr(hdf_child.Beat, "_limit", lambda self: None)
    text, _ = hdf_child.answer(filed(numbers), hdf_child.Beat(io.BytesIO(), longest_s=1, memory_bytes=1))
    assert b"takes more than -1 s" in text
