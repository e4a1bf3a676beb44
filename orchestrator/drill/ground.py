"""The ground of a drill: one campaign, made short, run in virtual time in a directory of its own for each fault."""

from __future__ import annotations

import logging
import os
import signal
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from drivers.command import Effect
from orchestrator.check import Ready, check_campaign
from orchestrator.drill.judging import intents_of, measured_rows, measurements_lost, read_all, violations
from orchestrator.drill.wires import Between
from orchestrator.errors import LabpilotError, LabRefused
from orchestrator.events import Event
from orchestrator.execution import Settings, resume, start
from orchestrator.people.interventions import Autonomy, autonomy
from orchestrator.seams import Seams
from orchestrator.simulated import worlds_of

MOST_STARTS = 8
"""Resumes after which a campaign that does not end is given up."""
READ = str(Effect.READ)


class NotOffered(Exception):
    """This laboratory cannot suffer that; says why."""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What became of a campaign that suffered something."""

    events: Sequence[Event]
    said: Sequence[str]
    """What each controller ended with."""
    is_finished: bool
    lost_measurements: Sequence[str]
    violations: Sequence[str]
    is_equal: bool
    """Whether the tables equal the journal folded again."""
    struck_s: float | None
    """When the fault first struck, where that is known."""

    def of(self, kind: str) -> list[Event]:
        """Return the events of a kind."""
        return [event for event in self.events if event.kind == kind]

    def incidents(self, *kinds: str) -> list[Event]:
        """Return the incidents of some kinds."""
        return [event for event in self.of("incident") if event.body["kind"] in kinds]

    @cached_property
    def outcomes(self) -> Counter[str]:
        """Trials by what they came to."""
        names = {"analysed": "measured", "trial_failed": "failed", "trial_lost": "lost"}
        return Counter(names[event.kind] for event in self.events if event.kind in names)

    @property
    def starts(self) -> int:
        """How often a controller started."""
        return len(self.of("controller_started"))

    @cached_property
    def autonomy(self) -> Autonomy:
        """How it went without people."""
        return autonomy(self.events)

    @property
    def problems(self) -> list[str]:
        """Return what may never be so, whatever was suffered."""
        found = [f"lost: {name}" for name in self.lost_measurements] + list(self.violations)
        found += [] if self.is_equal else ["the tables do not equal the journal"]
        return found + ([] if self.is_finished else [f"it did not finish: {self.said[-1] if self.said else 'nothing'}"])


@dataclass(frozen=True, slots=True, kw_only=True)
class Undisturbed:
    """How the campaign goes when nothing is amiss."""

    outcome: Outcome
    requests: Counter[str]
    """Requests that changed something, by instrument."""
    acts: Sequence[Event]
    """Intents of acts that change something, in order."""


@dataclass(slots=True)
class Play:
    """One campaign on the ground, from its first start to its end."""

    ground: Ground
    path: Path
    struck_s: float | None = None
    said: list[str] = field(default_factory=list)

    def strike(self, at_s: float) -> None:
        """Note that the fault struck."""
        self.struck_s = at_s if self.struck_s is None else self.struck_s

    def start(self, *overrides: str, seams: Seams | None = None) -> None:
        """Begin the campaign, and note how that ended."""
        task = self.ground.ready(*overrides)
        self._noted(lambda: start(task, self.path, Settings(is_virtual=True, fsync=False, seams=seams or Seams())))

    def go_on(self, seams: Seams | None = None) -> None:
        """Resume once, and note how that ended."""
        self._noted(lambda: resume(self.path, seams=seams))

    def start_and_die(self, *overrides: str, seams: Seams) -> None:
        """Begin the campaign in a process that does not survive it.

        Raises:
            NotOffered: It did survive.
        """
        task = self.ground.ready(*overrides)
        with _quiet():
            child = os.fork()
            if not child:
                _run_in_child(lambda: start(task, self.path, Settings(is_virtual=True, fsync=False, seams=seams)))
            _, status = os.waitpid(child, 0)
        if not os.WIFSIGNALED(status) or os.WTERMSIG(status) != signal.SIGKILL:
            raise NotOffered("the moment for the kill never came")
        self.said.append("killed")

    def start_apart(self, *overrides: str, seams: Seams) -> None:
        """Begin the campaign in a process of its own, which may end without having given anything back."""
        reading, writing = os.pipe()
        task = self.ground.ready(*overrides)
        with _quiet():
            child = os.fork()
            if not child:
                _run_in_child(lambda: self._tell(writing, task, seams))
            os.close(writing)
            with os.fdopen(reading) as file:
                self.said.append(file.read() or "it said nothing")
            os.waitpid(child, 0)

    def _tell(self, writing: int, task: Ready, seams: Seams) -> None:
        self._noted(lambda: start(task, self.path, Settings(is_virtual=True, fsync=False, seams=seams)))
        os.write(writing, self.said[-1].encode())

    def finish(self) -> None:
        """Resume until the campaign has finished."""
        for _ in range(MOST_STARTS):
            if self._is_finished():
                return
            self.go_on()

    def _is_finished(self) -> bool:
        return bool(self.said) and self.said[-1].startswith("finished")

    def _noted(self, work: Callable[[], Any]) -> None:
        with _quiet():
            try:
                ending = work()
                self.said.append(f"{ending.status}: {ending.reason}")
            except LabpilotError as error:
                self.said.append(f"{type(error).__name__}: {error}")

    def outcome(self) -> Outcome:
        """Judge what there is."""
        events, is_equal = read_all(self.path)
        return Outcome(
            events=events,
            said=self.said,
            is_finished=self._is_finished(),
            lost_measurements=measurements_lost(self.path, measured_rows(events)),
            violations=violations(self.path / "world", intents_of(events)),
            is_equal=is_equal,
            struck_s=self.struck_s,
        )


@dataclass(slots=True, kw_only=True)
class Ground:
    """One campaign and its laboratory, simulated."""

    campaign: Path
    lab: Path | None
    overrides: Sequence[str]
    folder: Path
    _undisturbed: Undisturbed | None = None

    def ready(self, *more: str) -> Ready:
        """Return the campaign, checked, with further settings.

        Raises:
            InputError: Something is wrong with it.
            LabRefused: Some of its devices are real.
        """
        task = check_campaign(self.campaign, self.lab, [*self.overrides, *more]).require()
        real = [f"{name} ({device.url})" for name, device in task.lab.devices.items() if not _is_simulated(device.url)]
        if real:
            raise LabRefused(f"a drill is for simulated laboratories; real are {', '.join(real)}")
        return task

    @property
    def worlds(self) -> list[str]:
        """Simulated worlds of the laboratory."""
        return worlds_of(self.ready().lab)

    def play(self, name: str) -> Play:
        """Return a campaign that has not begun."""
        return Play(self, self.folder / name)

    def undisturbed(self) -> Undisturbed:
        """Run the campaign once with nothing amiss, and know from then on how that goes."""
        if self._undisturbed is None:
            requests: Counter[str] = Counter()
            play = self.play("undisturbed")
            play.start(seams=Seams(peer=lambda name, peer: _Counting(name, peer, requests)))
            outcome = play.outcome()
            if outcome.problems:
                raise RuntimeError(f"with nothing amiss: {'; '.join(outcome.problems[:3])}")
            acts = [event for event in outcome.of("step_intended") if event.body["effect"] != READ]
            self._undisturbed = Undisturbed(outcome=outcome, requests=requests, acts=acts)
        return self._undisturbed

    def busiest(self) -> str:
        """Return the instrument whose device acts most often."""
        devices = self.ready().lab.devices
        found = Counter(event.body["device"] for event in self.undisturbed().acts)
        for device, _ in found.most_common():
            instrument = devices[device].url.rpartition("/")[2]
            if self.undisturbed().requests[instrument]:
                return instrument
        raise NotOffered("no simulated instrument acts on a wire of bytes")


def _is_simulated(url: str) -> bool:
    return url.startswith("sim:")


class _Counting(Between):
    """Counts the requests of an instrument that change something."""

    def __init__(self, name: str, peer: Any, requests: Counter[str]) -> None:
        super().__init__(peer)
        self._name, self._requests = name, requests

    def receive(self, data: bytes) -> None:
        """Count a request, and pass it on."""
        self._requests[self._name] += self.is_act()
        self._peer.receive(data)


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep warnings of what a drill provokes off the terminal."""
    root = logging.getLogger()
    before, root.level = root.level, logging.CRITICAL + 1
    try:
        yield
    finally:
        root.level = before


def _run_in_child(work: Callable[[], Any]) -> None:
    """Do something and end the process, whatever comes of it."""
    try:
        work()
    finally:
        os._exit(0)
