r"""The laser annealer: comma-separated lines with a checksum, one shot per FIRE.

What was fired is read back by the shot's tag, so that a lost reply never costs a second shot.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from drivers.capabilities import Identity, Shot
from drivers.clock import Clock
from drivers.command import Effect, Quantity, command
from drivers.errors import DeviceFault, DriverError, NotSent, Rejected
from drivers.instruments.waiting import seen_as_done, wait_until_done
from drivers.instruments.wire import checked_tag, finite
from drivers.links.base import Link, untrusted
from drivers.links.framing import SealedLine
from drivers.manifest import Manifest

REPLY_S = 1.0
LATE_MAX_S = 0.5
ANNEAL_S = 30.0

PeakTemperature = Annotated[float, Quantity("Cel", 200.0, 1400.0)]
Dwell = Annotated[float, Quantity("us", 100.0, 20_000.0)]


_EXAMPLE = {"peak_temperature_c": 300.0, "dwell_us": 1000.0}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Status:
    remaining_s: float
    tag: str
    """Of the shot in progress."""
    last_tag: str
    """Of the last shot fired."""


class LaserAnnealerDriver:
    """Driver of the LSA-120. Satisfies `LaserAnnealer`."""

    manifest = Manifest(
        maker="labpilot",
        model="LSA-120",
        wires=("serial",),
        manual="the docstring of simulators/instruments/laser.py: an instrument of our own",
        if_host_dies="A shot that was fired is finished; nothing else is started.",
        simulator="film-station/laser",
    )

    def __init__(self, link: Link, clock: Clock, *, name: str = "laser") -> None:
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
        """Read maker, model, serial number and firmware."""
        words = await self._ask("ID?", Effect.READ, n_words=4)
        return Identity(maker=words[0], model=words[1], serial=words[2], firmware=words[3])

    @command(Effect.VERIFIABLE, verify="has_fired", timeout_s=2 * ANNEAL_S, late_max_s=LATE_MAX_S, example=_EXAMPLE)
    async def anneal(self, *, peak_temperature_c: PeakTemperature, dwell_us: Dwell, tag: str) -> None:
        """Fire one shot and wait until the laser is ready again; a shot of this tag is never fired twice.

        Raises:
            Rejected: The laser refused (busy, shutter closed, out of range); no shot.
            DeviceFault: The shot was stopped before it fired.
        """
        checked_tag(tag)
        status = await self._status(Effect.READ)
        remaining_s = status.remaining_s
        if tag not in (status.tag, status.last_tag):
            if remaining_s:
                raise Rejected(f"shot {status.tag!r} is in progress for another {remaining_s:.1f} s; no shot was fired")
            await self._set(peak_temperature_c, dwell_us)
            remaining_s = await self._fire(tag)
        if (await self._wait(remaining_s, Effect.VERIFIABLE)).last_tag != tag:
            raise DeviceFault(f"shot {tag!r} was stopped before it fired", code="stopped")

    @command(Effect.READ, timeout_s=ANNEAL_S, example=_EXAMPLE)
    async def has_fired(self, *, peak_temperature_c: PeakTemperature, dwell_us: Dwell, tag: str) -> bool:
        """Say whether the last shot has this tag, once a shot of this tag that is in progress is over."""
        checked_tag(tag)
        status = await self._status(Effect.READ)
        if status.tag == tag:
            status = await self._wait(status.remaining_s, Effect.READ)
        elif status.last_tag == tag:
            await seen_as_done(self._clock)
        return status.last_tag == tag

    @command(Effect.READ)
    async def last_shot(self) -> Shot | None:
        """Read what the last shot was, None before the first."""
        words = await self._ask("SHOT?", Effect.READ)
        if words == ["0"]:
            return None
        try:
            _, tag, peak, dwell, energy = words
            return Shot(
                tag=tag, peak_temperature_c=finite(peak), dwell_us=finite(dwell), energy_fraction=finite(energy)
            )
        except ValueError:
            raise self._link.distrust(f"{words} is no shot", effect=Effect.READ) from None

    @command(Effect.IDEMPOTENT, late_max_s=LATE_MAX_S)
    async def stop(self) -> None:
        """Dump the charge: a shot that has not fired yet never will."""
        await self._ask("STOP", Effect.IDEMPOTENT, n_words=0, urgent=True)

    @command(Effect.IDEMPOTENT, late_max_s=LATE_MAX_S)
    async def open_shutter(self) -> None:
        """Let shots be fired."""
        await self._ask("SHUTTER,OPEN", Effect.IDEMPOTENT, n_words=1)

    @command(Effect.IDEMPOTENT, late_max_s=LATE_MAX_S)
    async def close_shutter(self) -> None:
        """Have the laser refuse shots until the shutter is opened."""
        await self._ask("SHUTTER,CLOSED", Effect.IDEMPOTENT, n_words=1)

    async def _set(self, peak_temperature_c: float, dwell_us: float) -> None:
        wanted = [float(peak_temperature_c), float(dwell_us)]
        words = await self._ask(f"SET,{wanted[0]!r},{wanted[1]!r}", Effect.IDEMPOTENT, n_words=2)
        if _numbers(words) != wanted:
            raise self._link.distrust(f"the laser was set to {words} and not to {wanted}", effect=Effect.IDEMPOTENT)

    async def _fire(self, tag: str) -> float:
        words = await self._ask(f"FIRE,{tag}", Effect.VERIFIABLE, n_words=2)
        numbers = _numbers(words[1:])
        if words[0] != tag or not numbers:
            raise self._link.distrust(f"{words} is no answer to FIRE,{tag}", effect=Effect.VERIFIABLE)
        return numbers[0]

    async def _wait(self, remaining_s: float, effect: Effect) -> _Status:
        status: _Status | None = None

        async def poll() -> float:
            nonlocal status
            status = await self._status(effect)
            return status.remaining_s

        if not await wait_until_done(self._clock, remaining_s, poll, at_most_s=ANNEAL_S):
            raise untrusted(f"the laser is still busy after {ANNEAL_S:g} s", effect=effect)
        return status or await self._status(effect)

    async def _status(self, effect: Effect) -> _Status:
        words = await self._ask("STAT?", effect, n_words=5)
        remaining = _numbers(words[1:2])
        if not remaining or remaining[0] < 0.0:
            raise self._link.distrust(f"{words} is no status", effect=effect)
        return _Status(remaining_s=remaining[0], tag=words[2], last_tag=words[4])

    async def _ask(self, body: str, effect: Effect, *, n_words: int | None = None, urgent: bool = False) -> list[str]:
        reply = await self._link.exchange(
            _FRAMING.wrap(body.encode("ascii")),
            framing=_FRAMING,
            timeout_s=REPLY_S,
            effect=effect,
            late_max_s=LATE_MAX_S,
            urgent=urgent,
        )
        head, *words = reply.decode("latin-1").split(",")
        if head == "ERR":
            raise _refusal(body, words)
        if head != body.partition(",")[0].rstrip("?") or (n_words is not None and len(words) != n_words):
            raise self._link.distrust(f"{reply!r} is no answer to {body}", effect=effect)
        return words


_FRAMING = SealedLine()


def _numbers(words: list[str]) -> list[float]:
    try:
        return [finite(word) for word in words]
    except ValueError:
        return []


def _refusal(body: str, words: list[str]) -> DriverError:
    code, text = (*words, "", "")[:2]
    if code == "CHECKSUM":
        return NotSent(f"{body} was damaged on its way; the laser did nothing")
    if code in ("BUSY", "RANGE", "SHUTTER", "SYNTAX", "UNSET"):
        return Rejected(f"the laser refused {body}: {text} ({code})")
    return DeviceFault(f"the laser answers {body} with {text!r} ({code})", code=code, needs_operator=True)
