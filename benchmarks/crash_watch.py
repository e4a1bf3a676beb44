"""Counts the moments of a controller's life at which it may be killed, and kills it at one of them.

Moments are before and after each commit of the journal, each renaming of a measurement file, and each exchange of each
device. After an exchange its effect is done and written in the world, and nothing has read the answer. Everything here
wraps the product from outside, for the rest of the process: to be used in processes that do nothing else.
"""

from __future__ import annotations

import json
import os
import re
import signal
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any

from drivers.command import Effect
from drivers.links.memory import MemoryLink
from orchestrator import laboratory, measurements
from orchestrator.acts import contact
from orchestrator.guard import watching
from orchestrator.journal import Journal

PHASES = {
    "doser": "dose",
    "balance": "weigh",
    "mill": "mill",
    "box": "fire",
    "door": "fire",
    "grinder": "grind",
    "diffractometer": "diffract",
    "arm": "carry",
    "start": "start",
    "guard": "guard",
}
"""What is done with a device, by the first word of its name."""
STARTING = ("connect", "power_on")
KEPT = 3
"""Of equal requests of one command so many are kept: the first, the middle and the last."""
_FRAMED = re.compile(rb"^N\d+ |\*[0-9A-Fa-f]+\s*$|(?<=OUT_WD1@)\d+")
"""What differs in requests that are otherwise the same: line numbers, checksums, and what is left of a shaker's run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """One moment at which a process may be killed."""

    number: int
    """Its place among all moments of the process, from 1."""
    is_after: bool
    kind: str
    """``journal``, ``file``, ``acting`` (an exchange that may act) or ``polling`` (one that reads, or is repeated)."""
    phase: str
    what: str
    at_s: float
    series: str = ""
    """Equal for equal requests of one command; empty for all else."""

    def __str__(self) -> str:
        return f"#{self.number} {'after' if self.is_after else 'before'} {self.phase}: {self.what}"


@dataclass(slots=True)
class Watch:
    """What a process has passed, and where it is to be killed.

    kill: the moment's number, or for `of_journal` its number among those of the journal; 0: nowhere.
    last_words: gets the moment at which it is killed, as JSON.
    """

    kill: int = 0
    of_journal: bool = False
    last_words: Callable[[bytes], object] = len
    passed: list[Moment] = field(default_factory=list)
    _n_journal: int = 0
    _n_acts: Counter[str] = field(default_factory=Counter)
    """How many acting commands each device was given: a later one's requests are a series of their own."""
    _is_putting_away: bool = False

    def note(self, *, is_after: bool, kind: str, device: str, what: str, at_s: float, series: str = "") -> None:
        """Count a moment, and die if it is the one."""
        moment = Moment(
            number=len(self.passed) + 1,
            is_after=is_after,
            kind=kind,
            phase=self._phase(device),
            what=what,
            at_s=at_s,
            series=series,
        )
        self.passed.append(moment)
        self._n_journal += kind == "journal"
        number = self._n_journal if self.of_journal else moment.number
        if number == self.kill and (kind == "journal" or not self.of_journal):
            self.last_words(json.dumps({"died": str(moment), "at_s": at_s}).encode())
            os.kill(os.getpid(), signal.SIGKILL)

    def _phase(self, device: str) -> str:
        self._is_putting_away |= _COMMAND.get()[1] == "unload_sample"
        phase = PHASES.get(device.partition("-")[0], "campaign")
        return "put away" if phase == "carry" and self._is_putting_away else phase

    def began(self, device: str, effect: Effect) -> None:
        """Note that a device was given a command."""
        self._n_acts[device] += effect is not Effect.READ

    def series_of(self, link: str, request: bytes) -> str:
        """Return what equal requests of one command have in common."""
        device, command = _COMMAND.get()
        same = request[2:] if device.startswith("box") else _FRAMED.sub(b"", request)  # Modbus counts its requests
        if _IS_GUARD.get():
            return f"{link} guard {command} {same!r}"
        return f"{link} {command} {self._n_acts[device]} {same!r}"


_COMMAND: ContextVar[tuple[str, str]] = ContextVar("command", default=("", ""))
_IS_GUARD: ContextVar[bool] = ContextVar("is_guard", default=False)
"""Whether the guard reads; its readings are alike all life long, whatever the device does."""
_EFFECT: ContextVar[Effect] = ContextVar("effect", default=Effect.READ)


def install(watch: Watch) -> None:
    """Watch this process, for the rest of its life."""
    _watch_journal(watch)
    _watch_files(watch)
    _watch_commands(watch)
    _watch_guard()
    _watch_exchanges(watch)


