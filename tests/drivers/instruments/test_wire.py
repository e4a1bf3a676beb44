import pytest

from drivers.errors import Rejected
from drivers.instruments.wire import checked_tag, finite


@pytest.mark.parametrize("tag", ["t7.1", "0001/a2/s3", "a=b+c@d#e~f-g_h:i", "7", "x" * 120])
def test_tags_that_every_wire_can_carry(tag):
    assert checked_tag(tag) == tag


@pytest.mark.parametrize("tag", ["", "-", "a b", 'a"b', "a;b", "a,b", "a*b", "a\nb", "\u00e9", "x" * 121, "/a"])
def test_tags_that_some_wire_would_misread(tag):
    with pytest.raises(Rejected, match="nothing was sent"):
        checked_tag(tag)


@pytest.mark.parametrize("text", ["", "nan", "inf", "-inf", "1e999", "12,5", "OK"])
def test_what_is_no_number(text):
    with pytest.raises(ValueError):
        finite(text)
