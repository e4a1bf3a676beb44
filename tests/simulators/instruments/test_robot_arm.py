"""The simulated arm: its words on a raw socket, its motion in numbers, its chances."""

import asyncio
import math
import socket

import pytest

from drivers.links.framing import SealedLine
from simulators.instruments.arm_motion import POSITIONS, joints_of, on_the_way, travel_s
from simulators.instruments.arm_programs import Program, drawn_outcome, program_of
from simulators.instruments.robot_arm import RobotArm
from simulators.ports import TcpPort


def sealed(text):
    return SealedLine(b"\n").wrap(text)


class Pendant:
    """An arm on a desk, spoken to in lines."""

    def __init__(self, desk, **options):
        self.desk = desk
        self.world = RobotArm(state=desk.state, clock=desk, seed=1, options=options)
        self.port = self.world.instruments["arm"]

    def ask(self, text):
        return self.desk.ask(self.port, text.encode() + b"\n").decode().removesuffix("\n")

    def relay(self, text):
        return self.desk.ask(self.port, sealed(f"labpilot {text}".encode())).decode().rpartition("*")[0]

    def wait(self, seconds):
        self.desk.time_s += seconds

    def ready(self):
        self.ask("power on")
        self.wait(6.0)
        self.ask("brake release")
        self.wait(3.0)
        return self


def test_a_raw_socket_hears_the_documented_words(desk):
    world = RobotArm(state=desk.state, clock=desk, seed=1, options={})

    def talk(port):
        with socket.create_connection(("127.0.0.1", port), timeout=5.0) as line:
            stream = line.makefile("rwb")
            heard = [stream.readline()]
            for request in (b"robotmode", b"SafetyStatus", b"running", b"is in remote control", b"load nothing.urp"):
                stream.write(request + b"\n")
                stream.flush()
                heard.append(stream.readline())
            return heard

    async def main():
        port = await TcpPort.open(world.instruments["arm"])
        try:
            return await asyncio.to_thread(talk, port.port)
        finally:
            await port.close()

    assert asyncio.run(main()) == [
        b"Connected: Universal Robots Dashboard Server\n",
        b"Robotmode: POWER_OFF\n",
        b"Safetystatus: NORMAL\n",
        b"Program running: false\n",
        b"true\n",
        b"File not found: nothing.urp\n",
    ]


def test_power_and_brakes_take_their_time(desk):
    arm = Pendant(desk)
    assert arm.ask("play") == "Failed to execute: play"
    assert arm.ask("power on") == "Powering on"
    arm.wait(5.9)
    assert arm.ask("robotmode") == "Robotmode: BOOTING"
    assert arm.ask("brake release") == "Brake releasing"
    arm.wait(0.1)
    assert arm.ask("robotmode") == "Robotmode: IDLE"
    arm.ask("brake release")
    arm.wait(3.0)
    assert arm.ask("robotmode") == "Robotmode: RUNNING"
    assert arm.ask("power off") == "Powering off"
    assert arm.ask("robotmode") == "Robotmode: POWER_OFF"


def test_programs_are_loaded_played_paused_and_stopped(desk):
    arm = Pendant(desk).ready()
    assert arm.ask("get loaded program") == "No program loaded"
    assert arm.ask("programState") == "STOPPED <unnamed>"
    assert arm.ask("load move_xrd.urp") == "Loading program: move_xrd.urp"
    assert arm.ask("get loaded program") == "Loaded program: move_xrd.urp"
    assert arm.ask("pause") == "Failed to execute: pause"
    assert arm.ask("PLAY") == "Starting program"
    assert arm.ask("play") == "Failed to execute: play"
    assert arm.ask("load move_A1.urp") == "Error while loading program: move_A1.urp"
    arm.wait(1.0)
    assert arm.ask("programstate") == "PLAYING move_xrd.urp"
    assert arm.ask("pause") == "Pausing program"
    held = list(arm.port.arm.row["joints"])
    arm.wait(60.0)
    assert arm.ask("programState") == "PAUSED move_xrd.urp" and list(arm.port.arm.row["joints"]) == held
    assert arm.ask("play") == "Starting program"
    arm.wait(60.0)
    assert arm.ask("running") == "Program running: false"
    assert arm.relay("status") == "labpilot status seq=1 at=xrd gripper=open speed=1"
    assert arm.ask("stop") == "Failed to execute: stop"
    assert arm.ask("make coffee").startswith("could not understand")


def test_relay_lines_are_checked(desk):
    arm = Pendant(desk)
    assert desk.ask(arm.port, b"labpilot status*00\n") == sealed(b"labpilot error checksum")
    assert desk.ask(arm.port, b"labpilot status\n") == sealed(b"labpilot error checksum")
    assert arm.relay("speed 2") == "labpilot error range"
    assert arm.relay("speed x") == "labpilot error syntax"
    assert arm.relay("order t1 move_A1.urp") == "labpilot order t1 move_A1.urp refused:not_loaded"
    assert arm.relay("result t1") == "labpilot result t1 - unknown"


def test_a_transfer_without_order_does_not_move(desk):
    arm = Pendant(desk).ready()
    arm.ask("load transfer_A1_xrd.urp")
    arm.ask("play")
    arm.wait(30.0)
    assert arm.relay("status").startswith("labpilot status seq=1 at=home")
    assert arm.port.arm.row["motions"] == 0 and arm.port.arm.row["places"]["A1"] == "sample-A1"