def _watch_journal(watch: Watch) -> None:
    flush = Journal.flush

    def watched(self: Journal) -> None:
        if not self._buffer:
            flush(self)
            return
        device, what = _of_rows(self._buffer)
        at_s = self._clock.now_s()
        watch.note(is_after=False, kind="journal", device=device, what=what, at_s=at_s)
        flush(self)
        watch.note(is_after=True, kind="journal", device=device, what=what, at_s=at_s)

    Journal.flush = watched  # type: ignore[method-assign]


def _of_rows(rows: Sequence[dict[str, Any]]) -> tuple[str, str]:
    """Return what a commit is about: the device of the last act that it tells of, and all events in it."""
    acts = [row for row in rows if row["kind"] == "step_intended"]
    what = ", ".join(f"{row['kind']} {row['command_id'] or ''}".strip() for row in rows)
    if not acts:
        return "campaign", what
    is_start = acts[-1]["command_id"].startswith("start-")
    return ("start" if is_start else json.loads(acts[-1]["body"])["device"]), what


def _watch_files(watch: Watch) -> None:
    rename = os.replace

    def watched(source: Any, target: Any) -> None:
        at_s = watch.passed[-1].at_s if watch.passed else 0.0
        device = _COMMAND.get()[0] or (watch.passed[-1].what.partition(".")[0] if watch.passed else "")
        watch.note(is_after=False, kind="file", device=device, what=os.path.basename(target), at_s=at_s)
        rename(source, target)
        watch.note(is_after=True, kind="file", device=device, what=os.path.basename(target), at_s=at_s)

    measurements.os = SimpleNamespace(**{**vars(os), "replace": watched})  # type: ignore[attr-defined]


def _watch_commands(watch: Watch) -> None:
    call = contact.call

    async def watched(method: Any, arguments: Any, *, effect: Effect, device: str, command: str, **more: Any) -> Any:
        token = _COMMAND.set((device, command))
        watch.began(device, effect)
        try:
            return await call(method, arguments, effect=effect, device=device, command=command, **more)
        finally:
            _COMMAND.reset(token)

    contact.call = laboratory.call = watched  # type: ignore[assignment]


def _watch_guard() -> None:
    call = watching.call

    async def watched(method: Any, arguments: Any, *, device: str, command: str, **more: Any) -> Any:
        tokens = _COMMAND.set((device, command)), _IS_GUARD.set(True)
        try:
            return await call(method, arguments, device=device, command=command, **more)
        finally:
            _COMMAND.reset(tokens[0])
            _IS_GUARD.reset(tokens[1])

    watching.call = watched  # type: ignore[assignment]


def _watch_exchanges(watch: Watch) -> None:
    exchange, write = MemoryLink.exchange, MemoryLink._write

    async def watched(self: MemoryLink, request: bytes, *, effect: Effect, **more: Any) -> bytes:
        token = _EFFECT.set(effect)
        try:
            return await exchange(self, request, effect=effect, **more)
        finally:
            _EFFECT.reset(token)

    def written(self: MemoryLink, data: bytes) -> None:
        device, command = _COMMAND.get()
        kind = "polling" if _EFFECT.get() is Effect.READ else "acting"
        shown = data.partition(b"\r\n")[0].strip()[:40]
        told = {
            "kind": kind,
            "device": "guard" if _IS_GUARD.get() else "start" if command in STARTING else device,
            "what": f"{device}.{command} {shown!r}",
            "at_s": self._clock.now_s(),
            "series": watch.series_of(self.name, data),
        }
        watch.note(is_after=False, **told)
        write(self, data)
        watch.note(is_after=True, **told)

    MemoryLink.exchange = watched  # type: ignore[method-assign]
    MemoryLink._write = written  # type: ignore[method-assign]


def kept(passed: Sequence[Moment]) -> list[Moment]:
    """Return all moments but those of exchanges between the first, the middle and the last of a series."""
    series: dict[tuple[str, bool], list[Moment]] = defaultdict(list)
    for moment in passed:
        series[moment.series, moment.is_after].append(moment)
    found = [moment for (name, _), moments in series.items() for moment in (_ends(moments) if name else moments)]
    return sorted(found, key=lambda moment: moment.number)


def _ends(moments: list[Moment]) -> list[Moment]:
    if len(moments) <= KEPT:
        return moments
    return [_polling(moments[0]), _polling(moments[len(moments) // 2]), _polling(moments[-1])]


def _polling(moment: Moment) -> Moment:
    """Return a moment of a request that is made time and again, which is how a command looks whether it is over."""
    return replace(moment, kind="polling")
