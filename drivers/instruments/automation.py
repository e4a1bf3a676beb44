"""The messages of PANalytical's automation interface: fields that begin with ``@``, the last of them ``@END``.

Their names are those that alab_control (CederGroupHub, diffractometer_aeris/aeris.py) sends and looks for. Messages
that begin with ``@LABPILOT`` are our own, and sealed: the last field is a CRC-32 of all that stands before it, in hex.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from zlib import crc32

from drivers.capabilities import Identity
from drivers.command import Effect
from drivers.errors import DeviceFault, DriverError, Rejected
from drivers.instruments.wire import agreed
from drivers.links.base import Link
from drivers.links.framing import Line

REPLY_S = 5.0
LATE_MAX_S = 1.0
LONGEST = 1 << 22
STATES = ("absent", "measuring", "done", "failed")

_FRAMING = Line(b"@END", longest=LONGEST)
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]")


def sample_id(tag: str) -> str:
    """Return a tag as a name of samples and files: signs that are neither safe there nor here as ``~`` and a code."""
    return _UNSAFE.sub(lambda match: f"~{ord(match[0]):02X}", tag)


@dataclass(frozen=True, slots=True, kw_only=True)
class XrdState:
    """What the diffractometer says of itself."""

    is_ready: bool
    """Whether it would begin something now."""
    is_remote: bool
    """Whether it takes commands from here."""
    is_loaded: bool
    """Whether a sample is in the measuring position."""
    sample: str | None
    """The name of that sample, where the device tells it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """What is at a place of the changer, or in the measuring position."""

    is_occupied: bool
    sample: str | None
    """Its name, where the device tells it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What became of a measurement."""

    state: str
    reason: str = ""
    file: bytes = b""


