"""URLs: one string says where a device is.

serial:///dev/ttyUSB0?baud=115200&parity=N&data=8&stop=1
serial://usb:0403:6001:A50285BI?baud=9600              a USB adapter: vendor, product, serial number if it has one
tcp://192.168.0.5:702
rfc2217://192.168.0.6:2217?baud=9600                   a serial port of a terminal server
modbus+rtu:///dev/ttyUSB1?baud=9600&unit=1
modbus+tcp://192.168.0.7:502/1                         the unit stands behind the slash; 255 is the port itself
ca://LAB:HS1:?addr=127.0.0.1:5064                      EPICS channel access: the prefix of the device's channels
http://192.168.0.8:8080/api
shared:modbus+rtu:///dev/ttyUSB1?baud=9600&unit=1      that port, through a process that owns it for several clients
sim:WORLD/INSTRUMENT                                   or sim:WORLD where it has one instrument
"""

from __future__ import annotations

import difflib
import ipaddress
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal, cast
from urllib.parse import SplitResult, parse_qsl, quote, unquote, urlsplit

Parity = Literal["N", "E", "O"]

SCHEMES = {
    "serial": "serial:///dev/ttyUSB0?baud=9600&parity=N&data=8&stop=1",
    "tcp": "tcp://192.168.0.5:702",
    "rfc2217": "rfc2217://192.168.0.6:2217?baud=9600",
    "modbus+rtu": "modbus+rtu:///dev/ttyUSB1?baud=9600&unit=1",
    "modbus+tcp": "modbus+tcp://192.168.0.7:502/1",
    "ca": "ca://LAB:HS1:?addr=127.0.0.1:5064",
    "http": "http://192.168.0.8:8080/api",
    "shared": "shared:serial:///dev/ttyUSB0?baud=9600&parity=N&data=8&stop=1",
    "sim": "sim:WORLD/INSTRUMENT",
}
"""The schemes that exist, each with an example."""


class BadURL(ValueError):
    """The text is no address that this version can open."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SerialAddress:
    """A serial port, by its path or by the USB adapter that makes it."""

    path: str = ""
    usb: str = ""
    """``vendor:product:serial`` of the adapter, the first two in hex, or ``vendor:product`` of one that has no serial
    number (the number may hold colons itself); empty where the path is given."""
    baud: int = 9600
    parity: Parity = "N"
    data_bits: int = 8
    stop_bits: int = 1

    @property
    def options(self) -> str:
        """The line settings, as a URL has them."""
        return f"baud={self.baud}&parity={self.parity}&data={self.data_bits}&stop={self.stop_bits}"

    def __str__(self) -> str:
        where = f"usb:{quote(self.usb, safe=':')}" if self.usb else quote(self.path, safe=_PLAIN)
        return f"serial://{where}?{self.options}"


@dataclass(frozen=True, slots=True, kw_only=True)
class TcpAddress:
    """A TCP port."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"tcp://{_host(self.host)}:{self.port}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rfc2217Address:
    """A serial port behind a terminal server (RFC 2217)."""

    host: str
    port: int
    line: SerialAddress

    def __str__(self) -> str:
        return f"rfc2217://{_host(self.host)}:{self.port}?{self.line.options}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ModbusRtuAddress:
    """A unit on a Modbus RTU line."""

    line: SerialAddress
    unit: int = 1

    def __str__(self) -> str:
        return f"modbus+rtu{str(self.line).removeprefix('serial')}&unit={self.unit}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ModbusTcpAddress:
    """A unit behind a Modbus TCP port."""

    host: str
    port: int
    unit: int = 1

    def __str__(self) -> str:
        return f"modbus+tcp://{_host(self.host)}:{self.port}/{self.unit}"


@dataclass(frozen=True, slots=True, kw_only=True)
class CaAddress:
    """The channels of an EPICS device."""

    prefix: str
    servers: tuple[str, ...] = ()
    """``host:port`` of the IOCs to ask; none leaves it to the environment (EPICS_CA_ADDR_LIST)."""

    def __str__(self) -> str:
        return f"ca://{self.prefix}" + (f"?addr={','.join(self.servers)}" if self.servers else "")


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpAddress:
    """A device with an HTTP interface."""

    host: str
    port: int
    base: str = ""
    """Path that all others follow, without a slash at its end."""

    def __str__(self) -> str:
        return f"http://{_host(self.host)}:{self.port}{self.base}"


@dataclass(frozen=True, slots=True, kw_only=True)
class SimAddress:
    """An instrument of a simulated world."""

    world: str
    instrument: str = ""
    """Empty: the only one of that world."""

    def __str__(self) -> str:
        return f"sim:{self.world}" + (f"/{self.instrument}" if self.instrument else "")


