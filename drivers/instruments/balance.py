r"""A laboratory balance that speaks the Mettler-Toledo Standard Interface Command Set (MT-SICS) over a serial line.

    S\r\n   ->  S S     100.0000 g\r\n     stable weight, once there is one
    SI\r\n  ->  S D     129.0712 g\r\n     the weight now, S stable or D dynamic
    T\r\n   ->  T S       2.5000 g\r\n     tared, with what was taken for tare

A weight is ten characters, right-aligned, then a space and the unit. A unit other than the gram is never read as one.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from typing import Annotated

from drivers.capabilities import Identity
from drivers.clock import Clock
from drivers.command import Effect, Quantity, command
from drivers.errors import DeviceFault, DriverError, NotSent, Rejected
from drivers.links.base import Link
from drivers.links.framing import Line
from drivers.manifest import Manifest

REPLY_S = 1.0
LATE_MAX_S = 0.5
STABLE_S = 12.0
"""A balance looks for a stable weight for 10 s before it gives up; where it is set so, for twice as long."""

ZERO_G = 0.002
"""What may drift and settle between a tare and its read-back."""

AGREE_G = 0.001
"""How far two stable weights in a row may be apart."""
SETTLING_G = 0.5
"""How far two weights in a row may be apart while the pan settles."""

Weight = Annotated[float, Quantity("g", -500.0, 50_000.0, tolerance=0.001)]

_WEIGHT = re.compile(r"(?=.{10} \S+$) *(-?\d+\.\d{1,6}) (\S+)")
_TEXT = re.compile(r'"([A-Za-z0-9 ._/+-]+)"')
_BALANCE_DATA = re.compile(r"(\S.*?) +\d+\.\d+ k?g")


class BalanceDriver:
    """Driver of balances with MT-SICS level 0 and 1. Satisfies `Balance`."""

    manifest = Manifest(
        maker="Mettler-Toledo",
        model="balances with MT-SICS level 0 and 1",
        wires=("serial", "tcp", "rfc2217"),
        manual="Mettler-Toledo, Reference Manual Standard Interface Command Set MT-SICS, 11780711",
        if_host_dies="Goes on weighing; nothing moves.",
        unverified="the replies to SI, T, TA, TAC, Z and @, and the ten characters, are as public programs have them",
        simulator="balance",
    )
    nothing_to_stop = "a balance moves nothing; `reset` ends whatever it waits for"

    def __init__(self, link: Link, clock: Clock, *, name: str = "balance") -> None:
        self.name = name
        self._link = link
        self._clock = clock

    async def connect(self) -> Identity:
        """Open the link and identify the device."""
        await self._link.open()
        return await self.identify()

    async def close(self) -> None:
        """Close the link; safe to call twice."""
        await self._link.close()

    @command(Effect.READ)
    async def identify(self) -> Identity:
        """Read model, software version and serial number."""
        said, again = [[await self._text(request) for request in ("I2", "I3", "I4")] for _ in range(2)]
        if said != again:  # lines carry no checksum: a name is believed when it is said twice
            raise self._link.distrust(f"it says {said}, then {again}", effect=Effect.READ)
        data, firmware, serial = said
        match = _BALANCE_DATA.fullmatch(data)
        if match is None:
            raise self._link.distrust(f"{data!r} names no balance and its capacity", effect=Effect.READ)
        return Identity(maker="Mettler-Toledo", model=match[1], serial=serial, firmware=firmware)

    @command(Effect.READ, timeout_s=STABLE_S, late_max_s=STABLE_S)
    async def weigh(self) -> Weight:
        """Read the net weight once it is stable, in grams.

        Raises:
            Rejected: It did not become stable in time, or the balance is doing something else.
            DeviceFault: Overload or underload.
        """
        return await self._agreed(self._stable, AGREE_G)

    @command(Effect.READ)
    async def weigh_now(self) -> Weight:
        """Read the net weight as it is, stable or not, in grams.

        Raises:
            Rejected: The balance is doing something else.
            DeviceFault: Overload or underload.
        """
        (was_stable, before), (is_stable, weight) = await self._as_it_is(), await self._as_it_is()
        self._require_agreement(before, weight, AGREE_G if was_stable and is_stable else SETTLING_G)
        return weight

    @command(Effect.READ)
    async def read_tare(self) -> Weight:
        """Read what is subtracted as tare, in grams."""
        return await self._agreed(self._tare, 0.0)

    @command(Effect.VERIFIABLE, verify="is_tared", timeout_s=STABLE_S, late_max_s=STABLE_S)
    async def tare(self) -> None:
        """Take what lies on the pan for tare, once it is stable.

        Raises:
            Rejected: Not stable in time, or outside the taring range; the tare is what it was.
        """
        status, rest = await self._ask("T", Effect.VERIFIABLE, timeout_s=STABLE_S, late_max_s=STABLE_S)
        if status in ("I", "+", "-"):
            raise _not_done("tare", status)
        if status != "S" or _WEIGHT.fullmatch(rest) is None:  # done, in whatever unit it says so
            raise self._link.distrust(f"'T {status} {rest}' is no answer to T", effect=Effect.VERIFIABLE)

    @command(Effect.READ)
    async def is_tared(self) -> bool:
        """Say whether a tare is set and the net weight is zero; a tare of nothing leaves no trace: False."""
        return await self.read_tare() != 0.0 and abs(await self.weigh_now()) <= ZERO_G

    @command(Effect.VERIFIABLE, verify="is_zeroed", timeout_s=STABLE_S, late_max_s=STABLE_S)
    async def zero(self) -> None:
        """Take the present load for zero, once it is stable; this clears the tare.

        Raises:
            Rejected: Not stable in time, or outside the zero setting range; zero is what it was.
        """
        status, rest = await self._ask("Z", Effect.VERIFIABLE, timeout_s=STABLE_S, late_max_s=STABLE_S)
        if status in ("I", "+", "-"):
            raise _not_done("zero", status)
        if (status, rest) != ("A", ""):
            raise self._link.distrust(f"'Z {status} {rest}' is no answer to Z", effect=Effect.VERIFIABLE)

    @command(Effect.READ)
    async def is_zeroed(self) -> bool:
        """Say whether the weight is zero with no tare set."""
        # the weight first: who presses the tare key in between does not make it a zero
        return abs(await self.weigh_now()) <= ZERO_G and await self.read_tare() == 0.0

    @command(Effect.IDEMPOTENT)
    async def clear_tare(self) -> None:
        """Set the tare to nothing."""
        await self._accepted("TAC", Effect.IDEMPOTENT)

    @command(Effect.IDEMPOTENT)
    async def reset(self) -> None:
        """Cancel whatever the balance waits for, and clear the tare; the zero point stays."""
        await self._text("@", effect=Effect.IDEMPOTENT)

    async def _stable(self) -> float:
        status, rest = await self._ask("S", Effect.READ, timeout_s=STABLE_S, late_max_s=STABLE_S)
        if status != "S":
            raise self._no_weight("S", status)
        return self._grams(rest)

    async def _as_it_is(self) -> tuple[bool, float]:
        status, rest = await self._ask("SI", Effect.READ, head="S")
        if status not in ("S", "D"):
            raise self._no_weight("SI", status)
        return status == "S", self._grams(rest)

    async def _tare(self) -> float:
        return self._grams(await self._accepted("TA", Effect.READ))

    async def _agreed(self, read: Callable[[], Awaitable[float]], within_g: float) -> float:
        """Weigh twice: MT-SICS has no checksum, and a garbled digit looks like a digit."""
        first, second = await read(), await read()
        self._require_agreement(first, second, within_g)
        return second

    def _require_agreement(self, first: float, second: float, within_g: float) -> None:
        if abs(first - second) > within_g:
            raise self._link.distrust(f"{first:g} g and then {second:g} g cannot both be right", effect=Effect.READ)

    async def _text(self, request: str, *, effect: Effect = Effect.READ) -> str:
        rest = await self._accepted(request, effect, head="I4" if request == "@" else request)
        match = _TEXT.fullmatch(rest)
        if match is None:
            raise self._link.distrust(f"{rest!r} is no text", effect=effect)
        return match[1]

    async def _accepted(self, request: str, effect: Effect, *, head: str = "") -> str:
        status, rest = await self._ask(request, effect, head=head)
        if status in ("I", "L"):
            raise _not_done(request, status)
        if status != "A":
            raise self._link.distrust(f"'{request} {status} {rest}' is no answer to {request}", effect=effect)
        return rest

    def _grams(self, rest: str) -> float:
        match = _WEIGHT.fullmatch(rest)
        if match is None:
            raise self._link.distrust(f"{rest!r} is no weight", effect=Effect.READ)
        if match[2] != "g":
            problem = f"the balance weighs in {match[2]!r} and not in grams; somebody changed its unit"
            raise self._link.distrust(problem, effect=Effect.READ)
        return float(match[1])

    def _no_weight(self, request: str, status: str) -> DriverError:
        if status in ("+", "-"):
            what, remedy = ("overload", "take it off") if status == "+" else ("underload", "put the pan on")
            return DeviceFault(f"the balance is in {what}; {remedy}", code=what, needs_operator=True)
        if status == "I":
            return _not_done("weigh", status)
        return self._link.distrust(f"{status!r} is no answer to {request}", effect=Effect.READ)

    async def _ask(
        self,
        request: str,
        effect: Effect,
        *,
        head: str = "",
        timeout_s: float = REPLY_S,
        late_max_s: float = LATE_MAX_S,
    ) -> tuple[str, str]:
        """Return the status letter of the reply, and what comes after it."""
        reply = await self._link.exchange(
            _FRAMING.wrap(request.encode("ascii")),
            framing=_FRAMING,
            timeout_s=timeout_s,
            effect=effect,
            late_max_s=late_max_s,
        )
        text = reply.decode("latin-1")
        if text == "ET":
            raise NotSent(f"{request} was damaged on its way; the balance did nothing")
        if text in ("ES", "EL"):
            raise Rejected(f"the balance does not know {request} ({text}); nothing was done")
        words = text.split(" ", 2)
        if len(words) < 2 or words[0] != (head or request):
            raise self._link.distrust(f"{text!r} is no answer to {request}", effect=effect)
        return words[1], words[2] if len(words) > 2 else ""


_FRAMING = Line(b"\r\n")


def _not_done(what: str, status: str) -> Rejected:
    reasons = {
        "I": "the balance is busy, or did not become stable in time",
        "L": "the balance understands it, but not the parameter",
        "+": "above the range in which that can be done",
        "-": "below the range in which that can be done",
    }
    return Rejected(f"{what}: {reasons[status]}; nothing was done")
