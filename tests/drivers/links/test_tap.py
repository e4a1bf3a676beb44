from datetime import UTC, datetime

import pytest

from drivers.links.tap import Direction, Passed, Tap, read_tap, shown


class Hands:
    is_virtual = True
    time_s = 0.0

    def now_s(self) -> float:
        return self.time_s

    def utc(self) -> datetime:
        return datetime.fromtimestamp(self.time_s, UTC)


@pytest.fixture
def clock():
    return Hands()


def test_the_ring_keeps_what_passed_last(clock):
    tap = Tap(clock, keep=2)
    for number in range(4):
        clock.time_s = float(number)
        tap.record(Direction.SENT, b"%d" % number)
    assert list(tap) == [
        Passed(time_s=2.0, direction=Direction.SENT, data=b"2"),
        Passed(time_s=3.0, direction=Direction.SENT, data=b"3"),
    ]


def test_the_file_has_every_byte_even_if_nobody_closes_it(clock, tmp_path):
    tap = Tap(clock, path=tmp_path / "wire.jsonl", keep=1)
    passed = [
        Passed(time_s=0.5, direction=Direction.SENT, data=bytes(range(256))),
        Passed(time_s=0.75, direction=Direction.RECEIVED, data=b"#14\n\r\x00\xff\n"),
    ]
    for one in passed:
        clock.time_s = one.time_s
        tap.record(one.direction, one.data)
    assert list(read_tap(tmp_path / "wire.jsonl")) == passed
    tap.close()
    tap.close()


def test_a_second_run_appends(clock, tmp_path):
    for text in (b"a", b"b"):
        tap = Tap(clock, path=tmp_path / "wire.jsonl")
        tap.record(Direction.SENT, text)
        tap.close()
    assert [one.data for one in read_tap(tmp_path / "wire.jsonl")] == [b"a", b"b"]


def test_long_messages_are_cut_for_people():
    assert shown(b"OK\r\n") == r"'OK\r\n'"
    assert shown(b"x" * 500) == "'" + "x" * 120 + "'... (500 bytes)"
