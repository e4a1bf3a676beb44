"""A file of durations, recorded from what a campaign's asks and analyses took."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orchestrator.ahead.lists import SPECULATED
from orchestrator.ahead.pace import LISTED
from orchestrator.charges import analysis_job, ask_job, choice_job, list_job
from orchestrator.errors import InputError, StorageError
from orchestrator.reading import Reading
from surrogate.compute.costs import CostModel
from surrogate.compute.jobs import Job


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """Durations of one campaign."""

    costs: CostModel
    counts: Mapping[str, int]
    """How many durations, by what of."""

    def __str__(self) -> str:
        """Return it as a sentence's end."""
        return ", ".join(f"{what}: {count}" for what, count in self.counts.items())


def record(reading: Reading, file: Path) -> Recorded:
    """Write what a campaign's computing took to a file.

    Raises:
        InputError: It has asked and analysed nothing that took time.
        StorageError: The file cannot be written.
    """
    found = recorded(reading)
    try:
        found.costs.save(file)
    except OSError as error:
        raise StorageError(f"{file} cannot be written: {error.strerror or error}; name another file") from None
    return found


def recorded(reading: Reading) -> Recorded:
    """Return what a campaign's computing took: real seconds, also where virtual time was charged otherwise.

    Raises:
        InputError: It has asked and analysed nothing that took time.
    """
    costs, counts = CostModel(), dict[str, int]()
    for what, job, seconds in _durations(reading):
        costs = costs.learned(job, "cpu", seconds)
        counts[what] = counts.get(what, 0) + 1
    if not counts:
        raise InputError(f"nothing in {reading.path} has taken time to plan or to analyse; record a campaign that did")
    return Recorded(costs=costs, counts=counts)


def _durations(reading: Reading) -> Iterator[tuple[str, Job, float]]:
    campaign = reading.campaign()
    policy = campaign.planner
    for body in reading.bodies("asked"):
        if body["wall_s"] > 0.0 and not body["fallback_reason"]:
            yield _of_ask(body, policy)
    if campaign.mode == "wall" or campaign.config["planner"].get("charge", "measured") == "measured":
        for body in reading.bodies(SPECULATED):
            yield f"short lists of policy {policy!r}", list_job(policy, _known(body)), body["busy_s"]
    analysis = campaign.config["analysis"]
    if campaign.mode == "wall" or analysis.get("charge") == "measured":
        kind = analysis["kind"]
        for seconds in _analyses_s(reading):
            yield f"analyses {kind!r}", analysis_job(kind), seconds


def _of_ask(body: Mapping[str, Any], policy: str) -> tuple[str, Job, float]:
    planning = body.get("planning") or {}
    known = planning.get("known", body["diagnostics"].get("observations", 0))
    if planning.get("how") == LISTED:
        return f"choices of policy {policy!r} from short lists", choice_job(policy, known), body["wall_s"]
    return f"asks of policy {policy!r}", ask_job(policy, known), body["wall_s"]


def _known(body: Mapping[str, Any]) -> int:
    """Return how many observations a short list was made from, about: each trial before it has given one."""
    return max(map(int, body["imagined"]), default=1)


def _analyses_s(reading: Reading) -> Sequence[float]:
    """Return what analyses took: from the last measurement of a trial until its result was journalled."""
    began_s, found = dict[int, float](), list[float]()
    for kind, trial, at_s in reading.moments(("plan_finished", "analysed")):
        if kind == "plan_finished":
            began_s[trial] = at_s
        elif trial in began_s and at_s > began_s[trial]:
            found.append(at_s - began_s.pop(trial))
    return found
