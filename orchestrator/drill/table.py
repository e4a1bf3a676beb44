"""One row for each fault: what happened, how long it took to recover, and what it cost."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from orchestrator.drill.catalogue import Drill
from orchestrator.drill.ground import Ground, NotOffered, Outcome
from orchestrator.events import Event
from orchestrator.words import duration

HEAD = (
    "fault",
    "what happened",
    "time to recover",
    "trials without result",
    "measurements lost",
    "done twice or unsafe",
    "interventions",
    "verdict",
)
"""Columns of the table."""

FIRST_SIGNS = ("fault", "recovery", "intervention", "restock", "fallback", "guard")


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """What became of one drill."""

    name: str
    fault: str
    right: str
    happened: str
    recovered_s: float | None
    """From the fault, or its first sign, to the next act of the laboratory that succeeded."""
    trials_lost: int
    """Trials without a result; what they cost is samples and time."""
    measurements_lost: int
    duplicated: int
    """Acts done twice that must be done once, and whatever else must never be."""
    interventions: int
    is_right: bool | None
    """None: this laboratory cannot suffer that."""
    wrong: str
    """What was not as it should be."""

    def data(self) -> dict[str, Any]:
        """Return the row as JSON values."""
        return asdict(self)


def cells(row: Row) -> list[str]:
    """Return a row as people read it."""
    took = "–" if row.recovered_s is None else duration(row.recovered_s)
    verdict = {True: "as it should be", False: f"WRONG: {row.wrong}", None: "not tried"}[row.is_right]
    counts = (row.trials_lost, row.measurements_lost, row.duplicated, row.interventions)
    return [row.fault, row.happened, took, *(str(count) for count in counts), verdict]


def drilled(ground: Ground, drills: Sequence[Drill]) -> Iterator[Row]:
    """Do one drill after the other."""
    ground.undisturbed()
    for drill in drills:
        play = ground.play(drill.name)
        try:
            drill.act(play)
        except NotOffered as error:
            yield _not_offered(drill, str(error))
            continue
        yield _row(drill, play.outcome())


def _not_offered(drill: Drill, why: str) -> Row:
    return Row(
        name=drill.name,
        fault=drill.fault,
        right=drill.right,
        happened=f"not tried: {why}",
        recovered_s=None,
        trials_lost=0,
        measurements_lost=0,
        duplicated=0,
        interventions=0,
        is_right=None,
        wrong="",
    )


def _row(drill: Drill, outcome: Outcome) -> Row:
    wrong = "; ".join([*outcome.problems[:2], *filter(None, [drill.wrong(outcome)])])
    return Row(
        name=drill.name,
        fault=drill.fault,
        right=drill.right,
        happened=_happened(outcome),
        recovered_s=_recovered_s(outcome),
        trials_lost=outcome.outcomes["lost"] + outcome.outcomes["failed"],
        measurements_lost=len(outcome.lost_measurements),
        duplicated=len(outcome.violations),
        interventions=len(outcome.autonomy.interventions),
        is_right=not wrong,
        wrong=wrong,
    )


def _happened(outcome: Outcome) -> str:
    """Say in a line what was seen of the fault, and what the trials came to."""
    signs = [event.body["text"] for event in outcome.incidents(*FIRST_SIGNS)]
    first = signs[0] if signs else next((said for said in outcome.said if not said.startswith("finished")), "")
    short = first if len(first) <= 110 else f"{first[:107]}..."
    came_to = ", ".join(f"{count} {name}" for name, count in sorted(outcome.outcomes.items(), reverse=True))
    starts = f", {outcome.starts} starts" if outcome.starts > 1 else ""
    return "; ".join(filter(None, [short, f"{came_to}{starts}"]))


def _recovered_s(outcome: Outcome) -> float | None:
    """Return how long it took from the fault to the next success of what it struck."""
    began = _first_sign(outcome)
    if began is None:
        return None
    at_s, device = began
    devices = {event.command_id: event.body["device"] for event in outcome.of("step_intended")}
    for event in outcome.of("step_done"):
        if event.at_s > at_s and device in ("", devices.get(event.command_id)):
            return event.at_s - at_s
    return None


def _first_sign(outcome: Outcome) -> tuple[float, str] | None:
    restarts = outcome.of("controller_started")[1:]
    signs: list[Event] = sorted([*outcome.incidents(*FIRST_SIGNS), *restarts], key=lambda event: event.seq)
    if outcome.struck_s:
        return outcome.struck_s, ""
    if not signs:
        return None
    return signs[0].at_s, str(signs[0].body.get("device") or "") if signs[0].kind == "incident" else ""
