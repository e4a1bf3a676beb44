"""Whether the controller lives, and whether anything happens."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from orchestrator.health.finding import Finding, Level
from orchestrator.words import duration, plural

LATE_S = 30.0
"""A lease that was not renewed for so long counts as left behind (`orchestrator.record.lease.Pace.stale_s`)."""
QUIET_S = 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Pulse:
    """Signs of life of a controller."""

    directory: str
    state: str
    """As `orchestrator.people.intent.CampaignState`."""
    is_alive: bool
    """Whether a process holds the campaign directory."""
    lease_age_s: float | None
    """Since the lease was last renewed; None where nobody holds it."""
    event_age_s: float | None
    """Since the last event; None in virtual time, whose hours are not ours."""
    steps_under_way: int
    questions: int
    """How many wait for a person."""
    closed_until: str = ""
    """Until when the laboratory is closed; empty where it is open."""


def heartbeat(pulse: Pulse) -> Iterator[Finding]:
    """Judge the signs of life."""
    yield _controller(pulse)
    if pulse.is_alive and pulse.event_age_s is not None:
        yield _progress(pulse, pulse.event_age_s)


def _controller(pulse: Pulse) -> Finding:
    if not pulse.is_alive:
        if pulse.state == "interrupted":
            return _warning(
                "the journal says that the campaign runs, and no controller is alive",
                f"see why it ended (journalctl, wire/), then `labpilot resume {pulse.directory}`",
            )
        return Finding(
            name="controller", level=Level.OK, text=f"no controller is needed: the campaign is {pulse.state}"
        )
    if pulse.lease_age_s is None:
        return _warning(
            "a process holds the campaign directory, and none holds the lease of the journal",
            "look again in a few seconds, as it may just be starting or ending; if it stays so, stop that process",
        )
    if pulse.lease_age_s < -LATE_S:
        return _warning(
            f"the lease was renewed {duration(-pulse.lease_age_s)} in the future: the clock was put back",
            "see to the time synchronisation of this computer (`timedatectl`)",
        )
    age = f"{duration(max(0.0, pulse.lease_age_s))} ago"
    if pulse.lease_age_s > LATE_S:
        return _warning(
            f"the controller's process exists, but it renewed its lease {age} (usually every 5 s)",
            "see whether the computer is overloaded, its disk hangs or the process is suspended; the watchdog of "
            "systemd starts a controller anew that hangs",
        )
    return Finding(name="controller", level=Level.OK, text=f"the controller renewed its lease {age}")


def _warning(text: str, do: str) -> Finding:
    return Finding(name="controller", level=Level.WARNING, text=text, do=do)


def _progress(pulse: Pulse, age_s: float) -> Finding:
    under_way = plural(pulse.steps_under_way, "step")
    text = f"the last event is {duration(max(0.0, age_s))} old, {under_way} under way"
    if pulse.closed_until and not pulse.steps_under_way:
        return Finding(name="progress", level=Level.OK, text=f"{text}; it is closed until {pulse.closed_until}")
    if age_s <= QUIET_S or pulse.state != "running" or pulse.steps_under_way:
        return Finding(name="progress", level=Level.OK, text=text)
    if pulse.questions:
        waits = plural(pulse.questions, "question")
        do = f"answer it: `labpilot orders list {pulse.directory}`"
        return Finding(name="progress", level=Level.WARNING, text=f"{text}; {waits} open", do=do)
    do = "see what it waits for (`labpilot status`, a furnace that cools, a planner); if it should not, stop and resume"
    return Finding(name="progress", level=Level.NOTE, text=text, do=do)
