import pytest

from drivers.links.framing import SealedLine
from simulators.instruments.laser import Laser

LINE = SealedLine()


@pytest.fixture
def fired(desk):
    return []


@pytest.fixture
def laser(desk, fired):
    return build(desk, fired)


def build(desk, fired):
    def settle():
        job = laser.due_job
        if job is not None:
            fired.append((len(fired) + 1, job["tag"], job["peak_temperature_c"], job["dwell_us"], 0.5))
            desk.state.update(laser.fired())

    laser = Laser(state=desk.state, clock=desk, settle=settle, last_shot=lambda: fired[-1] if fired else None)
    settle()
    return laser


def ask(desk, laser, text):
    message, _ = LINE.take(desk.ask(laser, LINE.wrap(text.encode())))
    return message.decode()


def test_a_conversation(desk, laser):
    assert ask(desk, laser, "ID?") == "ID,labpilot,LSA-120,L0007,1.4"
    assert ask(desk, laser, "STAT?") == "STAT,READY,0.000000,-,OPEN,-"
    assert ask(desk, laser, "SHOT?") == "SHOT,0"
    assert ask(desk, laser, "FIRE,t1") == "ERR,UNSET,SET peak and dwell first"
    assert ask(desk, laser, "SET,900.0,1000.0") == "SET,900.0,1000.0"
    assert ask(desk, laser, "FIRE,t1") == "FIRE,t1,3.056689"
    assert ask(desk, laser, "STAT?") == "STAT,CHARGING,3.056689,t1,OPEN,-"
    assert ask(desk, laser, "FIRE,t2") == "ERR,BUSY,a shot is in progress"
    assert ask(desk, laser, "SET,901.0,1000.0") == "ERR,BUSY,a shot is in progress"
    desk.time_s = 2.0
    assert ask(desk, laser, "STAT?") == "STAT,COOLING,1.056689,t1,OPEN,t1"
    assert ask(desk, laser, "SHOT?") == "SHOT,1,t1,900.0,1000.0,0.500000"
    desk.time_s = 3.056689
    assert ask(desk, laser, "STAT?") == "STAT,READY,0.000000,-,OPEN,t1"


@pytest.mark.parametrize(
    ("request_", "reply"),
    [
        ("SET,199,1000", "ERR,RANGE,peak 199 is outside 200..1400 C"),
        ("SET,900,99", "ERR,RANGE,dwell 99 is outside 100..20000 us"),
        ("SET,nan,1000", "ERR,RANGE,peak nan is outside 200..1400 C"),
        ("SET,hot,1000", "ERR,SYNTAX,not a number"),
        ("FIRE,", "ERR,SYNTAX,FIRE, is no command"),
        ("SHUTTER,AJAR", "ERR,SYNTAX,SHUTTER,AJAR is no command"),
        ("", "ERR,SYNTAX, is no command"),
    ],
)
def test_refusals(desk, laser, fired, request_, reply):
    assert ask(desk, laser, request_) == reply
    assert desk.state.get("laser") is None


def test_a_damaged_line_does_nothing(desk, laser):
    assert b"ERR,CHECKSUM" in desk.ask(laser, b"SET,900.0,1000.0*00\r\n")
    assert desk.state.get("laser") is None


@pytest.mark.parametrize(("stop_s", "n_shots"), [(0.0, 0), (1.999, 0), (2.0, 1), (3.0, 1)])
def test_a_stop_is_in_time_or_it_is_not(desk, laser, fired, stop_s, n_shots):
    ask(desk, laser, "SET,900.0,1000.0")
    ask(desk, laser, "FIRE,t1")
    desk.time_s = stop_s
    assert ask(desk, laser, "STOP") == "STOP"
    desk.time_s = 10.0
    ask(desk, laser, "STAT?")
    assert len(fired) == n_shots


def test_a_closed_shutter_refuses(desk, laser, fired):
    ask(desk, laser, "SET,900.0,1000.0")
    assert ask(desk, laser, "SHUTTER,CLOSED") == "SHUTTER,CLOSED"
    assert ask(desk, laser, "FIRE,t1") == "ERR,SHUTTER,the shutter is closed"
    again = build(desk, fired)
    assert ask(desk, again, "STAT?") == "STAT,READY,0.000000,-,CLOSED,-"


def test_a_restored_laser_fires_what_was_charged(desk, laser, fired):
    ask(desk, laser, "SET,900.0,1000.0")
    ask(desk, laser, "FIRE,t1")
    desk.time_s = 1.0
    again = build(desk, fired)
    assert ask(desk, again, "STAT?") == "STAT,CHARGING,2.056689,t1,OPEN,-"
    assert fired == []
    desk.time_s = 100.0
    build(desk, fired)
    assert len(fired) == 1
    build(desk, fired)
    assert len(fired) == 1


def test_the_same_setting_is_written_once(desk, laser):
    writes = []
    update = desk.state.update
    desk.state.update = lambda items: (writes.append(items) if "laser" in items else None, update(items))
    for _ in range(3):
        ask(desk, laser, "SET,900.0,1000.0")
        ask(desk, laser, "SHUTTER,OPEN")
        ask(desk, laser, "STAT?")
    assert len(writes) == 1
