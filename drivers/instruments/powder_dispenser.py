r"""A gravimetric screw feeder on a RepRap controller: numbered lines with a checksum, one dose for each tag.

    N4 M750 P"silica" S250.000 D1.000 T"trial-7"*85\n  ->  ok N4 P15 B3\n
    N5 M751 T"trial-7"*41\n   ->  DOSE:feeding T"trial-7" P"silica" S250.000 D1.000 A123.45 R9.150000*42\nok N5 P15 B3\n

The feeder notes every dose under its tag in EEPROM before the screw turns, so that a lost reply, a restart of the
controller or of the feeder never costs a second dose. Line numbers make it refuse a line that comes late or twice.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated

from drivers.capabilities import Dispensed, Identity
from drivers.clock import Clock
from drivers.command import Effect, Quantity, command
from drivers.errors import DeviceFault, NotSent, Rejected
from drivers.instruments.reprap import Answer, Answered, read_answer, sealed
from drivers.instruments.waiting import wait_until_done
from drivers.instruments.wire import checked_tag
from drivers.links.base import Link, untrusted
from drivers.manifest import Manifest

REPLY_S = 1.0
LATE_MAX_S = 0.5
DOSE_S = 3600.0
"""The largest dose of the slowest powder takes 40 minutes."""
SENDINGS = 3
"""How often a line is sent that the feeder did not carry out, before that is an error."""

Amount = Annotated[float, Quantity("mg", 1.0, 5000.0)]
Tolerance = Annotated[float, Quantity("mg", 0.1, 100.0)]

_EXAMPLE = {"material": "silica", "amount_mg": 50.0, "tolerance_mg": 1.0}
_MATERIAL = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._()+-]{0,39}")
_NUMBER = r"(-?\d+\.\d+)"
_DOSE = re.compile(rf'DOSE:(\w+) T"([^"]*)" P"([^"]*)" S{_NUMBER} D{_NUMBER} A{_NUMBER} R{_NUMBER}')
_ABSENT = re.compile(r'DOSE:absent T"([^"]*)"')
_HOPPER = re.compile(rf'HOPPER:P"([^"]*)" A{_NUMBER} TOTAL:{_NUMBER} COUNT:(\d+)')
_FIRMWARE = re.compile(r"FIRMWARE_NAME:(\S+) (\S+) .*?MACHINE_TYPE:(\S+) .*?UUID:(\S+)")

_REMEDIES = {
    "stopped": "was stopped; give the rest under another tag",
    "interrupted": "was cut off by a restart of the feeder; look at it, and give the rest under another tag",
    "clogged": "clogged the screw; clean it",
    "empty": "emptied the cartridge; change it",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Dose:
    state: str
    """``feeding``, ``done``, or a key of `_REMEDIES`."""
    material: str
    target_mg: float
    delivered_mg: float
    remaining_s: float


class PowderDispenserDriver:
    """Driver of the PD-10. Satisfies `Dispenser`."""

    manifest = Manifest(
        maker="labpilot",
        model="PD-10",
        wires=("serial",),
        manual="RepRap wiki, G-code, section Checking; Marlin firmware, queue.cpp: numbering, checksum, Resend, ok",
        if_host_dies="Finishes the dose that it has begun; starts nothing else.",
        unverified="M750 to M752 and the lines DOSE and HOPPER are of our own firmware; no product speaks them",
        simulator="powder-dispenser",
    )

    def __init__(self, link: Link, clock: Clock, *, name: str = "doser") -> None:
        self.name = name
        self._link = link
        self._clock = clock
        self._number = 1

    async def connect(self) -> Identity:
        """Open the link and identify the device."""
        await self._link.open()
        return await self.identify()

    async def close(self) -> None:
        """Close the link; safe to call twice."""
        await self._link.close()

    @command(Effect.READ)
    async def identify(self) -> Identity:
        """Read maker, model, serial number and firmware."""
        match = _FIRMWARE.fullmatch(await self._line("M115", Effect.READ))
        if match is None:
            raise self._link.distrust("the answer to M115 is no identity", effect=Effect.READ)
        return Identity(maker=match[1], model=match[3], serial=match[4], firmware=match[2])

    @command(
        Effect.VERIFIABLE,
        verify="has_dispensed",
        recall="dispensed",
        timeout_s=2 * DOSE_S,
        late_max_s=LATE_MAX_S,
        example=_EXAMPLE,
    )
    async def dispense(self, *, material: str, amount_mg: Amount, tolerance_mg: Tolerance, tag: str) -> Dispensed:
        """Give out a powder and wait until it lies there; a dose of this tag is never given twice.

        Raises:
            Rejected: The feeder refused (busy, other cartridge), or the tag was used for another order; no dose.
            DeviceFault: Less came out: stopped, clogged, empty, interrupted. Or the amount misses the tolerance.
        """
        _check(material, tag)
        dose = await self._dose(tag, Effect.READ)
        if dose is None:
            await self._send(f'M750 P"{material}" S{amount_mg:.3f} D{tolerance_mg:.3f} T"{tag}"', Effect.VERIFIABLE)
        elif dose.material != material or abs(dose.target_mg - amount_mg) > 5e-4:
            raise Rejected(f"tag {tag!r} was used for {dose.target_mg:g} mg of {dose.material}; nothing was dispensed")
        dose = await self._over(tag, dose, Effect.VERIFIABLE)
        return _result(dose, tag, tolerance_mg)

    @command(Effect.READ, timeout_s=DOSE_S, example=_EXAMPLE)
    async def has_dispensed(self, *, material: str, amount_mg: Amount, tolerance_mg: Tolerance, tag: str) -> bool:
        """Say whether the dose of this tag is complete, once it is over where it is in progress.

        A dose that ended early is not complete: `dispense` with its tag then tells why, and gives nothing.
        """
        _check(material, tag)
        dose = await self._dose(tag, Effect.READ)
        if dose is not None and dose.state == "feeding":
            dose = await self._over(tag, dose, Effect.READ)
        return dose is not None and dose.state == "done"

    @command(Effect.READ)
    async def dispensed(self, *, tag: str) -> Dispensed | None:
        """Read how much came out under a tag so far, None where none was begun. The feeder knows its last 64 doses."""
        dose = await self._dose(checked_tag(tag), Effect.READ)
        if dose is None:
            return None
        return Dispensed(material=dose.material, amount=dose.delivered_mg, requested=dose.target_mg, tag=tag)

    @command(Effect.READ)
    async def read_material(self) -> str:
        """Read what the cartridge says that it holds."""
        return (await self._hopper())[1]

    @command(Effect.READ)
    async def read_left(self) -> Annotated[float, Quantity("mg", 0.0, 1e6, tolerance=2.0)]:
        """Read how much powder the feeder believes to have left, in milligrams."""
        return float((await self._hopper())[2])

    @command(Effect.READ)
    async def read_total(self) -> Annotated[float, Quantity("mg", 0.0, 1e12, tolerance=2.0)]:
        """Read how much the feeder has given out in its life, in milligrams; doses in progress do not count yet."""
        return float((await self._hopper())[3])

    @command(Effect.IDEMPOTENT, late_max_s=LATE_MAX_S)
    async def stop(self) -> None:
        """Stop the screw; what has come out is told by `dispensed`."""
        answered = await self._exchange(b"M410\n", Effect.IDEMPOTENT, urgent=True)
        if answered.number is not None or answered.errors or answered.resend is not None:
            raise self._link.distrust(f"{answered} is no answer to M410", effect=Effect.IDEMPOTENT)

    async def _over(self, tag: str, dose: _Dose | None, effect: Effect) -> _Dose:
        async def poll() -> float:
            nonlocal dose
            dose = await self._dose(tag, effect)
            return dose.remaining_s if dose is not None and dose.state == "feeding" else 0.0

        remaining_s = await poll() if dose is None else dose.remaining_s if dose.state == "feeding" else 0.0
        if not await wait_until_done(self._clock, remaining_s, poll, at_most_s=DOSE_S):
            raise untrusted(f"the feeder still feeds after {DOSE_S:g} s", effect=effect)
        if dose is None:
            raise self._link.distrust(f"the feeder does not know the dose {tag!r} that it began", effect=effect)
        return dose

    async def _dose(self, tag: str, effect: Effect) -> _Dose | None:
        line = await self._line(f'M751 T"{tag}"', effect)
        absent, match = _ABSENT.fullmatch(line), _DOSE.fullmatch(line)
        if absent is not None and absent[1] == tag:
            return None
        if match is None or match[2] != tag or match[1] not in ("feeding", "done", *_REMEDIES):
            raise self._link.distrust(f"{line!r} is no state of dose {tag!r}", effect=effect)
        target, _, delivered, remaining = (float(word) for word in match.group(4, 5, 6, 7))
        return _Dose(state=match[1], material=match[3], target_mg=target, delivered_mg=delivered, remaining_s=remaining)

    async def _hopper(self) -> re.Match[str]:
        line = await self._line("M752", Effect.READ)
        match = _HOPPER.fullmatch(line)
        if match is None:
            raise self._link.distrust(f"{line!r} is no level of a hopper", effect=Effect.READ)
        return match

    async def _line(self, text: str, effect: Effect) -> str:
        data = await self._send(text, effect)
        if len(data) != 1:
            raise self._link.distrust(f"{len(data)} lines answer {text}, not one", effect=effect)
        return data[0].decode("latin-1")

    async def _send(self, text: str, effect: Effect) -> tuple[bytes, ...]:
        """Send a numbered line, again as long as the feeder says that it did not carry it out."""
        for _ in range(SENDINGS):
            number = self._number
            # if the answer is lost, the feeder has this line or it asks for it: either way it cannot come twice
            self._number = number + 1
            answered = await self._exchange(sealed(b"N%d %b" % (number, text.encode("ascii"))) + b"\n", effect)
            if answered.resend is not None:
                self._number = answered.resend
                continue
            if answered.number != number:
                raise self._link.distrust(f"line {answered.number} is answered, not {number}", effect=effect)
            if answered.errors:
                raise Rejected(f"the feeder refused {text}: {'; '.join(answered.errors)}")
            return answered.data
        raise NotSent(f"the feeder refused {text} {SENDINGS} times as damaged or out of order; it did nothing")

    async def _exchange(self, line: bytes, effect: Effect, *, urgent: bool = False) -> Answered:
        reply = await self._link.exchange(
            line, framing=Answer(), timeout_s=REPLY_S, effect=effect, late_max_s=LATE_MAX_S, urgent=urgent
        )
        try:
            return read_answer(reply)
        except ValueError as error:
            raise self._link.distrust(str(error), effect=effect) from None


def _check(material: str, tag: str) -> None:
    checked_tag(tag)
    if not _MATERIAL.fullmatch(material):
        raise Rejected(f"{material!r} is no name of a material: letters, digits, blanks and ._()+-; nothing was sent")


def _result(dose: _Dose, tag: str, tolerance_mg: float) -> Dispensed:
    came = f"{dose.delivered_mg:g} of {dose.target_mg:g} mg came out"
    if dose.state != "done":
        problem = f"dose {tag!r} {_REMEDIES[dose.state]}; {came}"
        raise DeviceFault(problem, code=dose.state, needs_operator=dose.state != "stopped")
    if abs(dose.delivered_mg - dose.target_mg) > tolerance_mg:
        raise DeviceFault(f"dose {tag!r} misses its tolerance of {tolerance_mg:g} mg: {came}", code="tolerance")
    return Dispensed(material=dose.material, amount=dose.delivered_mg, requested=dose.target_mg, tag=tag)
