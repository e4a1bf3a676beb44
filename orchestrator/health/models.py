"""Whether what models foretell can be trusted."""

from __future__ import annotations

from collections.abc import Iterator

from orchestrator.health.finding import Finding, Level
from orchestrator.models.standing import ModelsStatus, said_of


def calibration(status: ModelsStatus | None) -> Iterator[Finding]:
    """Judge the intervals of each model by the results that came; of one that foretold too little nothing is said."""
    for one in () if status is None else status.models:
        found = one.calibration
        if found is None:
            continue
        name = f"model {one.model}"
        held = f"90 % intervals held {found['coverage_90']:.0%} of the last {found['n']} results"
        if not found["alarms"]:
            yield Finding(name=name, level=Level.OK, text=held)
            continue
        cure = f"{said_of(one.told)} until it does better; " if one.told else ""
        do = f"{cure}look at the results that it did not expect: the report's section Models"
        yield Finding(name=name, level=Level.NOTE, text="; ".join(dict.fromkeys([held, *found["alarms"]])), do=do)
