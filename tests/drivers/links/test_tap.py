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


def test_a_line_that_a_killed_controller_left_unfinished_is_passed_over(clock, tmp_path):
    tap = Tap(clock, path=tmp_path / "wire.jsonl")
    tap.record(Direction.SENT, b"a")
    tap.record(Direction.RECEIVED, b"b")
    tap.close()
    whole = (tmp_path / "wire.jsonl").read_text()
    (tmp_path / "wire.jsonl").write_text(whole[:-9])
    assert [one.data for one in read_tap(tmp_path / "wire.jsonl")] == [b"a"]


def test_a_full_disk_costs_the_record_and_not_the_instrument(clock, caplog):
    tap = Tap(clock, path="/dev/full")
    tap.record(Direction.SENT, b"a")
    tap.record(Direction.SENT, b"b")
    assert [one.data for one in tap] == [b"a", b"b"]
    assert caplog.text.count("tap_ended file=/dev/full") == 1


def test_the_file_and_the_ring_agree_on_the_time(tmp_path):
    class Running(Hands):
        def now_s(self) -> float:
            self.time_s += 1.0
            return self.time_s

    tap = Tap(Running(), path=tmp_path / "wire.jsonl")
    tap.record(Direction.SENT, b"a")
    assert list(read_tap(tmp_path / "wire.jsonl")) == list(tap)
    tap.close()
