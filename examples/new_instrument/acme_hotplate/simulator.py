"""The simulator of the AcmeHotplate: the same wire, with physics behind."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pymodbus.constants import ExcCodes

from simulators.instruments.base import Now
from simulators.instruments.modbus import ModbusError, ModbusInstrument
from simulators.solo import Solo
from simulators.world import Instrument, WorldFile

WORDS = {2: "PV", 3: "SP", 4: "RATE", 5: "STOP", 6: "ON", 7: "TARE", 8: "MOVING"}
ORDERS = ("STOP", "TARE")
SCALE = 10

AMBIENT_C = 20.0


class AcmeHotplateDevice:
    """What the device is and does: a temperature that follows its target at a rate."""

    def __init__(self, state: WorldFile, clock: Now) -> None:
        self._state = state
        self._clock = clock
        new = {"SP": AMBIENT_C, "RATE": 5.0, "from_c": AMBIENT_C, "since_s": clock.now_s()}
        self._kept: dict[str, Any] = state.get("device", new)

    def read(self, word: str) -> float:
        """Return a value; KeyError for what the device does not have."""
        return self.temperature_c() if word == "PV" else {key: self._kept[key] for key in ("SP", "RATE")}[word]

    def write(self, word: str, value: float) -> None:
        """Take a value."""
        if word not in ("SP", "RATE"):
            raise KeyError(word)
        self._keep(**{word: value})

    def order(self, word: str) -> None:
        """Do what an order says."""
        if word != "STOP":
            raise KeyError(word)
        self._keep(SP=AMBIENT_C)

    def temperature_c(self) -> float:
        """Return the true temperature now."""
        way_c = self._kept["SP"] - self._kept["from_c"]
        gone_c = self._kept["RATE"] * (self._clock.now_s() - self._kept["since_s"]) / 60.0
        return self._kept["from_c"] + max(-gone_c, min(gone_c, way_c))

    def _keep(self, **changes: float) -> None:
        self._kept = {**self._kept, "from_c": self.temperature_c(), "since_s": self._clock.now_s(), **changes}
        self._state.put(device=self._kept)


class AcmeHotplateRegisters:
    """The register side of the device: tenths, as two's complement; 0 is the serial number, 1 the firmware."""

    def __init__(self, device: AcmeHotplateDevice, state: WorldFile, clock: Now) -> None:
        self._device = device
        self._state = state
        self._clock = clock

    def read_register(self, address: int) -> int:
        """Return a register."""
        if address < 2:
            return 1
        try:
            return round(SCALE * self._device.read(WORDS[address])) & 0xFFFF
        except KeyError:
            raise ModbusError(ExcCodes.ILLEGAL_ADDRESS) from None

    def write_register(self, address: int, value: int) -> None:
        """Take a register."""
        number = (value - 0x10000 if value & 0x8000 else value) / SCALE
        try:
            word = WORDS[address]
            if word in ORDERS:
                self._device.order(word)
            else:
                self._device.write(word, number)
        except KeyError:
            raise ModbusError(ExcCodes.ILLEGAL_ADDRESS) from None
        self._state.note_act(word, once=False, facts={"value": number}, at_s=self._clock.now_s())

    def read_coil(self, address: int) -> bool:
        """Refuse: there are none."""
        raise ModbusError(ExcCodes.ILLEGAL_ADDRESS)

    def write_coil(self, address: int, is_on: bool) -> None:
        """Refuse: there are none."""
        raise ModbusError(ExcCodes.ILLEGAL_ADDRESS)

    def restart(self) -> None:
        """Forget nothing: everything is kept."""


class AcmeHotplateWorld(Solo):
    """The world ``sim:acme-hotplate``."""

    name = "acme-hotplate"

    def build(self, *, state: WorldFile, clock: Now, seed: int, options: Mapping[str, Any]) -> dict[str, Instrument]:
        """Return the instrument on each of its wires."""
        device = AcmeHotplateDevice(state, clock)
        registers = AcmeHotplateRegisters(device, state, clock)
        return {
            name: ModbusInstrument(registers, wire=wire, state=state, clock=clock)
            for name, wire in (("rtu", "modbus+rtu"), ("tcp", "modbus+tcp"))
        }
