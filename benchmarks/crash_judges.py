"""What a powder laboratory's one sample came to, and how that of a killed controller differs from an unkilled one's."""

from __future__ import annotations

import math
import sqlite3
from collections import Counter, defaultdict
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from laws import judge

from simulators.powder_lab.checker import Act, read

SAME = 1e-3
"""Relative: what was poured and fired is the same."""
SOONER_MIN, LATER_MIN = -0.02, 0.36
"""How much a mill may differ whose controller died: a successor knows its start to a second, and a watchdog that ends
the run for a dead one is set to 20 s at least and 2 s more than is left."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """What became of the sample, in the world's own words and in the journal's."""

    outcome: str
    measured: list[str]
    once: Counter[str]
    """Acts that are not the same if done twice, by what they are."""
    made: dict[str, float]
    """What was done to the sample: milligrams poured, minutes ground, the hottest of each firing."""
    ends_at: list[str]
    interventions: int
    ended_s: float
    problems: list[str]
    """Laws that were broken."""
    violations: int
    measurements_lost: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """How a killed life differs from the unkilled one."""

    is_resumed: bool = False
    measurements_lost: int = 0
    done_twice: int = 0
    violations: int = 0
    interventions: int = 0
    lost_s: float = math.nan
    """By how much later the campaign ended, with the time in which nobody was in control."""
    problems: list[str] = field(default_factory=list)

    @property
    def is_failed(self) -> bool:
        """Whether anything was lost, done twice, unsafe or not brought to its end."""
        return bool(self.problems)


def story(path: Path) -> Story:
    """Read what became of a campaign's sample."""
    found = judge(path)
    written = read(path / "world" / "powder-lab.sqlite")
    problems = [f"{one.rule}: {one.detail}" for one in found.violations]
    problems += [] if found.is_equal else ["the tables are not the journal folded again"]
    problems += [f"{found.open_trials} open trials"] if found.open_trials else []
    return Story(
        outcome=_outcome(path),
        measured=_measured(path),
        once=Counter(_name(act) for act in written.acts if act.once),
        made=_made(written.acts),
        ends_at=[str(row.get("at")) for row in written.containers.values()],
        interventions=sum(event.kind == "doubted" for event in found.events),
        ended_s=found.events[-1].at_s,
        problems=problems,
        violations=len(found.violations),
        measurements_lost=found.measurements_lost,
    )


def compare(found: Story, whole: Story) -> Verdict:
    """Hold a killed life against the unkilled one."""
    lost = Counter(whole.measured) - Counter(found.measured)
    twice = found.once - whole.once
    missing = whole.once - found.once
    problems = list(found.problems)
    problems += [f"lost measurement {name}" for name in lost]
    problems += [f"{found.measurements_lost} files are not what their rows say"] if found.measurements_lost else []
    problems += [f"done {count} times too often: {name}" for name, count in twice.items()]
    problems += [f"never done: {name}" for name in missing]
    if found.outcome != whole.outcome:
        problems.append(f"the trial ended as {found.outcome}, and unkilled as {whole.outcome}")
    if found.ends_at != whole.ends_at:
        problems.append(f"the sample ended at {found.ends_at}, and unkilled at {whole.ends_at}")
    problems += _differences(found.made, whole.made)
    return Verdict(
        is_resumed=True,
        measurements_lost=lost.total() + found.measurements_lost,
        done_twice=twice.total(),
        violations=found.violations,
        interventions=found.interventions,
        lost_s=found.ended_s - whole.ended_s,
        problems=problems,
    )


def _differences(found: dict[str, float], whole: dict[str, float]) -> list[str]:
    names = sorted({*found, *whole})
    return [
        f"{name} is {found.get(name, 0.0):g}, and unkilled {whole.get(name, 0.0):g}"
        for name in names
        if not _is_same(name, found.get(name, 0.0), whole.get(name, 0.0))
    ]


def _is_same(name: str, found: float, whole: float) -> bool:
    if name.startswith("minutes"):
        return SOONER_MIN <= found - whole <= LATER_MIN
    return math.isclose(found, whole, rel_tol=SAME)


def _name(act: Act) -> str:
    """Return what an act is, whichever of equal furnaces did it."""
    device = act.device.partition("-")[0] if act.device.startswith("box") else act.device
    more = act.facts.get("program") or act.facts.get("material") or ""
    return f"{device} {act.what} {more}".strip()


def _made(acts: tuple[Act, ...]) -> dict[str, float]:
    made: dict[str, float] = defaultdict(float)
    for act in acts:
        match act.what:
            case "poured":
                made[f"mg of {act.facts['phase']} poured"] += act.facts["true_mg"]
            case "ground":
                made[f"minutes in the {act.device}"] += act.facts["minutes"]
            case "fired":
                made["firings"] += 1
                made["hottest degC"] = max(made["hottest degC"], act.facts["hottest_c"])
    return dict(made)


def _outcome(path: Path) -> str:
    rows = _rows(path, "SELECT outcome, reason FROM trial")
    return ", ".join(f"{outcome} ({reason})" if reason else str(outcome) for outcome, reason in rows)


def _measured(path: Path) -> list[str]:
    return [f"{role} {name}" for role, name in _rows(path, "SELECT role, path FROM measurement ORDER BY path")]


def _rows(path: Path, query: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(path / "journal.sqlite")) as db:
        return db.execute(query).fetchall()
