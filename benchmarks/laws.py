"""What must be so after a powder laboratory's campaign, however often it was killed: judged from what is on the disk.

Three judges: the world's own log (`simulators.powder_lab.checker`, which knows the intents only), the measurement
files against their rows, and the tables against the journal that they are folded from.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections import Counter
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from scipy.stats import chi2

from orchestrator.drill.judging import intents_of, measured_rows, measurements_lost, read_all
from orchestrator.events import Event
from simulators.powder_lab.checker import Violation, check

FORCED = {
    ("lost", "dropped"): "dropped crucible",
    ("askew", ""): "crucible that cannot be gripped",
    ("device", "clogged"): "clogged doser",
    ("device", "empty"): "empty doser",
}
"""Doubts, by kind and by what the device called it, that a hand must settle whatever a controller does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """What the judges found."""

    events: list[Event]
    violations: list[Violation]
    measurements_lost: int
    is_equal: bool
    """Whether the tables equal the journal folded again."""
    open_trials: int

    @property
    def is_lawful(self) -> bool:
        """Whether nothing was lost, done twice, unsafe, or other than the journal says."""
        return not self.violations and not self.measurements_lost and self.is_equal


def judge(path: Path) -> Findings:
    """Judge a campaign's directory."""
    events, is_equal = read_all(path)
    return Findings(
        events=events,
        violations=check(path / "world" / "powder-lab.sqlite", intents_of(events)),
        measurements_lost=len(measurements_lost(path, measured_rows(events))),
        is_equal=is_equal,
        open_trials=_open_trials(path),
    )


def print_table(path: Path, found: Findings) -> None:
    """Print what was found as a table."""
    events = found.events
    kinds = Counter(event.kind for event in events)
    samples = kinds["sample_admitted"]
    rules = dict(Counter(one.rule for one in found.violations))
    rows = [
        ("days", f"{events[-1].at_s / 86400.0:.1f}"),
        ("samples", str(samples)),
        ("trials measured / told nothing / lost", _outcomes(path)),
        ("journal entries", str(len(events))),
        ("controller starts", str(kinds["controller_started"])),
        ("violations found by the checker", f"{len(found.violations)} {rules or ''}"),
        ("measurements lost", str(found.measurements_lost)),
        ("tables equal to the journal folded again", "yes" if found.is_equal else "NO"),
        ("open trials", str(found.open_trials)),
        *_interventions(events, samples),
    ]
    print("\n| figure | value |\n|---|---|")
    for name, value in rows:
        print(f"| {name} | {value} |")
    print(f"\nend state {_state_hash(events)}")
    for one in found.violations[:20]:
        print(f"violation: {one.rule} at {one.at_s:.0f} s: {one.detail}")


def _outcomes(path: Path) -> str:
    with closing(sqlite3.connect(path / "journal.sqlite")) as db:
        counts = dict(db.execute("SELECT outcome, count(*) FROM trial GROUP BY outcome"))
    return " / ".join(str(counts.get(name, 0)) for name in ("measured", "failed", "lost"))


def _open_trials(path: Path) -> int:
    with closing(sqlite3.connect(path / "journal.sqlite")) as db:
        return db.execute("SELECT count(*) FROM trial WHERE state NOT IN ('told', 'failed', 'lost')").fetchone()[0]


def _interventions(events: list[Event], samples: int) -> list[tuple[str, str]]:
    doubts = [event.body for event in events if event.kind == "doubted"]
    restocks = sum(doubt["kind"] == "restock" for doubt in doubts)
    named = [(doubt["kind"], doubt["facts"].get("code", "")) for doubt in doubts if doubt["kind"] != "restock"]
    forced = dict(Counter(FORCED[one] for one in named if one in FORCED))
    others = dict(Counter(" ".join(one).strip() for one in named if one not in FORCED))
    return [
        ("planned restocks", str(restocks)),
        ("interventions that physics forces, per 100 samples", f"{_rate(sum(forced.values()), samples)} {forced}"),
        ("other interventions, per 100 samples", f"{_rate(sum(others.values()), samples)} {others or ''}"),
    ]


def _rate(count: int, samples: int) -> str:
    """Return a rate per 100 samples with its exact 95 % Poisson interval (Garwood, Biometrika 28, 437, 1936)."""
    low = chi2.ppf(0.025, 2 * count) / 2.0 if count else 0.0
    high = chi2.ppf(0.975, 2 * count + 2) / 2.0
    each = 100.0 / max(samples, 1)
    return f"{count * each:.2f} ({low * each:.2f} to {high * each:.2f}; {count} in all)"


def _state_hash(events: list[Event]) -> str:
    rows = [[event.kind, event.trial, event.command_id, round(event.at_s, 6)] for event in events]
    return hashlib.sha256(json.dumps(rows).encode()).hexdigest()[:16]