class Automation:
    """Asks and understands; decides nothing.

    Args:
        link: To the port.
        results_dir: The shared folder with result files; empty where a gateway hands them out.
    """

    def __init__(self, link: Link, *, results_dir: str = "") -> None:
        self._link = link
        self._folder = Path(results_dir) if results_dir else None

    async def identity(self) -> Identity:
        """Read who answers; a device without gateway does not tell its serial number."""
        if self._folder is not None:
            return Identity(maker="Malvern Panalytical", model="Aeris", serial="", firmware="")
        facts = await self._own("IDENTITY", {}, Effect.READ)
        try:
            maker, model, serial, firmware = (facts[key] for key in ("MAKER", "MODEL", "SERIAL", "FIRMWARE"))
        except KeyError as missing:
            raise self._link.distrust(f"the identity lacks {missing}", effect=Effect.READ) from None
        return Identity(maker=maker, model=model, serial=serial, firmware=firmware)

    async def is_remote(self, effect: Effect) -> bool:
        """Read whether the device takes commands from here."""
        return await self._status("SYSTEM", "SYSTEM", ("remote", "local"), effect) == "remote"

    async def is_ready(self, effect: Effect) -> bool:
        """Read whether the device is idle."""
        return await self._status("UNIT=xrd", "READY", ("yes", "no"), effect) == "yes"

    async def place(self, place: int, effect: Effect) -> Place:
        """Read whether a sample is at a place; twice, as nothing else protects its name from noise."""
        return await agreed(lambda: self._place(place, effect), lambda why: self._link.distrust(why, effect=effect))

    async def add(self, name: str, place: int, application: str, effect: Effect) -> None:
        """Make the sample at a place known under a name.

        Raises:
            Rejected: The device refused.
        """
        await self._sample("ADD", f"@APPLICATION={application}@SAMPLE_ID={name}@AT=0,{place}", name, effect)

    async def forget(self, place: int, effect: Effect) -> None:
        """Forget the names of the sample at a place, if it has any."""
        try:
            await self._sample("REMOVE", f"@SAMPLE_ID@AT=0,{place}", "", effect)
        except Rejected:  # it had none
            return

    async def move(self, name: str, place: int, to: int, effect: Effect) -> None:
        """Begin to carry a sample.

        Raises:
            Rejected: The device refused.
            DeviceFault: The changer is broken.
        """
        named = f"@SAMPLE_ID={name}" if name else "@SAMPLE_ID"
        await self._sample("MOVE", f"{named}@AT=0,{place}@TO=0,{to}", name, effect)

    async def measure(self, name: str, application: str, effect: Effect) -> None:
        """Begin to measure a sample.

        Raises:
            Rejected: The device refused.
            DeviceFault: The tube is broken.
        """
        await self._sample("MEASURE", f"@SAMPLE_ID={name}@APPLICATION={application}", name, effect)

    async def result(self, name: str, effect: Effect) -> Result:
        """Read what became of a measurement, with its file once it is done."""
        if self._folder is not None:
            return await self._from_folder(self._folder / f"{name}.xrdml", effect)
        facts = await self._own("RESULT", {"SAMPLE_ID": name}, effect)
        state = self._one_of(facts, "STATE", STATES, "RESULT", effect)
        try:
            file = base64.b64decode(facts.get("FILE", ""), validate=True)
        except binascii.Error:
            raise self._link.distrust(f"the file of {name!r} is no base64", effect=effect) from None
        return Result(state=state, reason=facts.get("REASON", ""), file=file)

    async def stop(self) -> None:
        """End the measurement that runs.

        Raises:
            Rejected: Without a gateway there is no such message.
        """
        if self._folder is not None:
            raise Rejected("the automation interface has no stop; press it at the instrument, or put a gateway there")
        await self._own("STOP", {}, Effect.IDEMPOTENT, urgent=True)

    async def _place(self, place: int, effect: Effect) -> Place:
        request = f"LOCATION=0,{place}"
        facts = await self._status_facts(request, effect)
        state = self._one_of(facts, "STATE", ("free", "occupied"), request, effect)
        return Place(is_occupied=state == "occupied", sample=facts.get("SAMPLE_ID"))

    async def _from_folder(self, path: Path, effect: Effect) -> Result:
        try:
            return Result(state="done", file=await asyncio.to_thread(path.read_bytes))
        except FileNotFoundError:
            return Result(state="absent" if await self.is_ready(effect) else "measuring")
        except OSError as error:
            raise Rejected(f"{path} cannot be read: {error.strerror}") from error

    async def _status(self, request: str, key: str, words: tuple[str, ...], effect: Effect) -> str:
        return self._one_of(await self._status_facts(request, effect), key, words, request, effect)

    async def _status_facts(self, request: str, effect: Effect) -> Mapping[str, str]:
        head, facts = await self._ask(f"@STATUS_REQUEST@{request}", effect)
        key, _, value = request.partition("=")
        if head[:1] != ["STATUS"] or (value and facts.get(key, value) != value):
            raise self._link.distrust(f"{head} {dict(facts)} is no status of {request}", effect=effect)
        return facts

    def _one_of(self, facts: Mapping[str, str], key: str, words: tuple[str, ...], request: str, effect: Effect) -> str:
        if facts.get(key) not in words:
            problem = f"{request} is answered with {key}={facts.get(key)!r}, none of {', '.join(words)}"
            raise self._link.distrust(problem, effect=effect)
        return facts[key]

    async def _sample(self, verb: str, rest: str, name: str, effect: Effect) -> None:
        head, facts = await self._ask(f"@SAMPLE@{verb}{rest}", effect)
        status = facts.get("STATUS")
        is_ours = head[:2] == ["SAMPLE", verb] and facts.get("SAMPLE_ID", name) == name
        if not is_ours or status not in ("normal", "fatal"):
            raise self._link.distrust(f"{head} {dict(facts)} is no answer to {verb} of {name!r}", effect=effect)
        if status == "fatal":
            raise _refusal(verb, facts.get("ERROR", "it does not say why"))

    async def _own(
        self, what: str, facts: Mapping[str, str], effect: Effect, *, urgent: bool = False
    ) -> Mapping[str, str]:
        asked = "".join(f"@{key}={value}" for key, value in facts.items())
        reply = await self._exchange(f"@LABPILOT@{what}{asked}", effect, urgent=urgent)
        body, _, seal = reply.rpartition("@CRC32=")
        head, found = _fields(body)
        is_sealed = seal == f"{crc32(body.encode('latin-1')):08X}"
        is_ours = head == ["LABPILOT", what] and all(found.get(key) == value for key, value in facts.items())
        if not is_sealed or not is_ours:
            raise self._link.distrust(f"{reply[:80]!r} is no answer to {what}", effect=effect)
        return found

    async def _ask(self, message: str, effect: Effect) -> tuple[list[str], Mapping[str, str]]:
        return _fields(await self._exchange(message, effect))

    async def _exchange(self, message: str, effect: Effect, *, urgent: bool = False) -> str:
        reply = await self._link.exchange(
            _FRAMING.wrap(message.encode("ascii")),
            framing=_FRAMING,
            timeout_s=REPLY_S,
            effect=effect,
            late_max_s=LATE_MAX_S,
            urgent=urgent,
        )
        return reply.decode("latin-1").strip()


def _fields(message: str) -> tuple[list[str], dict[str, str]]:
    """Return the words of a message, and its ``KEY=value`` fields."""
    fields = message.split("@")[1:]
    facts = [(key, value) for key, equals, value in (field.partition("=") for field in fields) if equals]
    return [field for field in fields if "=" not in field], dict(facts)


def _refusal(verb: str, error: str) -> DriverError:
    if "failure" in error or "jammed" in error:
        return DeviceFault(f"the diffractometer cannot {verb}: {error}", code=error, needs_operator=True)
    return Rejected(f"the diffractometer refused {verb}: {error}")
