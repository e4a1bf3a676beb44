"""What can leave a driver besides success.

    DriverError
    +-- NotSent            nothing reached the device; safe to send again
    |   +-- NotConnected   the port is absent, busy, or was lost before the write
    +-- Rejected           the device (or the limits gate) said no; nothing changed
    |   +-- OutOfLimits    refused before the wire
    +-- Unreadable         a read gave no answer that can be trusted; nothing changed
    +-- Ambiguous          sent, outcome unknown: "timed out" is not "did not happen"
    +-- DeviceFault        the device says that it is broken or needs a person

Each carries the device's name, the command, and what to do next; `wire` holds the bytes that led to it.
"""

from __future__ import annotations


class DriverError(Exception):
    """Root of what leaves a driver."""

    def __init__(self, message: str, *, device: str = "", command: str = "", wire: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.device = device
        self.command = command
        self.wire = wire

    def __str__(self) -> str:
        where = ".".join(part for part in (self.device, self.command) if part)
        text = f"{where}: {self.message}" if where else self.message
        return f"{text} [wire: {self.wire}]" if self.wire else text


class NotSent(DriverError):
    """Nothing reached the device; the command may be sent again."""


class NotConnected(NotSent):
    """The port is absent, in use, or was lost before anything was written."""


class Rejected(DriverError):
    """The device understood and refused; nothing changed."""


class OutOfLimits(Rejected):
    """A value lies outside the limits; it was refused before the wire and never clamped."""

    def __init__(
        self,
        message: str,
        *,
        value: float,
        low: float | None,
        high: float | None,
        unit: str,
        device: str = "",
        command: str = "",
    ) -> None:
        super().__init__(message, device=device, command=command)
        self.value = value
        self.low = low
        self.high = high
        self.unit = unit


class Unreadable(DriverError):
    """A read gave no answer that can be trusted; read again after the link has resynchronised."""


class Ambiguous(DriverError):
    """The command was sent and its outcome is unknown; settle it by its effect before anything else moves."""


class DeviceFault(DriverError):
    """The device reports a fault."""

    def __init__(
        self,
        message: str,
        *,
        code: str = "",
        needs_operator: bool = False,
        device: str = "",
        command: str = "",
        wire: str = "",
    ) -> None:
        super().__init__(message, device=device, command=command, wire=wire)
        self.code = code
        self.needs_operator = needs_operator
