"""What a shared link and its process say to each other: JSON lines, one question, one answer, paired by number."""

from __future__ import annotations

import dataclasses
import json
import os
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from zlib import crc32

from drivers import errors
from drivers.errors import DriverError, NotConnected, Rejected
from drivers.links.framing import LONGEST, Framing
from drivers.links.url import ByteAddress, ModbusRtuAddress

LONGEST_MESSAGE = 3 * LONGEST
"""Bytes travel in hex."""
OURS = "drivers."
"""Framings of these modules can travel: they are found by name, and nothing else is imported for anybody."""

_KINDS: Mapping[str, type[DriverError]] = {
    kind.__name__: kind
    for kind in (errors.NotSent, errors.NotConnected, errors.Rejected, errors.Unreadable, errors.Ambiguous)
}


def port_name(address: ByteAddress) -> str:
    """Return what tells ports apart: of a Modbus line, that of all its units."""
    if isinstance(address, ModbusRtuAddress):
        return str(dataclasses.replace(address, unit=1))
    return str(address)


def socket_path(address: ByteAddress) -> Path:
    """Return where the process of a port listens, the same for every client of this user.

    Raises:
        NotConnected: The folder is somebody else's.
    """
    folder = Path(tempfile.gettempdir()) / f"labpilot-links-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    found = folder.stat()
    if found.st_uid != os.getuid() or found.st_mode & 0o077:
        raise NotConnected(f"{folder} is open to others; remove it, then connect again")
    return folder / f"{crc32(port_name(address).encode()):08x}.sock"


def packed(message: Mapping[str, Any]) -> bytes:
    """Return a message as one line."""
    return json.dumps(message, separators=(",", ":")).encode() + b"\n"


def framing_row(framing: Framing) -> dict[str, Any]:
    """Return a framing as it travels.

    Raises:
        Rejected: It is none of labpilot's own.
    """
    kind = type(framing)
    if not (kind.__module__.startswith(OURS) and dataclasses.is_dataclass(framing)):
        raise Rejected(
            f"the framing {kind.__name__} is none of labpilot's own and cannot be used on a shared port; "
            "open the port without 'shared:'; nothing was sent"
        )
    fields = {field.name: _value_row(getattr(framing, field.name)) for field in dataclasses.fields(framing)}
    return {"module": kind.__module__, "name": kind.__name__, "fields": fields}


def framing_of(row: Mapping[str, Any]) -> Framing:
    """Return a framing that travelled.

    Raises:
        Rejected: There is no such framing here.
    """
    module, name = str(row["module"]), str(row["name"])
    kind = None
    if module.startswith(OURS):
        __import__(module)
        kind = getattr(sys.modules[module], name, None)
    if not (isinstance(kind, type) and dataclasses.is_dataclass(kind) and callable(getattr(kind, "take", None))):
        raise Rejected(f"there is no framing {module}:{name}; nothing was sent")
    found: Any = kind(**{key: _value_of(value) for key, value in row["fields"].items()})
    return found


def error_row(error: DriverError) -> dict[str, str]:
    """Return an error as it travels."""
    kind = type(error).__name__
    return {"kind": kind if kind in _KINDS else "Ambiguous", "message": error.message, "wire": error.wire}


def error_of(row: Mapping[str, str]) -> DriverError:
    """Return an error that travelled."""
    return _KINDS[row["kind"]](row["message"], wire=row["wire"])


def _value_row(value: Any) -> Any:
    return {"hex": value.hex()} if isinstance(value, bytes) else value


def _value_of(value: Any) -> Any:
    return bytes.fromhex(value["hex"]) if isinstance(value, dict) else value
