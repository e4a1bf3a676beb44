"""XML that came from anywhere."""

import numpy as np
import pytest

from surrogate.formats.errors import NotUnderstood
from surrogate.formats.xmltext import MOST_ELEMENTS, numbers, parsed, text


def test_tags_and_attributes_lose_their_namespaces():
    root = parsed(b'<a xmlns="urn:x/1.5" xmlns:y="urn:y"><y:b y:kind="k"> t </y:b></a>')
    assert (root.tag, root.get("xmlns"), text(root, "b"), root[0].get("kind")) == ("a", "urn:x/1.5", "t", "k")


@pytest.mark.parametrize(
    "start",
    ['<!DOCTYPE a [<!ENTITY b "ha">]>', '<!DOCTYPE a SYSTEM "file:///etc/hostname">', "<!DOCTYPE html>"],
)
def test_document_types_are_refused(start):
    with pytest.raises(NotUnderstood, match="document type"):
        parsed(start.encode() + b"<a/>")


def test_deep_nesting_is_refused():
    with pytest.raises(NotUnderstood, match="inside another"):
        parsed(b"<a>" * 100_000)


def test_many_elements_are_refused(monkeypatch):
    monkeypatch.setattr("surrogate.formats.xmltext.MOST_ELEMENTS", 10)
    with pytest.raises(NotUnderstood, match="more than 10 elements"):
        parsed(b"<a>" + b"<b/>" * 20 + b"</a>")
    assert MOST_ELEMENTS > 1_000_000


@pytest.mark.parametrize("data", [b"", b"<a>", b"<a></b>", b"a", b"<a>&unknown;</a>"])
def test_what_is_no_whole_xml_is_refused(data):
    with pytest.raises(NotUnderstood, match="no whole XML"):
        parsed(data, "the file")


@pytest.mark.parametrize("encoding", ["klingon", "big5", "hex", "idna", "punycode"])
def test_encodings_that_are_not_read_are_refused(encoding):
    with pytest.raises(NotUnderstood, match="the file is XML in an encoding that is not read"):
        parsed(f'<?xml version="1.0" encoding="{encoding}"?><a>ä</a>'.encode(), "the file")


def test_numbers():
    np.testing.assert_array_equal(numbers(" 1 2.5\n-3e2 ", "x"), [1.0, 2.5, -300.0])
    assert numbers("  ", "x").size == 0
    for bad in ("1 two", "1 nan", "inf"):
        with pytest.raises(NotUnderstood, match="^x: "):
            numbers(bad, "x")
