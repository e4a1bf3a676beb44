"""How often exchanges on the wires of single devices of the powder laboratory go wrong, as its options say."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any

from simulators.faults import Fault
from simulators.powder_lab.places import ARMS, BOXES
from simulators.powder_lab.wires import menu_of

Rates = Mapping[Fault, float]


def read_rates(told: Any, *, n_dosers: int) -> dict[str, Rates]:
    """Return chances of each exchange by device and fault.

    Raises:
        ValueError: A device or fault is unknown, or a rate cannot be.
    """
    if not isinstance(told, Mapping):
        raise ValueError(f"wires are rates by device, not {told!r}")
    wires = wires_of(n_dosers)
    for device in told:
        if device not in wires:
            raise ValueError(f"no device with a wire is called {device!r}{nearest(device, wires)}")
    return {device: _of_device(device, rates, menu_of(wires[device])) for device, rates in told.items()}


def nearest(word: object, known: Mapping[str, Any] | list[str]) -> str:
    """Say which known name was meant, or which there are."""
    near = get_close_matches(str(word), list(known), n=1)
    return f"; did you mean {near[0]!r}?" if near else f"; there are {', '.join(known)}"


def wires_of(n_dosers: int) -> dict[str, str]:
    """Return the kind of wire of each device that has one."""
    serial = ("balance", "mill", "grinder", *(f"doser-{number + 1}" for number in range(n_dosers)))
    return {
        **dict.fromkeys(serial, "serial"),
        **dict.fromkeys((*ARMS, "diffractometer"), "tcp"),
        **dict.fromkeys(BOXES, "modbus+tcp"),
        **dict.fromkeys(("enclosure", *(box.replace("box", "door") for box in BOXES)), "http"),
    }


def _of_device(device: str, told: Any, menu: tuple[Fault, ...]) -> Rates:
    if not isinstance(told, Mapping):
        rate = _rate(f"wires: {device}", told)
        return {fault: rate / len(menu) for fault in menu}
    names = [str(fault) for fault in menu]
    for name in told:
        if name not in names:
            raise ValueError(f"wires: nothing that goes wrong with {device} is called {name!r}{nearest(name, names)}")
    rates = {Fault(name): _rate(f"wires: {device}: {name}", rate) for name, rate in told.items()}
    _rate(f"wires: all of {device} together", sum(rates.values()))
    return rates


def _rate(name: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0.0 <= value <= 1.0:
        raise ValueError(f"{name} is {value!r}; it goes from 0 to 1")
    return float(value)
