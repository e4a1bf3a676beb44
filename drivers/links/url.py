"""URLs: one string says where a device is.

serial:///dev/ttyUSB0?baud=115200&parity=N&data=8&stop=1
sim:WORLD/INSTRUMENT
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import Literal, cast
from urllib.parse import parse_qsl, unquote, urlsplit

Parity = Literal["N", "E", "O"]

SCHEMES = {
    "serial": "serial:///dev/ttyUSB0?baud=9600&parity=N&data=8&stop=1",
    "sim": "sim:WORLD/INSTRUMENT",
}
"""The schemes that exist, each with an example."""


class BadURL(ValueError):
    """The text is no address that this version can open."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SerialAddress:
    """A serial port."""

    path: str
    baud: int = 9600
    parity: Parity = "N"
    data_bits: int = 8
    stop_bits: int = 1

    def __str__(self) -> str:
        options = f"baud={self.baud}&parity={self.parity}&data={self.data_bits}&stop={self.stop_bits}"
        return f"serial://{self.path}?{options}"


@dataclass(frozen=True, slots=True, kw_only=True)
class SimAddress:
    """An instrument of a simulated world."""

    world: str
    instrument: str

    def __str__(self) -> str:
        return f"sim:{self.world}/{self.instrument}"


Address = SerialAddress | SimAddress


def parse_url(text: str) -> Address:
    """Read an address.

    Raises:
        BadURL: Unknown scheme, unknown or impossible option, or a missing part; says which, and what would do.
    """
    scheme, colon, _ = text.partition(":")
    if not colon or scheme not in SCHEMES:
        exist = ", ".join(f"{name}: (as in {example})" for name, example in SCHEMES.items())
        raise BadURL(f"{text!r}: unknown scheme {scheme!r}; there are {exist}")
    return _serial(text) if scheme == "serial" else _sim(text)


def _sim(text: str) -> SimAddress:
    world, slash, instrument = text.removeprefix("sim:").partition("/")
    if not (world and slash and instrument) or "/" in instrument:
        raise BadURL(f"{text!r}: write {SCHEMES['sim']}, as in sim:film-station/stage")
    return SimAddress(world=world, instrument=instrument)


def _serial(text: str) -> SerialAddress:
    parts = urlsplit(text)
    if parts.netloc or not parts.path.startswith("/") or parts.fragment:
        raise BadURL(f"{text!r}: write {SCHEMES['serial']}, with three slashes before an absolute path")
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    for name in options:
        if name not in _CHOICES:
            close = difflib.get_close_matches(name, _CHOICES, n=1)
            hint = f"; did you mean {close[0]!r}?" if close else f"; there are {', '.join(_CHOICES)}"
            raise BadURL(f"{text!r}: unknown option {name!r}{hint}")
    return SerialAddress(
        path=unquote(parts.path),
        baud=_whole(text, options, "baud", 9600),
        parity=cast(Parity, _choice(text, options, "parity", "N")),
        data_bits=_whole(text, options, "data", 8),
        stop_bits=_whole(text, options, "stop", 1),
    )


_CHOICES: dict[str, tuple[str, ...]] = {
    "baud": (),
    "parity": ("N", "E", "O"),
    "data": ("7", "8"),
    "stop": ("1", "2"),
}


def _choice(text: str, options: dict[str, str], name: str, default: str) -> str:
    value = options.get(name, default)
    if _CHOICES[name] and value not in _CHOICES[name]:
        raise BadURL(f"{text!r}: {name}={value!r} is none of {', '.join(_CHOICES[name])}")
    return value


def _whole(text: str, options: dict[str, str], name: str, default: int) -> int:
    value = _choice(text, options, name, str(default))
    if not value.isdecimal() or not 0 < int(value) <= 4_000_000:
        raise BadURL(f"{text!r}: {name}={value!r} is no positive whole number")
    return int(value)
