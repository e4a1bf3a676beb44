"""A simulated benchtop diffractometer with a sample changer, in automation mode: TCP text that ends in ``@END``.

    @STATUS_REQUEST@UNIT=xrd@END            ->  @STATUS@TIME_STAMP=...@UNIT=xrd@READY=yes@END
    @STATUS_REQUEST@LOCATION=0,2@END        ->  @STATUS@TIME_STAMP=...@LOCATION=0,2@STATE=occupied@END
    @SAMPLE@MEASURE@SAMPLE_ID=t1@APPLICATION=10-80_0.02_0.1s@END  ->  @SAMPLE@MEASURE@SAMPLE_ID=t1@STATUS=normal@END

Requests as alab_control sends them to an Aeris, and ``@SAMPLE@ADD``, ``MOVE``, ``REMOVE`` likewise; place 0 is the
measuring position, 1 to 6 are those of the changer. A refusal has ``STATUS=fatal``. Of our own, with a CRC-32 of all
that stands before it: ``@LABPILOT@IDENTITY``, ``@LABPILOT@RESULT@SAMPLE_ID=t1`` (the result file, which the real device
puts into a shared folder), ``@LABPILOT@STOP``.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, ClassVar
from zlib import crc32

from drivers.links.framing import Line
from simulators.instruments.base import FramedInstrument, Now
from simulators.instruments.powder import powder_of
from simulators.instruments.xrd_cell import INSIDE, PLACES, Refused, XrdCell
from simulators.solo import Solo
from simulators.world import Instrument, WorldFile

IDENTITY = "@LABPILOT@IDENTITY@MAKER=Malvern Panalytical@MODEL=Aeris@SERIAL=990001@FIRMWARE=2.1"
LONGEST = 1 << 22


class AutomationPort(FramedInstrument):
    """The port of the automation interface."""

    wire = "tcp"
    has_front_panel = True

    def __init__(self, *, state: WorldFile, clock: Now, seed: int, options: Mapping[str, Any]) -> None:
        super().__init__(Line(b"@END", longest=LONGEST), state=state, clock=clock)
        self._is_remote = options["is_remote"]
        self.cell = self.new_cell(state=state, clock=clock, seed=seed, options=options)

    def new_cell(self, *, state: WorldFile, clock: Now, seed: int, options: Mapping[str, Any]) -> XrdCell:
        """Return the device behind this port."""
        return XrdCell(state=state, clock=clock, seed=seed, options=options, did=self._did)

    def chatter(self) -> bytes:
        """Return the event that a measurement has ended, which this device sends unasked."""
        return b"@SAMPLE@MEASURED@SAMPLE_ID=somebody-else@STATUS=normal@END"

    def front_panel(self) -> None:
        """Let somebody open the door for a moment."""
        self.cell.advance()
        self.cell.open_door()
        self.cell.keep()

    def restart(self) -> None:
        """Lose power: a measurement is lost, names of samples are forgotten, the tube warms up anew."""
        super().restart()
        self.cell.advance()
        self.cell.lose_power()
        self.cell.keep()

    def answer(self, request: bytes) -> bytes | None:
        """Carry out one message."""
        self.cell.advance()
        fields = request.decode("latin-1").strip().split("@")[1:]
        words, facts = [word for word in fields if "=" not in word], _facts(fields)
        reply = self._told(words, facts)
        self.cell.keep()
        return self._framing.wrap(reply.encode("latin-1"))

    def _told(self, words: list[str], facts: Mapping[str, str]) -> str:
        match words:
            case ["STATUS_REQUEST", *rest]:
                return f"@STATUS@TIME_STAMP={self._stamp()}{self._status(rest, facts)}"
            case ["SAMPLE", verb, *_]:
                return self._sample(verb, facts)
            case ["LABPILOT", what]:
                return _sealed(self._own(what, facts))
        return "@ERROR@STATUS=fatal@ERROR=unknown message"

    def _status(self, rest: list[str], facts: Mapping[str, str]) -> str:
        match rest, dict(facts):
            case ["SYSTEM"], {}:
                return f"@SYSTEM={'remote' if self._is_remote else 'local'}"
            case [], {"UNIT": "xrd"}:
                return f"@UNIT=xrd@READY={'yes' if self.cell.is_ready else 'no'}"
            case [], {"LOCATION": place} if (at := _place(place)) is not None:
                name = self.cell.name_at(at)
                state = "occupied" if self.cell.sample_at(at) else "free"
                return f"@LOCATION={place}@STATE={state}" + (f"@SAMPLE_ID={name}" if name else "")
        return "@STATUS=fatal@ERROR=unknown request"

    def _sample(self, verb: str, facts: Mapping[str, str]) -> str:
        named = facts.get("SAMPLE_ID", "")
        head = f"@SAMPLE@{verb}" + (f"@SAMPLE_ID={named}" if named else "@SAMPLE_ID")
        try:
            if not self._is_remote:
                raise Refused("local control")
            self._act(verb, named, facts)
        except Refused as refused:
            return f"{head}@STATUS=fatal@ERROR={refused}"
        return f"{head}@STATUS=normal"

    def _act(self, verb: str, named: str, facts: Mapping[str, str]) -> None:
        at, to = _place(facts.get("AT", "")), _place(facts.get("TO", ""))
        application = facts.get("APPLICATION", "")
        if verb == "ADD" and named and at is not None:
            self.cell.add(named, at, application)
        elif verb == "MOVE" and at is not None and to is not None:
            self.cell.move(at, to)
        elif verb == "REMOVE" and (named or at is not None):
            self.cell.remove(named, at)
        elif verb == "MEASURE" and named:
            self.cell.measure(named, application)
        else:
            raise Refused("unknown message")

    def _own(self, what: str, facts: Mapping[str, str]) -> str:
        match what, dict(facts):
            case "IDENTITY", {}:
                return IDENTITY
            case "STOP", {}:
                self.cell.stop()
                return "@LABPILOT@STOP"
            case "RESULT", {"SAMPLE_ID": named}:
                return f"@LABPILOT@RESULT@SAMPLE_ID={named}{self._result(named)}"
        return "@LABPILOT@ERROR=unknown message"

    def _result(self, named: str) -> str:
        state, reason = self.cell.result(named)
        if state != "done":
            return f"@STATE={state}" + (f"@REASON={reason}" if reason else "")
        return f"@STATE=done@FILE={base64.b64encode(self.cell.file(named)).decode()}"

    def _stamp(self) -> str:
        return datetime.fromtimestamp(self._clock.now_s(), UTC).strftime("%Y.%m.%d %H:%M:%S")


def _facts(fields: list[str]) -> dict[str, str]:
    return dict(field.split("=", 1) for field in fields if "=" in field)


def _place(text: str) -> int | None:
    rack, comma, place = text.partition(",")
    is_place = rack == "0" and comma and place in [str(known) for known in (INSIDE, *PLACES)]
    return int(place) if is_place else None


def _sealed(message: str) -> str:
    return f"{message}@CRC32={crc32(message.encode('latin-1')):08X}"


class Diffractometer(Solo):
    """A diffractometer with samples in its changer. Its instrument is ``xrd``.

    Options: `samples` (what truly lies at each place: weight fractions of shipped structures by name and of
    `amorphous`, and besides `crystallite_nm`, `texture`, `strain`), `is_remote`, `zero_shift_deg`, `displacement_mm`
    (by how much specimens lie too low), `tube_intensity` (of a worn tube), `tube_fails_at_s` and `changer_jams_at_s`
    (seconds after the world began; 0: never).
    """

    name: ClassVar[str] = "diffractometer"
    DEFAULTS: ClassVar[Mapping[str, Any]] = {
        "samples": {
            "1": {"anatase": 1.0},
            "2": {"anatase": 0.7, "rutile": 0.3},
            "3": {"anatase": 0.2, "rutile": 0.5, "amorphous": 0.3, "crystallite_nm": 20.0},
        },
        "is_remote": True,
        "zero_shift_deg": 0.02,
        "displacement_mm": 0.0,
        "tube_intensity": 1.0,
        "tube_fails_at_s": 0.0,
        "changer_jams_at_s": 0.0,
    }

    @classmethod
    def check(cls, options: Mapping[str, Any]) -> list[str]:
        """Return what is wrong with options, as sentences."""
        problems = super().check(options)
        return problems or [problem for item in options.get("samples", {}).items() if (problem := _problem(*item))]

    def build(self, *, state: WorldFile, clock: Now, seed: int, options: Mapping[str, Any]) -> dict[str, Instrument]:
        """Return the automation port."""
        return {"xrd": AutomationPort(state=state, clock=clock, seed=seed, options=options)}


def _problem(place: str, sample: Any) -> str:
    if place not in [str(known) for known in PLACES]:
        return f"{place!r} is no place of the changer; there are {PLACES[0]} to {PLACES[-1]}"
    try:
        powder_of(sample)
    except (AttributeError, ValueError) as error:
        return f"sample {place} is no powder: {error}"
    return ""