ByteAddress = SerialAddress | TcpAddress | Rfc2217Address | ModbusRtuAddress | ModbusTcpAddress | HttpAddress
"""Where bytes go in and out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SharedAddress:
    """A port that a link process owns and several clients use; see `drivers.links.shared`."""

    port: ByteAddress

    def __str__(self) -> str:
        return f"shared:{self.port}"


Address = (
    SerialAddress
    | TcpAddress
    | Rfc2217Address
    | ModbusRtuAddress
    | ModbusTcpAddress
    | CaAddress
    | HttpAddress
    | SharedAddress
    | SimAddress
)


def parse_url(text: str) -> Address:
    """Read an address.

    Raises:
        BadURL: Unknown scheme, unknown or impossible option, or a missing part; says which, and what would do.
    """
    scheme, colon, _ = text.partition(":")
    if not colon or scheme not in SCHEMES:
        close = difflib.get_close_matches(scheme, SCHEMES, n=1)
        hint = f"did you mean {close[0]!r}? " if close and colon else ""
        exist = ", ".join(f"{name}: (as in {example})" for name, example in SCHEMES.items())
        raise _bad(text, f"unknown scheme {scheme!r}; {hint}there are {exist}")
    if not (text.isascii() and text.isprintable()) or " " in text:  # urlsplit would drop some of these unseen
        raise _bad(text, "a URL holds no space and only plain characters; write others as %20 and the like")
    return _READERS[scheme](text)


def scheme_of(address: Address) -> str:
    """Return the scheme of an address."""
    return str(address).partition(":")[0]


def host_and_port(address: TcpAddress | Rfc2217Address | ModbusTcpAddress | HttpAddress) -> str:
    """Return host and port as a URL has them."""
    return f"{_host(address.host)}:{address.port}"


def _sim(text: str) -> SimAddress:
    world, slash, instrument = text.removeprefix("sim:").partition("/")
    if not world or "/" in instrument or bool(slash) != bool(instrument) or "?" in text or "#" in text:
        raise _bad(text, f"write {SCHEMES['sim']}, as in sim:film-station/stage")
    return SimAddress(world=world, instrument=instrument)


def _shared(text: str) -> SharedAddress:
    inner = parse_url(text.removeprefix("shared:"))
    if not isinstance(inner, ByteAddress):
        raise _bad(text, f"{scheme_of(inner)}: is not shared, only a port whose bytes go in and out")
    return SharedAddress(port=inner)


def _serial(text: str) -> SerialAddress:
    return _line(text, _options(text, _LINE), "serial")


def _modbus_rtu(text: str) -> ModbusRtuAddress:
    options = _options(text, {**_LINE, "unit": ()})
    unit = _unit(text, options.pop("unit", "1"))
    return ModbusRtuAddress(line=_line(text, options, "modbus+rtu"), unit=unit)


def _tcp(text: str) -> TcpAddress:
    _options(text, {})
    host, port, path = _authority(text, "tcp")
    if path:
        raise _bad(text, f"nothing stands behind the port; write {SCHEMES['tcp']}")
    return TcpAddress(host=host, port=port)


def _rfc2217(text: str) -> Rfc2217Address:
    options = _options(text, _LINE)
    host, port, path = _authority(text, "rfc2217")
    if path:
        raise _bad(text, f"nothing but options stands behind the port; write {SCHEMES['rfc2217']}")
    return Rfc2217Address(host=host, port=port, line=_settings(text, options))


def _modbus_tcp(text: str) -> ModbusTcpAddress:
    _options(text, {})
    host, port, path = _authority(text, "modbus+tcp", port=502)
    return ModbusTcpAddress(host=host, port=port, unit=_unit(text, path.removeprefix("/") or "1", also=(0, 255)))


def _http(text: str) -> HttpAddress:
    _options(text, {})
    host, port, path = _authority(text, "http", port=80)
    return HttpAddress(host=host, port=port, base=path.rstrip("/"))


def _ca(text: str) -> CaAddress:
    # a prefix may hold brackets, which would be an IPv6 host to urlsplit
    prefix, _, query = text.removeprefix("ca:").partition("?")
    options = _options(f"ca://any?{query}", {"addr": ()}, shown=text)
    if not re.fullmatch(r"//[A-Za-z0-9_:.<>;\[\]-]+", prefix):
        raise _bad(text, f"write {SCHEMES['ca']}; the part before '?' is the prefix of the device's channels")
    servers = tuple(server for server in options.get("addr", "").split(",") if server)
    for server in servers:
        host, _, port = server.rpartition(":")
        if not (_HOST.fullmatch(host) and port.isdecimal() and 0 < int(port) < 65_536):
            raise _bad(text, f"addr={server!r} is no host:port")
    return CaAddress(prefix=prefix.removeprefix("//"), servers=servers)


_READERS: Mapping[str, Callable[[str], Address]] = {
    "serial": _serial,
    "tcp": _tcp,
    "rfc2217": _rfc2217,
    "modbus+rtu": _modbus_rtu,
    "modbus+tcp": _modbus_tcp,
    "ca": _ca,
    "http": _http,
    "shared": _shared,
    "sim": _sim,
}

_LINE: dict[str, tuple[str, ...]] = {
    "baud": (),
    "parity": ("N", "E", "O"),
    "data": ("7", "8"),
    "stop": ("1", "2"),
}


_HOST = re.compile(r"[A-Za-z0-9_.-]+")

_PLAIN = "/:+@,=~"
"""Besides letters, digits and ``_.-``, what a path is written with as it is."""


def _bad(text: str, problem: str) -> BadURL:
    """Return the error for a text, without the password that somebody may have written into it."""
    return BadURL(f"{re.sub('//[^/?#]*@', '//***@', text)!r}: {problem}")


def _split(text: str, *, shown: str = "") -> SplitResult:
    try:
        return urlsplit(text)
    except ValueError as error:
        raise _bad(shown or text, str(error)) from error


def _options(text: str, known: Mapping[str, tuple[str, ...]], *, shown: str = "") -> dict[str, str]:
    parts, shown = _split(text, shown=shown), shown or text
    if "#" in text:
        raise _bad(shown, "there is no part behind '#'")
    options: dict[str, str] = {}
    for name, value in parse_qsl(parts.query, keep_blank_values=True):
        if name not in known:
            close = difflib.get_close_matches(name, known, n=1)
            hint = f"; did you mean {close[0]!r}?" if close else f"; there are {', '.join(known) or 'none'}"
            raise _bad(shown, f"unknown option {name!r}{hint}")
        if known[name] and value not in known[name]:
            raise _bad(shown, f"{name}={value!r} is none of {', '.join(known[name])}")
        if name in options:
            raise _bad(shown, f"{name} is there twice")
        options[name] = value
    return options


def _line(text: str, options: Mapping[str, str], scheme: str) -> SerialAddress:
    parts = _split(text)
    if parts.netloc.startswith("usb:") and not parts.path:
        usb = unquote(parts.netloc.removeprefix("usb:"))
        if not re.fullmatch(r"[0-9A-Fa-f]{1,4}:[0-9A-Fa-f]{1,4}(:.+)?", usb) or not usb.isprintable():
            raise _bad(text, "write usb:VENDOR:PRODUCT:SERIAL, two in hex, as in usb:0403:6001:A50285BI")
        return _settings(text, options, usb=usb)
    path = unquote(parts.path)
    if parts.netloc or not path.startswith("/") or path.startswith("//"):
        raise _bad(text, f"write {SCHEMES[scheme]}, with three slashes before an absolute path")
    if not path.isprintable():
        raise _bad(text, "a path holds no control characters")
    return _settings(text, options, path=path)


def _settings(text: str, options: Mapping[str, str], *, path: str = "", usb: str = "") -> SerialAddress:
    return SerialAddress(
        path=path,
        usb=usb,
        baud=_whole(text, "baud", options.get("baud", "9600"), 4_000_000),
        parity=cast(Parity, options.get("parity", "N")),
        data_bits=int(options.get("data", "8")),
        stop_bits=int(options.get("stop", "1")),
    )


def _authority(text: str, scheme: str, *, port: int | None = None) -> tuple[str, int, str]:
    parts = _split(text)
    if "@" in parts.netloc:
        raise _bad(text, "a URL holds no user or password; secrets come from the environment")
    try:
        host, found = parts.hostname, port if parts.port is None else parts.port
    except ValueError as error:
        raise _bad(text, str(error)) from error
    if not host or not found:
        raise _bad(text, f"write {SCHEMES[scheme]}")
    if not (_is_ipv6(host) if "[" in parts.netloc else _HOST.fullmatch(host)):
        raise _bad(text, f"{host!r} is no host")
    return host, found, parts.path


def _is_ipv6(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).version == 6
    except ValueError:
        return False


def _unit(text: str, value: str, *, also: tuple[int, ...] = ()) -> int:
    unit = int(value) if value.isdecimal() and len(value) < 4 else -1
    if not (1 <= unit <= 247 or unit in also):
        more = "".join(f", or {number}" for number in also)
        raise _bad(text, f"a Modbus unit is a whole number from 1 to 247{more}, not {value!r}")
    return unit


def _whole(text: str, name: str, value: str, most: int) -> int:
    if not value.isdecimal() or len(value) > 9 or not 0 < int(value) <= most:
        raise _bad(text, f"{name}={value!r} is no positive whole number up to {most}")
    return int(value)


def _host(host: str) -> str:
    return f"[{host}]" if _is_ipv6(host) else host
