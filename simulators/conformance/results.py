"""What the kit found: one result for each case, and the report of a driver."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

SETTLING = ("read", "idempotent", "verifiable")
"""Effects whose unknown outcome settles itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseResult:
    """One thing that was tried."""

    group: str
    """``declaration``, ``limits``, ``faults``, ``twice``, ``cancel``, ``stop``, ``reconnect``, ``replay``, ``clean`` or
    ``ports``."""
    wire: str = ""
    command: str = ""
    fault: str = ""
    at: int = 0
    """The exchange of the command at which the fault struck, from 0."""
    outcome: str = ""
    """What left the driver at first: ``success``, or the class of its error."""
    settled: str = ""
    """How it ended: ``at once``, ``repeated``, ``read back`` or ``person``."""
    problems: tuple[str, ...] = ()
    """What is wrong; empty where the case passed."""
    why_not: str = ""
    """Why the case does not apply; then nothing was tried."""

    @property
    def has_passed(self) -> bool:
        """Whether it was tried and nothing is wrong."""
        return not self.problems and not self.why_not


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """All results for one driver."""

    driver: str
    results: tuple[CaseResult, ...]
    effects: Mapping[str, str] = field(default_factory=dict)
    """The declared effect of each command."""

    @property
    def has_passed(self) -> bool:
        """Whether nothing is wrong."""
        return not self.failures

    @property
    def failures(self) -> list[CaseResult]:
        """The cases that went wrong."""
        return [result for result in self.results if result.problems]

    @property
    def n_cases(self) -> int:
        """How many cases were tried."""
        return sum(not result.why_not for result in self.results)

    def settling_share(self) -> float:
        """Return the share of acting commands whose unknown outcome settles itself, 1 where there are none."""
        acting = [effect for effect in self.effects.values() if effect != "read"]
        return 1.0 if not acting else sum(effect in SETTLING for effect in acting) / len(acting)

    def settled_share(self) -> float:
        """Return the share of faulty exchanges that ended without a person, 1 where there were none."""
        counts = Counter(result.settled for result in self.results if result.group == "faults" and result.settled)
        total = sum(counts.values())
        return 1.0 if not total else 1.0 - counts["person"] / total

    def table(self) -> dict[str, dict[str, str]]:
        """Return one cell for each command and fault: ``ok 4``, ``FAIL 1/4`` or ``-``; keyed by command, then fault."""
        cells: dict[str, dict[str, list[CaseResult]]] = {}
        for result in self.results:
            if result.group == "faults":
                cells.setdefault(result.command, {}).setdefault(result.fault, []).append(result)
        return {command: {fault: _cell(found) for fault, found in row.items()} for command, row in cells.items()}

    def as_dict(self) -> dict[str, Any]:
        """Return everything as plain data."""
        return {
            "driver": self.driver,
            "passed": self.has_passed,
            "cases": self.n_cases,
            "failures": len(self.failures),
            "settling_commands": self.settling_share(),
            "settled_without_person": self.settled_share(),
            "effects": dict(self.effects),
            "results": [asdict(result) for result in self.results],
        }


def _cell(found: Iterable[CaseResult]) -> str:
    tried = [result for result in found if not result.why_not]
    failed = sum(bool(result.problems) for result in tried)
    if not tried:
        return "-"
    return f"FAIL {failed}/{len(tried)}" if failed else f"ok {len(tried)}"