def test_an_order_serves_one_play_and_a_done_tag_none(desk):
    arm = Pendant(desk).ready()
    arm.ask("load transfer_A1_xrd.urp")
    assert arm.relay("order t1 transfer_A1_xrd.urp").endswith("accepted")
    arm.ask("play")
    assert arm.relay("result t1") == "labpilot result t1 transfer_A1_xrd.urp running"
    arm.wait(60.0)
    assert arm.relay("result t1") == "labpilot result t1 transfer_A1_xrd.urp done"
    assert arm.relay("order t1 transfer_A1_xrd.urp").endswith("refused:done")
    arm.ask("play")
    arm.wait(60.0)
    assert arm.port.arm.row["places"] == {"A2": "sample-A2", "xrd": "sample-A1"}
    acts = [desk.state.get(key) for key in desk.state.keys("act/")]
    assert [act["facts"]["tag"] for act in acts if act["once"]] == ["t1"]


def test_a_way_takes_what_a_trapezoid_takes():
    far = travel_s(POSITIONS["home"], POSITIONS["furnace"], 1.0)
    # v/a = 0.75 s of speeding up and as much of braking, over 95 deg at 1.05 rad/s
    assert far == pytest.approx(math.radians(95.0) / 1.05 + 1.05 / 1.4)
    assert travel_s(POSITIONS["home"], POSITIONS["furnace"], 0.25) == pytest.approx(4.0 * far)
    # a lift of 12 deg never reaches full speed: 2 sqrt(way / a)
    lift_s = 2.0 * math.sqrt(math.radians(12.0) / 1.4)
    assert travel_s(joints_of("A1"), joints_of("above:A1"), 1.0) == pytest.approx(lift_s)
    assert travel_s(joints_of("A1"), joints_of("A1"), 1.0) == 0.0


@pytest.mark.parametrize("speed", [1.0, 0.2])
def test_the_arm_moves_on_without_jumps(speed):
    start, target = POSITIONS["A1"], POSITIONS["xrd"]
    lasts_s = travel_s(start, target, speed)
    base = [on_the_way(start, target, speed, lasts_s * i / 200)[0] for i in range(201)]
    steps = [b - a for a, b in zip(base, base[1:], strict=False)]
    assert base[0] == start[0] and base[-1] == pytest.approx(target[0]) and min(steps) > 0.0
    assert max(steps) <= 60.17 * speed * lasts_s / 200 + 1e-9
    assert base[100] == pytest.approx((start[0] + target[0]) / 2)
    assert on_the_way(start, start, 1.0, 3.0) == start


def test_a_protective_stop_comes_half_way_through_its_motion(desk):
    arm = Pendant(desk, protective_stop_at_motion=2).ready()
    for name in ("move_A1.urp", "move_xrd.urp"):
        arm.ask(f"load {name}")
        arm.ask("play")
        arm.wait(60.0)
    assert arm.ask("safetystatus") == "Safetystatus: PROTECTIVE_STOP"
    assert arm.ask("programState") == "PAUSED move_xrd.urp"
    middle = (POSITIONS["A1"][0] + POSITIONS["xrd"][0]) / 2
    assert arm.port.arm.row["joints"][0] == pytest.approx(middle)
    assert arm.ask("unlock protective stop") == "Protective stop releasing"
    assert arm.ask("play") == "Starting program"
    arm.wait(60.0)
    assert arm.relay("status") == "labpilot status seq=2 at=xrd gripper=open speed=1"


def test_a_stop_can_be_released_five_seconds_after_it(desk):
    arm = Pendant(desk, protective_stop_at_motion=1).ready()
    arm.ask("load move_A2.urp")
    arm.ask("play")
    arm.wait(0.5 * travel_s(POSITIONS["home"], POSITIONS["A2"], 1.0) + 4.9)
    assert arm.ask("unlock protective stop").startswith("Cannot unlock protective stop until 5s after occurrence.")
    arm.wait(0.11)
    assert arm.ask("unlock protective stop") == "Protective stop releasing"
    assert arm.ask("safetystatus") == "Safetystatus: NORMAL"


def test_chances_are_drawn_as_often_as_they_say():
    options = {"not_gripped_probability": 0.2, "dropped_probability": 0.1, "misplaced_probability": 0.0}
    drawn = [drawn_outcome(7, number, options) for number in range(2000)]
    assert drawn == [drawn_outcome(7, number, options) for number in range(2000)]
    assert drawn.count("not_gripped") / 2000 == pytest.approx(0.2, abs=0.03)
    assert drawn.count("dropped") / 2000 == pytest.approx(0.08, abs=0.02)
    assert "misplaced" not in drawn


def test_names_of_programs_say_what_they_do():
    assert program_of("move_A1.urp") == Program(position="A1")
    assert program_of("transfer_A1_xrd.urp") == Program(source="A1", destination="xrd")
    for name in ("move_moon.urp", "transfer_A1_A1.urp", "transfer_home_A1.urp", "x"):
        assert program_of(name) is None


def test_options_that_cannot_be_are_named():
    assert RobotArm.check({}) == []
    assert "'Z9' is no place" in RobotArm.check({"samples": "A1,Z9"})[0]
    assert "no option 'colour'" in RobotArm.check({"colour": 1})[0]
