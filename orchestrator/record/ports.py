"""Ports: one campaign at a time on each real port of this machine, whatever directory it runs in.

A lock file for each port lies in a folder of this user. The kernel releases a lock with its process, so a killed one
leaves nothing behind. Simulated instruments (`sim:`) belong to their campaign and need no lock.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
import tempfile
from collections.abc import Collection, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

from filelock import lock_descriptor, unlock_descriptor

from drivers.links.url import (
    Address,
    CaAddress,
    HttpAddress,
    ModbusRtuAddress,
    ModbusTcpAddress,
    Rfc2217Address,
    SerialAddress,
    SimAddress,
    TcpAddress,
    host_and_port,
    parse_url,
)
from orchestrator.errors import InUse, StorageError


def runtime_folder(environ: Mapping[str, str]) -> Path:
    """Return this user's folder for locks: gone with the boot, as the locks are."""
    base = environ.get("XDG_RUNTIME_DIR")
    return Path(base) / "labpilot" if base else Path(tempfile.gettempdir()) / f"labpilot-{os.getuid()}"


def port_of(url: str) -> str | None:
    """Return what two URLs of one device's port share, its settings left out; None for a simulator.

    Raises:
        BadURL: It is no URL of a device.
    """
    address = parse_url(url)
    return None if isinstance(address, SimAddress) else _port(address)


def _port(address: Address) -> str:
    match address:
        case SerialAddress(usb=usb) if usb:
            return f"serial usb:{usb.lower()}"
        case SerialAddress(path=path):
            return f"serial {os.path.realpath(path)}"
        case ModbusRtuAddress(line=line):
            return _port(line)
        case TcpAddress() | Rfc2217Address():
            return f"tcp {_socket(address)}"
        case ModbusTcpAddress(unit=unit):  # a gateway serves several clients, one to each of its units
            return f"modbus {_socket(address)}/{unit}"
        case HttpAddress(base=base):
            return f"http {_socket(address)}{base}"
        case CaAddress(prefix=prefix):
            return f"ca {prefix}"
    raise TypeError(f"{address} has no port")


def _socket(address: TcpAddress | Rfc2217Address | ModbusTcpAddress | HttpAddress) -> str:
    host, _, port = host_and_port(address).rpartition(":")
    host = host.lower().rstrip(".")
    return f"{'127.0.0.1' if host in ('localhost', '[::1]') else host}:{port}"


@contextmanager
def ports_held(urls: Collection[str], *, campaign: Path, folder: Path) -> Iterator[None]:
    """Hold the ports of all real devices, or none of them.

    campaign: the campaign directory, named to whoever is refused.
    folder: see `runtime_folder`.

    Raises:
        InUse: Another campaign holds one of them; says which and where.
        StorageError: The lock files cannot be written.
    """
    # in one order everywhere, though nobody waits here
    ports = sorted({port for url in urls if (port := port_of(url)) is not None})
    with ExitStack() as stack:
        if ports:
            _own(folder)
        for port in ports:
            stack.enter_context(_port_held(port, campaign=campaign, folder=folder))
        yield


def _own(folder: Path) -> None:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = folder.lstat()
    except OSError as error:
        raise StorageError(f"cannot make {folder} for the locks of ports: {error.strerror}") from error
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
        raise StorageError(f"{folder} belongs to somebody else; set XDG_RUNTIME_DIR to a folder of your own")


@contextmanager
def _port_held(port: str, *, campaign: Path, folder: Path) -> Iterator[None]:
    path = folder / f"{hashlib.sha256(port.encode()).hexdigest()[:24]}.lock"
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise StorageError(f"cannot lock the port {port}: {path}: {error.strerror}") from error
    try:
        if not lock_descriptor(descriptor, blocking=False):
            raise InUse(_taken(port, os.pread(descriptor, 4096, 0)))
        said = json.dumps({"port": port, "pid": os.getpid(), "campaign": str(campaign.absolute())}).encode()
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, said, 0)
        try:
            yield
        finally:
            os.ftruncate(descriptor, 0)
            unlock_descriptor(descriptor)
    finally:
        os.close(descriptor)


def _taken(port: str, content: bytes) -> str:
    try:
        holder = json.loads(content)
        who = f"the campaign in {holder['campaign']} (process {holder['pid']})"
    except (ValueError, KeyError, TypeError):
        who = "another campaign of this user"
    kind, _, name = port.partition(" ")
    return f"the {kind} port {name} is in use by {who}; wait for it or stop it: a device obeys one campaign at a time"
