"""The page of conformance: instruments by faults, with the count of cases.

python -m simulators.conformance.page docs/conformance.md
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from drivers.registry import driver_class, driver_names
from simulators.conformance.results import CaseResult, Report
from simulators.conformance.suite import check_driver
from simulators.faults import Fault

HEAD = """# Conformance of the instruments in the box

Written by `python -m simulators.conformance.page docs/conformance.md`; a test keeps it current. Each driver is run
against its simulator on every wire that it speaks, in virtual time: every command, under every fault, at up to five of
its exchanges. A number is the count of cases, all of which passed: the outcome had the right class, nothing was done
twice, no wrong value was accepted, and the bus was usable afterwards. `-`: the fault does not apply to that instrument.
`labpilot driver check NAME` runs one of them; [how to check a driver of your own](plug_in_an_instrument.md).

What the faults are: [`simulators/faults.py`](../simulators/faults.py).
"""


def subjects() -> list[str]:
    """Name the installed drivers of this distribution that have a simulator."""
    ours = [name for name in driver_names() if driver_class(name).__module__.startswith("drivers.")]
    return [name for name in ours if driver_class(name).manifest.simulator]


def rows(report: Report) -> list[str]:
    """Return a report's lines of the tables: one for each wire."""
    wires = dict.fromkeys(result.wire for result in report.results if result.wire)
    lines = []
    for wire in wires:
        found = [result for result in report.results if result.wire == wire]
        cells = [_cell(result for result in found if result.fault == fault) for fault in Fault]
        others = sum(not result.why_not for result in found if result.group != "faults")
        tried = sum(not result.why_not for result in found)
        failed = sum(bool(result.problems) for result in found)
        lines.append(f"| {report.driver} ({wire}) | " + " | ".join(cells) + f" | {others} | {tried} | {failed} |")
    return lines


def effects_line(report: Report) -> str:
    """Return one driver's line of how its commands settle."""
    counts = {effect: sum(value == effect for value in report.effects.values()) for effect in _EFFECTS}
    cells = " | ".join(str(counts[effect]) for effect in _EFFECTS)
    return f"| {report.driver} | {cells} | {100 * report.settled_share():.1f} % |"


_EFFECTS = ("read", "idempotent", "verifiable", "operator")


def page(reports: Sequence[Report]) -> str:
    """Return the whole page."""
    head = "| instrument (wire) | " + " | ".join(Fault) + " | without faults | cases | went wrong |"
    lines = [HEAD, head, "|---" * (len(Fault) + 4) + "|"]
    for report in reports:
        lines += rows(report)
    total = sum(report.n_cases for report in reports)
    lines += ["", f"{total} cases in all.", "", "## How commands settle", ""]
    lines += ["| instrument | " + " | ".join(_EFFECTS) + " | faults that ended without a person |"]
    lines += ["|---" * (len(_EFFECTS) + 2) + "|", *(effects_line(report) for report in reports), ""]
    return "\n".join(lines)


def _cell(results: Iterable[CaseResult]) -> str:
    n_tried = sum(not result.why_not for result in results)
    return str(n_tried) if n_tried else "-"


def main(argv: Sequence[str]) -> int:
    """Write the page; returns the exit code."""
    text = page([check_driver(driver_class(name), name=name) for name in subjects()])
    Path(argv[0]).write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
