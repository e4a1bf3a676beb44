import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulators.instruments.stage import ACCELERATION_UM_S2, SETTLE_S, SPEED_UM_S, Motion, Stage
from simulators.world import WorldFile


class Hands:
    time_s = 0.0

    def now_s(self):
        return self.time_s


PLACES = st.integers(-80_000, 80_000)
MOTIONS = st.builds(
    Motion,
    start_x=PLACES.map(float),
    start_y=PLACES.map(float),
    target_x=PLACES,
    target_y=PLACES,
    speed=st.just(0.0),
    began_s=st.floats(0.0, 1e5),
)


@pytest.fixture
def stage(desk):
    return Stage(state=desk.state, clock=desk)


@given(motion=MOTIONS)
def test_a_move_begins_and_ends_where_it_should_and_takes_the_trapezoids_time(motion):
    assert motion.at(motion.began_s) == pytest.approx((motion.start_x, motion.start_y), abs=1e-6)
    assert motion.at(motion.end_s) == pytest.approx((motion.target_x, motion.target_y), abs=1e-6)
    ramp = SPEED_UM_S**2 / ACCELERATION_UM_S2
    way = motion.length
    took = way / SPEED_UM_S + SPEED_UM_S / ACCELERATION_UM_S2 if way > ramp else 2 * math.sqrt(way / ACCELERATION_UM_S2)
    assert motion.end_s - motion.began_s == pytest.approx(took + (SETTLE_S if way else 0.0), abs=1e-6)


@given(motion=MOTIONS, shares=st.lists(st.floats(0.0, 1.0), min_size=2, max_size=6))
def test_a_move_never_turns_back_and_keeps_to_its_speed(motion, shares):
    times = [motion.began_s + share * (motion.end_s - motion.began_s) for share in sorted(shares)]
    done = [math.dist(motion.at(time_s), (motion.start_x, motion.start_y)) for time_s in times]
    for (t0, s0), (t1, s1) in zip(zip(times, done, strict=True), list(zip(times, done, strict=True))[1:], strict=False):
        assert -1e-3 <= s1 - s0 <= SPEED_UM_S * (t1 - t0) + 1.0


@given(motion=MOTIONS.filter(lambda motion: motion.length > 100), share=st.floats(0.05, 0.95))
def test_speed_is_the_change_of_place(motion, share):
    time_s = motion.began_s + share * (motion.end_s - motion.began_s)
    before, after = motion.at(time_s - 1e-4), motion.at(time_s + 1e-4)
    assert math.dist(before, after) / 2e-4 == pytest.approx(motion.speed_at(time_s), abs=0.003 * SPEED_UM_S)


def test_a_conversation(desk, stage):
    assert desk.ask(stage, b"/1 0 7 get device.id\n") == b"@01 0 7 OK IDLE -- labpilot XY-160 X0042 2.1\r\n"
    assert desk.ask(stage, b"/1 0 8 status\n") == b"@01 0 8 OK IDLE -- 0 0 0 0 0\r\n"
    assert desk.ask(stage, b"/1 0 9 move abs 12500 -3000\n") == b"@01 0 9 OK BUSY -- 501374\r\n"
    assert desk.ask(stage, b"/1 0 10 status\n") == b"@01 0 10 OK BUSY -- 0 0 12500 -3000 501374\r\n"
    assert desk.ask(stage, b"/1 0 11 move abs 0 0\n") == b"@01 0 11 RJ BUSY -- STATUSBUSY\r\n"
    desk.time_s = 0.501374
    assert desk.ask(stage, b"/1 0 12 status\n") == b"@01 0 12 OK IDLE -- 12500 -3000 12500 -3000 0\r\n"
    assert desk.ask(stage, b"/1 0 13 move abs 80001 0\n") == b"@01 0 13 RJ IDLE -- BADDATA\r\n"
    assert desk.ask(stage, b"/1 0 14 warp 9\n") == b"@01 0 14 RJ IDLE -- BADCOMMAND\r\n"
    assert desk.ask(stage, b"/1 0 15 move abs 1\n") == b"@01 0 15 RJ IDLE -- BADCOMMAND\r\n"


@pytest.mark.parametrize("request_", [b"\n", b"/2 0 1 status\n", b"hello\n", b"/1 0 100 status\n", b"\xff\xfe\n"])
def test_what_is_for_somebody_else_gets_no_reply(desk, stage, request_):
    assert desk.ask(stage, request_) == b""


@given(moves=st.lists(st.tuples(st.integers(-60_000, 60_000), st.floats(0.0, 1.0)), min_size=1, max_size=5))
def test_a_stop_comes_to_rest_within_its_braking_distance(moves):
    desk = Hands()
    stage = Stage(state=WorldFile(":memory:"), clock=desk)
    for x, share in moves:
        stage.receive(b"/1 0 1 move abs %d 0\n" % x)
        desk.time_s += share * (stage._motion.end_s - desk.time_s)
        at, speed = stage._motion.at(desk.time_s)[0], stage._motion.speed_at(desk.time_s)
        stage.receive(b"/1 0 2 stop\n")
        stage.receive(b"/1 0 3 stop\n")
        desk.time_s = max(desk.time_s, stage._motion.end_s)
        rest, _ = stage.position_um(desk.time_s)
        assert abs(rest - at) <= speed**2 / (2 * ACCELERATION_UM_S2) + 1.0
        assert stage.position_um(desk.time_s + 100.0) == (rest, 0)
        assert (stage._motion.target_x, stage._motion.target_y) == (rest, 0)


def test_a_restored_stage_goes_on(desk, stage):
    desk.ask(stage, b"/1 0 1 move abs 40000 0\n")
    desk.time_s = 0.5
    again = Stage(state=desk.state, clock=desk)
    assert again.position_um(0.5) == stage.position_um(0.5) == (18_000, 0)
    assert desk.ask(again, b"/1 0 2 status\n") == b"@01 0 2 OK BUSY -- 18000 0 40000 0 680000\r\n"
