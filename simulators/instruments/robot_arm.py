r"""A simulated robot arm: the dashboard of a UR controller, and a relay to the programs that run on it.

    robotmode\n                                    ->  Robotmode: RUNNING\n
    load transfer_A1_furnace.urp\n                 ->  Loading program: transfer_A1_furnace.urp\n
    play\n                                         ->  Starting program\n

as "Dashboard Server e-Series, port 29999" (Universal Robots) has it. Programs are told their tag, and tell their
result, through lines of our own, sealed with the exclusive or of their bytes:

    labpilot status*35\n                           ->  labpilot status seq=3 at=home gripper=open speed=1*52\n
    labpilot order t1 transfer_A1_furnace.urp*40\n ->  labpilot order t1 transfer_A1_furnace.urp accepted*61\n
    labpilot result t1*4D\n                        ->  labpilot result t1 transfer_A1_furnace.urp done*07\n
    labpilot speed 0.25*7F\n                       ->  labpilot speed 0.25*7F\n

A program is a file on the controller: ``move_POSITION.urp`` or ``transfer_SOURCE_DESTINATION.urp``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from drivers.links.framing import BadFrame, Line, SealedLine
from simulators.instruments.arm_cell import Arm
from simulators.instruments.arm_motion import PLACES
from simulators.instruments.arm_programs import program_of
from simulators.instruments.base import FramedInstrument, Now
from simulators.solo import Solo
from simulators.world import Instrument, WorldFile

GREETING = b"Connected: Universal Robots Dashboard Server\n"
SERIAL = "20990500001"
MODEL = "UR5"
VERSION = "URSoftware 5.11.1.108318 (Sep 22 2021)"
POWER_ON_S = 6.0
RELEASE_S = 3.0
UNLOCK_AFTER_S = 5.0
LOCAL = (
    "Command is not allowed due to safety reasons, "
    "please switch robot to Remote Control mode and reconnect to port 29999"
)
TOO_EARLY = (
    "Cannot unlock protective stop until 5s after occurrence. Always inspect cause of protective stop before unlocking"
)
REMOTE_ONLY = ("load", "play", "stop", "pause", "power", "brake", "unlock")

_SEALED = SealedLine(b"\n")


class DashboardServer(FramedInstrument):
    """The controller's port."""

    wire = "tcp"
    has_front_panel = True
    serial = SERIAL

    def __init__(
        self,
        *,
        state: WorldFile,
        clock: Now,
        seed: int,
        options: Mapping[str, Any],
        settle: Callable[[], None] | None = None,
    ) -> None:
        super().__init__(Line(), state=state, clock=clock, settle=settle)
        self._is_remote = options["is_remote"]
        self.arm = self.new_arm(state=state, clock=clock, seed=seed, options=options)

    def new_arm(self, *, state: WorldFile, clock: Now, seed: int, options: Mapping[str, Any]) -> Arm:
        """Return the arm that this controller moves."""
        return Arm(state=state, clock=clock, seed=seed, options=options, did=self._did)

    def safety(self) -> str:
        """Return the safety status: ``NORMAL``, or why the arm may not move."""
        return "NORMAL" if self.arm.row["protective_s"] is None else "PROTECTIVE_STOP"

    def greet(self) -> None:
        """Say hello to whoever connects."""
        if self.send is not None:
            self.send(GREETING)

    def chatter(self) -> bytes:
        """Return the greeting, the only line that a dashboard says unasked."""
        return GREETING

    def front_panel(self) -> None:
        """Let somebody draw the speed slider of the pendant down."""
        self.arm.row["speed"] = 0.3
        self.arm.keep()

    def restart(self) -> None:
        """Lose power: the arm stands where it is, powered off; program, order, slider and stop are forgotten."""
        super().restart()
        self.arm.advance()
        self.arm.break_off()
        self.arm.row.update(power_s=None, brakes_s=None, protective_s=None, loaded="", order=None, speed=1.0)
        self.arm.keep()

    def answer(self, request: bytes) -> bytes | None:
        """Carry out one line."""
        self.arm.advance()
        text = request.decode("latin-1").strip()
        reply = (
            self._relayed(text)
            if text.startswith("labpilot")
            else self._framing.wrap(self._told(text).encode("latin-1"))
        )
        self.arm.keep()
        return reply

    def _told(self, text: str) -> str:
        verb, _, rest = text.partition(" ")
        if verb.lower() in REMOTE_ONLY and not self._is_remote:
            return LOCAL
        if verb.lower() == "load":  # names of files are case-sensitive, commands are not
            return self._load(rest)
        return self._read(text.lower()) or self._act(text.lower()) or f"could not understand: '{text[:60]}'"

    def _read(self, text: str) -> str:
        row = self.arm.row
        match text:
            case "robotmode":
                return f"Robotmode: {self._mode()}"
            case "safetystatus":
                return f"Safetystatus: {self.safety()}"
            case "running":
                return f"Program running: {'true' if self.arm.is_running else 'false'}"
            case "programstate":
                return f"{self._program_state()} {row['loaded'] or '<unnamed>'}"
            case "get loaded program":
                return f"Loaded program: {row['loaded']}" if row["loaded"] else "No program loaded"
            case "is in remote control":
                return "true" if self._is_remote else "false"
        return {"get serial number": self.serial, "get robot model": MODEL, "polyscopeversion": VERSION}.get(text, "")

    def _act(self, text: str) -> str:
        match text:
            case "power on":
                return self._power_on()
            case "power off":
                return self._power_off()
            case "brake release":
                return self._release_brakes()
            case "play":
                return self._play()
            case "pause":
                return self._pause()
            case "stop":
                return self._stop()
            case "unlock protective stop":
                return self._unlock()
        return ""

    def _power_on(self) -> str:
        if self.arm.row["power_s"] is None:
            self.arm.row["power_s"] = self._clock.now_s()
            self._did("power on")
        return "Powering on"

    def _power_off(self) -> str:
        self.arm.break_off()
        if self.arm.row["power_s"] is not None:
            self.arm.row.update(power_s=None, brakes_s=None)
            self._did("power off")
        return "Powering off"

    def _release_brakes(self) -> str:
        if self._mode() == "IDLE" and self.arm.row["brakes_s"] is None:
            self.arm.row["brakes_s"] = self._clock.now_s()
            self._did("brake release")
        return "Brake releasing"

    def _load(self, name: str) -> str:
        if program_of(name, self.arm.taught) is None:
            return f"File not found: {name}"
        if self.arm.is_running:
            return f"Error while loading program: {name}"
        self.arm.load(name)
        return f"Loading program: {name}"

    def _play(self) -> str:
        row = self.arm.row
        is_ready = self._mode() == "RUNNING" and self.safety() == "NORMAL" and not self.arm.is_running
        if not is_ready or not row["loaded"]:
            return "Failed to execute: play"
        self.arm.play()
        return "Starting program"

    def _pause(self) -> str:
        if not self.arm.is_running:
            return "Failed to execute: pause"
        self.arm.pause()
        self._did("pause")
        return "Pausing program"

    def _stop(self) -> str:
        if not self.arm.break_off():
            return "Failed to execute: stop"
        self._did("stop")
        return "Stopped"

    def _unlock(self) -> str:
        since_s = self.arm.row["protective_s"]
        if since_s is not None:
            if self._remaining_s(since_s + UNLOCK_AFTER_S):
                return TOO_EARLY
            self.arm.row["protective_s"] = None
            self._did("unlock protective stop")
        return "Protective stop releasing"

    def _mode(self) -> str:
        power_s, brakes_s = self.arm.row["power_s"], self.arm.row["brakes_s"]
        if power_s is None:
            return "POWER_OFF"
        if self._remaining_s(power_s + POWER_ON_S):
            return "BOOTING"
        return "IDLE" if brakes_s is None or self._remaining_s(brakes_s + RELEASE_S) else "RUNNING"

    def _program_state(self) -> str:
        if self.arm.run is None:
            return "STOPPED"
        return "PAUSED" if self.arm.run.is_paused else "PLAYING"

    def _relayed(self, text: str) -> bytes:
        try:
            taken = _SEALED.take(text.encode("latin-1") + b"\n")
        except BadFrame:
            taken = None
        words = [] if taken is None else taken[0].decode("latin-1").split(" ")[1:]
        reply = "error checksum" if taken is None else self._relay(words)
        return _SEALED.wrap(f"labpilot {reply}".encode("latin-1"))

    def _relay(self, words: list[str]) -> str:
        match words:
            case ["status"]:
                row = self.arm.row
                at = "-" if self.arm.is_running else row["at"] or "-"
                return f"status seq={row['seq']} at={at} gripper={self.arm.grip} speed={row['speed']:.6g}"
            case ["result", tag]:
                program, result = self.arm.result(tag)
                return f"result {tag} {program} {result}"
            case ["order", tag, program]:
                problem = self.arm.order(tag) if program == self.arm.row["loaded"] else "not_loaded"
                return f"order {tag} {program} {f'refused:{problem}' if problem else 'accepted'}"
            case ["speed", fraction]:
                return self._set_speed(fraction)
        return "error syntax"

    def _set_speed(self, fraction: str) -> str:
        try:
            value = float(fraction)
        except ValueError:
            return "error syntax"
        if not 0.01 <= value <= 1.0:
            return "error range"
        if value != self.arm.row["speed"]:
            self.arm.row["speed"] = value
            self._did("speed", fraction=value)
        return f"speed {value:.6g}"


