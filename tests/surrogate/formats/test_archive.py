"""Zip archives that came from anywhere."""

import io
import struct
import zipfile

import pytest

from surrogate.formats import archive
from surrogate.formats.errors import NotUnderstood


def zipped(members, method=zipfile.ZIP_DEFLATED) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as file:
        for name, data in members:
            file.writestr(name, data)
    return out.getvalue()


def read(data: bytes, name: str) -> bytes:
    with archive.opened(data) as opened:
        return opened.read(name)


def test_members_are_read():
    data = zipped([("a/b.xml", b"<x/>" * 1000)])
    assert read(data, "a/b.xml") == b"<x/>" * 1000
    assert archive.names(data) == ("a/b.xml",)


def test_a_bomb_is_not_unpacked():
    with pytest.raises(NotUnderstood, match="unpacks to 5000000 bytes of"):
        read(zipped([("bomb", bytes(5_000_000))]), "bomb")


def test_many_members_together_are_bounded(monkeypatch):
    monkeypatch.setattr(archive, "LARGEST_SUM", 1000)
    with archive.opened(zipped([("a", b"x" * 900), ("b", b"y" * 900)])) as opened:
        opened.read("a")
        with pytest.raises(NotUnderstood, match="more than 1000 bytes together"):
            opened.read("b")


def test_a_member_that_lies_about_its_size_is_damaged():
    data = bytearray(zipped([("a", b"0123456789" * 100)]))
    directory = data.rindex(b"PK\x01\x02")
    data[directory + 24 : directory + 28] = struct.pack("<I", 500)
    with pytest.raises(NotUnderstood, match="damaged"):
        read(bytes(data), "a")


@pytest.mark.parametrize("place", [0xFFFF_0000, 0x7FFF_FFFF], ids=["beyond 2 GiB", "beyond the end"])
def test_a_member_that_lies_outside_of_the_archive_is_damaged(place):
    data = bytearray(zipped([("a", b"0123456789" * 100)]))
    directory = data.rindex(b"PK\x01\x02")
    data[directory + 42 : directory + 46] = struct.pack("<I", place)
    with pytest.raises(NotUnderstood, match="a in the archive is damaged"):
        read(bytes(data), "a")


def test_a_directory_that_begins_before_the_file_is_damaged():
    data = bytearray(zipped([("a", b"0123456789" * 100)]))
    end = data.rindex(b"PK\x05\x06")
    data[end + 16 : end + 20] = struct.pack("<I", len(data) + 50)
    with pytest.raises(NotUnderstood, match="a in the archive is damaged"):
        read(bytes(data), "a")


def test_two_members_of_one_name_are_refused():
    with pytest.warns(UserWarning, match="Duplicate"):
        data = zipped([("a", b"1"), ("a", b"2")])
    with pytest.raises(NotUnderstood, match="two members of one name"):
        read(data, "a")


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_other_methods_are_refused(method):
    with pytest.raises(NotUnderstood, match="packed by method"):
        read(zipped([("a", b"1" * 100)], method), "a")


@pytest.mark.parametrize("data", [b"PK\x03\x04", b"", b"PK\x03\x04" + bytes(100)])
def test_what_is_no_archive_has_no_names(data):
    assert archive.names(data) == ()
    with pytest.raises(NotUnderstood, match="no whole zip archive"):
        read(data, "a")
