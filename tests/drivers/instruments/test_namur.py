import pytest

from drivers.instruments.namur import REPLY, echo_of, lines, value_of
from drivers.instruments.shaker_mark import OVER, PLANNED, RUNNING, WRAP_S, RunMark


def test_a_write_is_sent_with_a_read_behind_it():
    assert lines("OUT_SP_4 300", "IN_SP_4") == b"OUT_SP_4 300 \r\nIN_SP_4 \r\n"
    assert REPLY.take(b"300.0 4\r\n") == (b"300.0 4", 9)


def test_values_belong_to_a_channel():
    assert value_of("300.0 4", 4) == 300.0
    assert value_of("-1 4", 4) == -1.0
    for reply in ("300.0 2", "300.0", "300. 4", "nan 4", "300.0  4", "300.0 4 ", "S1", ""):
        with pytest.raises(ValueError, match="no value of channel 4"):
            value_of(reply, 4)


def test_echoes():
    assert (echo_of("30"), echo_of("30.0")) == (30.0, 30.0)
    for reply in ("", "30 4", "-1", "inf", "S1"):
        with pytest.raises(ValueError, match="no echo"):
            echo_of(reply)


def test_a_mark_fits_into_the_name_and_comes_back():
    mark = RunMark.of("trial-7/mill:2", PLANNED, 1_700_000_123.9)
    assert len(str(mark)) == 10
    assert RunMark.read(str(mark)) == mark
    assert str(mark.at(RUNNING)) == "R" + str(mark)[1:]
    assert RunMark.of("trial-8/mill:2", PLANNED, 1_700_000_123.9).digest != mark.digest


@pytest.mark.parametrize("name", ["KS4000 ic", "", "R12345678", "X123456789", "Rabcdef123", "R12345 789"])
def test_other_names_are_no_marks(name):
    assert RunMark.read(name) is None


@pytest.mark.parametrize("utc_s", [1_700_000_000.0, WRAP_S * 1000.0 - 3.0])
def test_the_age_of_a_mark_is_right_to_a_second(utc_s):
    mark = RunMark.of("t", OVER, utc_s + 0.7)
    for age_s in (0.0, 10.0, 40_000.0):
        assert mark.age_s(utc_s + 0.7 + age_s) == pytest.approx(age_s, abs=1.0)
    assert mark.age_s(utc_s - 5.0) == 0.0  # whoever reads it has a clock that is late