class RobotArm(Solo):
    """An arm among places where samples lie. Its instrument is ``arm``.

    Options: `samples` (the places that hold one at first, with commas), `is_remote`, `protective_stop_at_motion` (the
    n-th motion ends half-way in a protective stop; 0: none does), and the probabilities that a transfer does not grip
    its sample, drops it, or puts it down askew without noticing.
    """

    name: ClassVar[str] = "robot-arm"
    DEFAULTS: ClassVar[Mapping[str, Any]] = {
        "samples": "A1,A2",
        "is_remote": True,
        "protective_stop_at_motion": 0,
        "not_gripped_probability": 0.0,
        "dropped_probability": 0.0,
        "misplaced_probability": 0.0,
    }

    @classmethod
    def check(cls, options: Mapping[str, Any]) -> list[str]:
        """Return what is wrong with options, as sentences."""
        problems = super().check(options)
        if not problems:
            places = [place for place in options.get("samples", "").split(",") if place]
            problems += [
                f"{place!r} is no place; there are {', '.join(PLACES)}" for place in places if place not in PLACES
            ]
        return problems

    def build(self, *, state: WorldFile, clock: Now, seed: int, options: Mapping[str, Any]) -> dict[str, Instrument]:
        """Return the controller's port."""
        return {"arm": DashboardServer(state=state, clock=clock, seed=seed, options=options)}
