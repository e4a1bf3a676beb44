import asyncio

import numpy as np
import pytest
import serial

from drivers.clock import VirtualClock, VirtualLoop, run_virtual
from simulators.instruments.balance import DIGIT_G, SAMPLE_S, Balance
from simulators.ports import opened
from simulators.world import WorldFile


class Desktop:
    """The world on the test's desk, asked line by line."""

    def __init__(self, desk, **options):
        self.desk = desk
        self.world = Balance(state=desk.state, clock=desk, seed=5, options=options)
        self.balance = self.world.balance

    def ask(self, text):
        return self.desk.ask(self.balance, text.encode() + b"\r\n").decode()

    def grams(self, text="SI"):
        return float(self.ask(text).split()[-2])

    def did(self, what):
        rows = [self.desk.state.get(key) for key in self.desk.state.keys("act/")]
        return [row for row in rows if row["what"] == what]


@pytest.fixture
def calm(desk):
    return Desktop(desk, noise_mg=0.0, drift_mg_per_h=0.0)


def test_a_conversation(calm):
    assert calm.ask("I2") == 'I2 A "XPE205 Excellence 220.0090 g"\r\n'
    assert calm.ask("I3") == 'I3 A "2.10 10.28.0.493.142"\r\n'
    assert calm.ask("I4") == 'I4 A "B123456789"\r\n'
    assert calm.ask("S") == "S S     2.5000 g\r\n"
    assert calm.ask("SI") == "S S     2.5000 g\r\n"
    assert calm.ask("T") == "T S     2.5000 g\r\n"
    assert calm.ask("TA") == "TA A     2.5000 g\r\n"
    assert calm.ask("S") == "S S     0.0000 g\r\n"
    assert calm.ask("TAC") == "TAC A\r\n"
    assert calm.ask("Z") == "Z A\r\n"
    assert calm.ask("S") == "S S     0.0000 g\r\n"
    assert calm.ask("@") == 'I4 A "B123456789"\r\n'
    assert calm.ask("SIX") == "ES\r\n"
    assert [row["what"] for row in map(calm.desk.state.get, calm.desk.state.keys("act/"))] == [
        "tare",
        "clear tare",
        "zero",
        "reset",
    ]


def test_half_a_line_is_answered_when_it_is_whole(calm):
    assert calm.desk.ask(calm.balance, b"S") == b""
    assert calm.desk.ask(calm.balance, b"I\r\n") == b"S S     2.5000 g\r\n"


def test_a_load_settles_as_a_damped_oscillator(calm):
    calm.world.put(102.5)
    steps = np.array([calm.balance.cell_g(time_s) for time_s in np.arange(0.0, 5.0, 0.01)]) - 2.5
    assert steps[0] == 0.0
    overshoot = np.exp(-np.pi * 4.5 / 8.0)  # of a second-order system with damping 4.5/s at 8 rad/s
    assert steps.max() == pytest.approx(100.0 * (1.0 + overshoot), rel=1e-3)
    assert steps.argmax() * 0.01 == pytest.approx(np.pi / 8.0, abs=0.01)
    assert abs(steps[-1] - 100.0) < 1e-6


def test_steps_add_up_and_old_ones_are_forgotten(calm):
    calm.world.put(10.0)
    calm.desk.time_s = 0.1
    calm.world.put(30.0)
    assert calm.balance.load_g == 30.0
    assert len(calm.desk.state.get("balance")["steps"]) == 2
    calm.desk.time_s = 100.0
    calm.world.put(7.0)
    assert len(calm.desk.state.get("balance")["steps"]) == 1
    calm.desk.time_s = 200.0
    assert calm.grams() == 7.0


def test_a_moving_weight_is_dynamic(calm):
    calm.world.put(52.5)
    for time_s, status in ((0.3, "S D"), (1.0, "S D"), (5.0, "S S")):
        calm.desk.time_s = time_s
        assert calm.ask("SI").startswith(status)


def test_noise_is_of_its_size_and_the_same_again(desk):
    noisy = Desktop(desk, drift_mg_per_h=0.0, noise_mg=0.2)
    samples = [noisy.balance._sample_g(number) for number in range(2000)]
    assert np.std(samples) == pytest.approx(2e-4, rel=0.1)
    assert np.mean(samples) == pytest.approx(2.5, abs=2e-5)
    assert samples[:10] == [noisy.balance._sample_g(number) for number in range(10)]


