import pytest

from simulators.faults import Fault
from simulators.powder_lab.wire_rates import read_rates, wires_of
from simulators.powder_lab.wires import FlakyWire, menu_of
from simulators.powder_lab.world import PowderLab


class At:
    at_s = 0.0

    def now_s(self):
        self.at_s += 1.0
        return self.at_s


class Deaf:
    wire = "serial"
    send = hang_up = None
    heard = 0

    def receive(self, data):
        self.heard += 1


def test_one_rate_is_shared_by_everything_that_can_go_wrong():
    rates = read_rates({"arm-1": 0.9}, n_dosers=1)["arm-1"]
    assert sum(rates.values()) == pytest.approx(0.9)
    assert set(rates) == set(menu_of("tcp"))


@pytest.mark.parametrize(("rate", "low", "high"), [(1.0, 0, 0), (0.25, 690, 810), (0.0, 1000, 1000)])
def test_requests_are_lost_as_often_as_the_rate_says(rate, low, high):
    deaf = Deaf()
    rates = {Fault.DROP_REQUEST: rate}
    wire = FlakyWire(deaf, name="balance", rate=0.0, rates=rates, seed=3, clock=At())
    for _ in range(1000):
        wire.receive(b"S\r\n")
    assert low <= deaf.heard <= high
    assert wire.struck == 1000 - deaf.heard


def test_kinds_of_wire_are_those_of_the_world(tmp_path):
    world = PowderLab.open(tmp_path / "w.sqlite", clock=At(), seed=0, options={})
    try:
        assert wires_of(4) == {name: port.wire for name, port in world.instruments.items() if name != "people"}
    finally:
        world.close()


def test_only_the_devices_that_are_named_are_flaky(tmp_path):
    options = {"wires": {"mill": 0.5, "balance": 0}, "faults": {}}
    world = PowderLab.open(tmp_path / "w.sqlite", clock=At(), seed=0, options=options)
    try:
        assert [name for name, port in world.instruments.items() if isinstance(port, FlakyWire)] == ["mill"]
    finally:
        world.close()
