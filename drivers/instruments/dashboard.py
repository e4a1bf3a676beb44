r"""The lines of a UR dashboard, and those of the relay beside it: one question, one answer, each checked.

The dashboard's are as "Dashboard Server e-Series, port 29999" has them. Those that begin with ``labpilot`` are our own
and sealed: ``*`` and the exclusive or of the bytes before it, in hex.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from drivers.command import Effect
from drivers.errors import DriverError, NotSent, Rejected
from drivers.instruments.wire import agreed, finite
from drivers.links.base import Link
from drivers.links.framing import Line, SealedLine

REPLY_S = 2.0
LOAD_S = 20.0
"""A controller answers `load` when program and installation are loaded."""
LATE_MAX_S = 1.0

MODES = (
    "NO_CONTROLLER",
    "DISCONNECTED",
    "CONFIRM_SAFETY",
    "BOOTING",
    "POWER_OFF",
    "POWER_ON",
    "IDLE",
    "BACKDRIVE",
    "RUNNING",
)
SAFETY = (
    "NORMAL",
    "REDUCED",
    "PROTECTIVE_STOP",
    "RECOVERY",
    "SAFEGUARD_STOP",
    "SYSTEM_EMERGENCY_STOP",
    "ROBOT_EMERGENCY_STOP",
    "VIOLATION",
    "FAULT",
    "AUTOMATIC_MODE_SAFEGUARD_STOP",
    "SYSTEM_THREE_POSITION_ENABLING_STOP",
)
GRIPPER = ("open", "holding", "closed_empty", "moving")
RESULTS = ("unknown", "running", "paused", "done", "stopped")

_REFUSALS = (
    "Command is not allowed due to safety reasons",
    "Cannot unlock protective stop until 5s after occurrence",
    "Failed to execute: ",
    "File not found: ",
    "Error while loading program: ",
    "Not in remote control",
)
_STATUS = re.compile(r"status seq=(\d{1,9}) at=(\S+) gripper=(\S+) speed=(\S+)")
_RESULT = re.compile(r"result (\S+) (\S+) (\S+)")
_PROGRAM = re.compile(r"(STOPPED|PLAYING|PAUSED)(?: (.*))?")
_VERSION = re.compile(r"URSoftware \d+\.\d+\.\d+[\w. ()]*")

_LINE = Line()
_SEALED = SealedLine(b"\n")


@dataclass(frozen=True, slots=True, kw_only=True)
class RelayStatus:
    """What the programs last reported."""

    seq: int
    """How many programs have ended."""
    at: str
    """The taught position; empty between two."""
    gripper: str
    speed: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What became of the transfer of a tag."""

    program: str
    word: str
    """``unknown``, ``running``, ``paused``, ``done``, ``stopped``, ``refused:WHY`` or ``failed:WHY``."""

    @property
    def why(self) -> str:
        """The reason of a refusal or failure."""
        return self.word.partition(":")[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmState:
    """What the controller says of itself."""

    mode: str
    """``POWER_OFF``, ``BOOTING``, ``IDLE`` (brakes on), ``RUNNING`` (ready) or another of the dashboard's."""
    safety: str
    """``NORMAL``, ``PROTECTIVE_STOP`` or another of the dashboard's."""
    program: str
    """The loaded program; empty if none is."""
    program_state: str
    """``STOPPED``, ``PLAYING`` or ``PAUSED``."""
    is_remote: bool
    """Whether the pendant lets others command."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmPosition:
    """Where the arm is."""

    position: str
    """The taught position; empty between two."""
    is_moving: bool
    programs: int
    """How many programs have ended."""


class Dashboard:
    """Asks and understands; decides nothing."""

    def __init__(self, link: Link) -> None:
        self._link = link

    async def identity(self) -> tuple[str, str, str]:
        """Read model, serial number and software version."""
        model = await self._matching("get robot model", re.compile(r"UR\d{1,2}[a-z]?"))
        serial = await self._matching("get serial number", re.compile(r"\d{8,14}"))
        return model, serial, await self._matching("PolyscopeVersion", _VERSION)

    async def mode(self, effect: Effect) -> str:
        """Read the robot's mode."""
        return await self._word("robotmode", "Robotmode: ", MODES, effect)

    async def safety(self, effect: Effect) -> str:
        """Read the safety status."""
        return await self._word("safetystatus", "Safetystatus: ", SAFETY, effect)

    async def is_running(self, effect: Effect) -> bool:
        """Read whether a program runs."""
        return await self._word("running", "Program running: ", ("true", "false"), effect) == "true"

    async def is_remote(self, effect: Effect) -> bool:
        """Read whether others than the pendant may command."""
        return await self._word("is in remote control", "", ("true", "false"), effect) == "true"

    async def program(self, effect: Effect) -> tuple[str, str]:
        """Read the state and the name of the loaded program; no name where none is loaded."""
        reply = await self._twice("programState", effect)
        match = _PROGRAM.fullmatch(reply)
        if match is None:
            raise self._link.distrust(f"{reply!r} is no program state", effect=effect)
        path = match[2] or ""
        return match[1], "" if path.startswith("<") else path.rpartition("/")[2]

    async def act(self, text: str, wanted: str, effect: Effect) -> None:
        """Give a command that has one good answer.

        Raises:
            Rejected: The controller refused.
        """
        reply = await self._ask(text, effect)
        if reply != wanted:
            raise self._refusal(text, reply, effect)

    async def load(self, program: str, effect: Effect) -> None:
        """Load a program.

        Raises:
            Rejected: The controller has none of that name, or refused.
        """
        reply = await self._ask(f"load {program}", effect, timeout_s=LOAD_S)
        head, _, path = reply.partition(": ")
        if head != "Loading program" or path.rpartition("/")[2] != program:
            raise self._refusal(f"load {program}", reply, effect)

    async def stop(self) -> None:
        """Stop the program, and make sure that none runs.

        Raises:
            Rejected: The controller refused, and the program goes on.
        """
        effect = Effect.IDEMPOTENT
        reply = await self._ask("stop", effect, urgent=True)
        if reply not in ("Stopped", "Failed to execute: stop"):  # the second where nothing runs
            raise self._refusal("stop", reply, effect)
        if await self.is_running(effect):
            raise Rejected(f"the controller answers {reply!r} to stop, and the program goes on")

    async def status(self, effect: Effect) -> RelayStatus:
        """Read what the programs last reported."""
        reply = await self._relay("status", effect)
        match = _STATUS.fullmatch(reply)
        try:
            if match is None or match[3] not in GRIPPER:
                raise ValueError(reply)
            at = "" if match[2] == "-" else match[2]
            return RelayStatus(seq=int(match[1]), at=at, gripper=match[3], speed=finite(match[4]))
        except ValueError:
            raise self._link.distrust(f"{reply!r} is no status", effect=effect) from None

    async def result(self, tag: str, effect: Effect) -> Result:
        """Read what became of the transfer of a tag."""
        reply = await self._relay(f"result {tag}", effect)
        match = _RESULT.fullmatch(reply)
        if (
            match is None
            or match[1] != tag
            or not (match[3] in RESULTS or match[3].startswith(("refused:", "failed:")))
        ):
            raise self._link.distrust(f"{reply!r} is no result of {tag!r}", effect=effect)
        return Result(program=match[2], word=match[3])

    async def order(self, tag: str, program: str, effect: Effect) -> None:
        """Give the loaded program its tag.

        Raises:
            Rejected: The relay refused.
        """
        asked = f"order {tag} {program} "
        reply = await self._relay(asked.strip(), effect)
        if reply.startswith(f"{asked}refused:"):
            raise Rejected(f"the relay refused the order: {reply.rpartition(':')[2]}; nothing was moved")
        if reply != f"{asked}accepted":
            raise self._link.distrust(f"{reply!r} is no answer to an order", effect=effect)

    async def set_speed(self, fraction: float, effect: Effect) -> None:
        """Set the slider, and check the echo."""
        wanted = f"speed {fraction:.6g}"
        reply = await self._relay(wanted, effect)
        if reply == "error range":
            raise Rejected(f"the relay refused {wanted}")
        if reply != wanted:
            raise self._link.distrust(f"{reply!r} is no answer to {wanted}", effect=effect)

    async def _matching(self, text: str, pattern: re.Pattern[str]) -> str:
        reply = await self._twice(text, Effect.READ)
        if not pattern.fullmatch(reply):
            raise self._link.distrust(f"{reply!r} is no answer to {text!r}", effect=Effect.READ)
        return reply

    async def _word(self, text: str, head: str, words: tuple[str, ...], effect: Effect) -> str:
        reply = await self._ask(text, effect)
        word = reply.removeprefix(head)
        if not reply.startswith(head) or word not in words:
            raise self._link.distrust(f"{reply!r} is no answer to {text!r}", effect=effect)
        return word

    async def _twice(self, text: str, effect: Effect) -> str:
        """Ask for free text, which nothing else protects from noise."""
        return await agreed(lambda: self._ask(text, effect), lambda why: self._link.distrust(why, effect=effect))

    def _refusal(self, text: str, reply: str, effect: Effect) -> DriverError:
        if reply.startswith(_REFUSALS):
            return Rejected(f"the controller refused {text!r}: {reply}")
        return self._link.distrust(f"{reply!r} is no answer to {text!r}", effect=effect)

    async def _relay(self, body: str, effect: Effect) -> str:
        reply = await self._exchange(_SEALED.wrap(f"labpilot {body}".encode("ascii")), _SEALED, effect, REPLY_S)
        head, _, rest = reply.partition(" ")
        if head != "labpilot":
            raise self._link.distrust(f"{reply!r} is no answer of the relay", effect=effect)
        if rest == "error checksum":
            raise NotSent(f"{body!r} was damaged on its way; the relay did nothing")
        return rest

    async def _ask(self, text: str, effect: Effect, *, timeout_s: float = REPLY_S, urgent: bool = False) -> str:
        return await self._exchange(_LINE.wrap(text.encode("ascii")), _LINE, effect, timeout_s, urgent)

    async def _exchange(
        self, request: bytes, framing: Line | SealedLine, effect: Effect, timeout_s: float, urgent: bool = False
    ) -> str:
        reply = await self._link.exchange(
            request, framing=framing, timeout_s=timeout_s, effect=effect, late_max_s=LATE_MAX_S, urgent=urgent
        )
        return reply.decode("latin-1").rstrip("\r")