def test_drift_grows_with_the_hours(desk):
    drifting = Desktop(desk, noise_mg=0.0, drift_mg_per_h=1.0)
    desk.time_s = 10 * 3600.0
    assert drifting.grams() == pytest.approx(2.51, abs=DIGIT_G)


def test_stable_means_three_digits_within_half_a_second(desk):
    for amplitude_mg, status in ((0.14, "S"), (0.3, "D")):
        trembling = Balance(
            state=WorldFile(":memory:"), clock=desk, seed=5, options={"noise_mg": 0.0, "vibration_mg": amplitude_mg}
        )
        desk.time_s = 10.0
        assert desk.ask(trembling.balance, b"SI\r\n")[2:3] == status.encode()
        samples = trembling.balance._samples_g()
        assert len(samples) * SAMPLE_S == pytest.approx(0.55)
        assert (max(samples) - min(samples) <= 3 * DIGIT_G) == (status == "S")


@pytest.mark.parametrize(
    ("load_g", "replies"),
    [
        (220.0, ["S S   220.0000 g", "T S   220.0000 g", "Z +"]),
        (220.01, ["S +", "T +", "Z +"]),
        (-0.5, ["S S    -0.5000 g", "T -", "Z A"]),
        (-20.0, ["S -", "T -", "Z -"]),
    ],
)
def test_the_ends_of_the_range(desk, load_g, replies):
    full = Desktop(desk, noise_mg=0.0, drift_mg_per_h=0.0, load_g=load_g)
    assert [full.ask(request).rstrip() for request in ("S", "T", "Z")] == replies


def test_ounces(calm):
    calm.balance.change_unit()
    assert calm.ask("SI") == "S S    0.08818 oz\r\n"
    calm.balance.restart()
    assert calm.ask("SI").endswith(" g\r\n")


def test_a_restart_forgets_the_tare_zeroes_and_says_hello(calm):
    calm.ask("T")
    heard = []
    calm.balance.send = heard.append
    calm.balance.restart()
    assert heard == [b'I4 A "B123456789"\r\n']
    assert calm.grams("TA") == 0.0
    assert calm.grams() == 0.0  # the boat lay there: it is the zero now
    calm.world.put(12.5)
    calm.desk.time_s = 60.0
    assert calm.grams() == 10.0
    calm.balance.restart()
    assert calm.grams() == 10.0  # too much for a zero


def test_the_process_may_die_and_come_back(calm):
    calm.ask("T")
    calm.world.put(52.5)
    calm.desk.time_s = 0.5
    before = calm.ask("SI")
    again = Balance(state=calm.desk.state, clock=calm.desk, seed=5, options={"noise_mg": 0.0, "drift_mg_per_h": 0.0})
    assert calm.desk.ask(again.balance, b"SI\r\n").decode() == before


def test_who_waits_for_a_tare_is_busy_until_reset():
    loop = VirtualLoop()
    clock = VirtualClock(loop)
    world = Balance(state=WorldFile(":memory:"), clock=clock, seed=5, options={"vibration_mg": 1.0})
    heard = []
    world.balance.send = heard.append

    async def main():
        world.balance.receive(b"T\r\n")
        await clock.sleep(1.0)
        world.balance.receive(b"SI\r\nTA\r\n@\r\n")
        assert heard == [b"S I\r\n", b"TA I\r\n", b'I4 A "B123456789"\r\n']
        await clock.sleep(20.0)
        assert len(heard) == 3
        world.balance.receive(b"Z\r\n")
        await clock.sleep(9.9)
        assert len(heard) == 3
        await clock.sleep(0.2)
        assert heard[3:] == [b"Z I\r\n"]

    run_virtual(main(), loop=loop)


def test_pyserial_weighs_on_a_real_port(desk):
    world = Balance(state=WorldFile(":memory:"), clock=desk, seed=5, options={"noise_mg": 0.0, "drift_mg_per_h": 0.0})

    def talk(path):
        with serial.Serial(path, 9600, timeout=5) as port:
            port.write(b"I4\r\nS\r\n")
            return [port.readline(), port.readline()]

    async def main():
        async with opened(world.instruments) as urls:
            path = urls["balance"].removeprefix("serial://").partition("?")[0]
            return await asyncio.to_thread(talk, path)

    assert asyncio.run(main()) == [b'I4 A "B123456789"\r\n', b"S S     2.5000 g\r\n"]
