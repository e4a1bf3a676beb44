"""Random commands on random wires under storms of random faults.

    python -m simulators.conformance.fuzz --exchanges 100000 --seed 0

Each session is one device and a handful of commands in a row, each with faults at random exchanges, also while it is
being settled. Judged as in the suite: no wrong value accepted, nothing done twice, no hang, no bus left unusable.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from drivers.command import Effect
from drivers.errors import DriverError
from drivers.registry import driver_class
from simulators.conformance.bench import Bench, Subject, run
from simulators.conformance.page import subjects
from simulators.conformance.suite import subjects_of
from simulators.conformance.trial import Clean, Trial, clean_run
from simulators.conformance.wire_faults import strike
from simulators.faults import Fault, Strike, does_not_apply

COMMANDS = 4
"""Commands of a session; one of them may act."""
STORM = 12
"""Exchanges that a storm lasts at most."""
SHARE = 0.35
"""Share of a storm's exchanges that go wrong."""


@dataclass(slots=True)
class Tally:
    """What happened."""

    exchanges: int = 0
    faults: int = 0
    commands: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    settled: Counter[str] = field(default_factory=Counter)
    by_fault: Counter[str] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)


class Fuzz:
    """Sessions over the drivers in the box.

    Args:
        names: The drivers.
        seed: Of everything.
    """

    def __init__(self, names: Sequence[str], seed: int) -> None:
        self._subjects: list[Subject] = [subject for name in names for subject in subjects_of(driver_class(name))]
        self._clean: dict[tuple[int, str], Clean | None] = {}
        self._seed = seed
        self._struck: frozenset[Fault] = frozenset()
        self.tally = Tally()

    def session(self, number: int) -> None:
        """Run one session."""
        rng = np.random.default_rng([self._seed, number])
        index = int(rng.integers(len(self._subjects)))
        subject = self._subjects[index]
        chosen = self._chosen(index, rng)

        async def use(bench: Bench) -> None:
            faults = [fault for fault in Fault if not _why_not(bench, fault)]
            self._struck = frozenset()
            for place, command in enumerate(chosen):
                await self._command(bench, index, command, faults, rng, f"fuzz-{number}-{place}")
            self.tally.exchanges += bench.wire.exchanges
            self.tally.faults += bench.wire.struck

        try:
            run(subject, use, noise=int(rng.integers(1 << 30)))
        except DriverError as error:
            self._note(number, subject, "/".join(chosen), f"could not be made ready: {type(error).__name__}: {error}")

    def _chosen(self, index: int, rng: np.random.Generator) -> list[str]:
        """Return reads around one command that may act: two that act could forbid each other."""
        specs = self._subjects[index].specs
        known = [name for name in specs if self._of(index, name) is not None]
        reads = [name for name in known if specs[name].effect is Effect.READ]
        chosen = [str(name) for name in rng.choice(reads, COMMANDS)]
        chosen[int(rng.integers(COMMANDS))] = str(rng.choice(known))
        return chosen

    async def _command(
        self, bench: Bench, index: int, command: str, faults: list[Fault], rng: np.random.Generator, tag: str
    ) -> None:
        subject, clean = self._subjects[index], self._of(index, command)
        if clean is None:
            return
        plan = _storm(clean, faults, rng)
        trial = Trial(
            subject=subject,
            command=command,
            clean=clean,
            plan=plan,
            tag=tag,
            before=self._struck,
            is_in_session=True,
        )
        await trial.carry_out(bench)
        self._struck |= frozenset(item.fault for item in plan if item is not None)
        self.tally.commands += 1
        self.tally.outcomes[trial.outcome] += 1
        self.tally.settled[trial.settled] += 1
        self.tally.by_fault.update(item.fault for item in plan if item is not None)
        for problem in trial.problems:
            self._note(int(tag.split("-")[1]), subject, command, problem)

    def _of(self, index: int, command: str) -> Clean | None:
        if (index, command) not in self._clean:
            try:
                self._clean[index, command] = clean_run(self._subjects[index], command)
            except DriverError:
                self._clean[index, command] = None
        found = self._clean[index, command]
        return found if found is not None and found.exchanges else None

    def _note(self, session: int, subject: Subject, command: str, problem: str) -> None:
        self.tally.problems.append(f"session {session}: {subject.driver.__name__}.{command}: {problem}")


def _why_not(bench: Bench, fault: Fault) -> str:
    own = getattr(bench.wire, "does_not_apply", None)
    return own(fault) if own is not None else does_not_apply(fault, bench.wire.instrument)


def _storm(clean: Clean, faults: list[Fault], rng: np.random.Generator) -> list[Strike | None]:
    timeouts = {exchange.timeout_s for exchange in clean.exchanges}
    usable = faults if len(timeouts) == 1 else [fault for fault in faults if fault is not Fault.TOO_LATE]
    shortest = min(clean.exchanges, key=lambda exchange: exchange.timeout_s)
    length = int(rng.integers(1, STORM + 1))
    return [
        strike(usable[int(rng.integers(len(usable)))], shortest) if rng.random() < SHARE else None
        for _ in range(length)
    ]


def main(argv: Sequence[str] | None = None) -> int:
    """Fuzz until enough exchanges were made; returns 1 if something went wrong."""
    parser = argparse.ArgumentParser(prog="python -m simulators.conformance.fuzz", description=__doc__)
    parser.add_argument("--exchanges", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--first", type=int, default=0, help="the first session")
    parser.add_argument("--driver", action="append", default=[], help="only this driver; may be repeated")
    asked = parser.parse_args(argv)
    fuzz = Fuzz(asked.driver or subjects(), asked.seed)
    number = asked.first
    while fuzz.tally.exchanges < asked.exchanges:
        fuzz.session(number)
        number += 1
    tell(fuzz.tally, number - asked.first)
    return 1 if fuzz.tally.problems else 0


def tell(tally: Tally, sessions: int) -> None:
    """Print the figures."""
    out = sys.stdout.write
    out(f"{sessions} sessions, {tally.commands} commands, {tally.exchanges} exchanges, {tally.faults} faults struck\n")
    out("first outcomes: " + ", ".join(f"{name} {count}" for name, count in tally.outcomes.most_common()) + "\n")
    out("settled: " + ", ".join(f"{name or 'not'} {count}" for name, count in tally.settled.most_common()) + "\n")
    for what in ("a wrong value was accepted", "done ", "no outcome within", "not usable", "out of step"):
        out(f"{what.strip()}: {sum(what in problem for problem in tally.problems)}\n")
    out(f"problems: {len(tally.problems)}\n")
    for problem in tally.problems[:40]:
        out(f"  {problem}\n")


if __name__ == "__main__":
    sys.exit(main())
