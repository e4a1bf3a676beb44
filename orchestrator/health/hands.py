"""How often a campaign needed a hand."""

from __future__ import annotations

from orchestrator.health.finding import Finding, Level
from orchestrator.people.interventions import Autonomy
from orchestrator.words import number, plural

USUAL_PER_100 = 0.5
"""What a laboratory that is well looked after needs."""


def interventions(counted: Autonomy) -> Finding:
    """Judge the rate of interventions by the lower bound of its interval."""
    acts = plural(len(counted.interventions), "intervention")
    text = f"{acts} in {plural(counted.completed, 'completed experiment')}"
    if counted.per_100 is None or counted.low_per_100 is None or counted.high_per_100 is None:
        return Finding(name="interventions", level=Level.OK, text=text)
    bounds = f"{number(counted.low_per_100, 2)} to {number(counted.high_per_100, 2)}"
    text = f"{text}: {number(counted.per_100, 2)} per 100 (95 % interval {bounds})"
    if counted.low_per_100 <= USUAL_PER_100:
        return Finding(name="interventions", level=Level.OK, text=text)
    do = "the report's section People lists them: mend what comes back most often"
    return Finding(name="interventions", level=Level.NOTE, text=f"{text}, surely more than {USUAL_PER_100:g}", do=do)
