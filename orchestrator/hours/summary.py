"""What `labpilot check` says of hours: when it is closed, how long trials take, and how long all of it would take."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from drivers.clock import VIRTUAL_START
from orchestrator.campaign import Campaign
from orchestrator.casting import Casting, CastingError
from orchestrator.hours.calendar import Calendar
from orchestrator.hours.declared import BadDuration
from orchestrator.hours.lengths import Lengths
from orchestrator.hours.outlook import campaign_calendar, devices_of, lanes_of
from orchestrator.hours.windows import Closed
from orchestrator.lab import Lab
from orchestrator.samples import Racks
from orchestrator.space import search_space
from orchestrator.subject import Subject
from orchestrator.words import duration
from orchestrator.yaml_source import Problem

_LOOKS_AHEAD = timedelta(days=60)
_MOST_DAYS = timedelta(days=400)


@dataclass(frozen=True, slots=True, kw_only=True)
class HoursSummary:
    """How a campaign stands to the clock on the wall."""

    closed: tuple[str, ...]
    """Each window in words."""
    from_utc: str
    until_utc: str
    """The window that is open now or else the next one; empty where there is none. A simulated lab's clock begins at
    the start of 2026."""
    shortest_s: float | None
    longest_s: float | None
    """Of trials, by their recipes; None where nobody knows."""
    open_s: float | None
    """The longest time between two windows in the next 60 days; None where there is no window."""
    campaign_s: float | None
    """The whole campaign, closings included, where trials take the longest; None where nobody knows, or where samples
    in racks overlap, or after more than 400 days."""


def hours_of(campaign: Campaign, lab: Lab, casting: Casting) -> HoursSummary | None:
    """Summarise; None where nothing is closed and no duration was declared."""
    calendar = campaign_calendar(campaign, lab, casting)
    if calendar is None and campaign.duration is None:
        return None
    lengths = Lengths(campaign=campaign, lab=lab, casting=casting, space=search_space(campaign))
    shortest_s, longest_s = lengths.range_s or (None, None)
    begins = _begins(lab)
    span = None if calendar is None else calendar.closing(begins)
    return HoursSummary(
        closed=tuple(windows_in_words((lab.closed, campaign.closed))),
        from_utc="" if span is None else span.start.isoformat(),
        until_utc="" if span is None else span.end.isoformat(),
        shortest_s=shortest_s,
        longest_s=longest_s,
        open_s=None if calendar is None else _longest_open_s(calendar, begins),
        campaign_s=_campaign_s(campaign, lab, casting, calendar, longest_s),
    )


def problems(subject: Subject) -> Iterator[Problem]:
    """Find a duration that cannot be read, and calendars between whose windows no trial fits."""
    campaign, lab, source = subject.campaign, subject.lab, subject.campaign_source
    try:
        calendar = campaign_calendar(campaign, lab, subject.casting)
        lengths = Lengths(campaign=campaign, lab=lab, casting=subject.casting, space=search_space(campaign))
        if calendar is None and campaign.duration is None:
            return
        durations_s = lengths.range_s
    except BadDuration as error:
        yield source.problem(("duration",), str(error))
        return
    except (CastingError, ValueError):
        return  # said by the check of casting, or of constraints
    if calendar is None:
        return
    told = source if campaign.closed is not None else subject.lab_source
    if durations_s is None:
        message = (
            "how long a trial takes is not known, so that nobody can tell what fits before it closes; give the "
            "campaign 'duration: 2 h', or a formula of its parameters, '2 h + hold'"
        )
        yield told.problem(("closed",), message)
        return
    open_s = _longest_open_s(calendar, _begins(lab))
    if durations_s[0] > open_s:
        message = (
            f"it is open for {duration(open_s)} at a stretch, and the shortest trial takes {duration(durations_s[0])}"
        )
        yield told.problem(("closed",), message)


def windows_in_words(sections: Sequence[Closed | None]) -> Iterator[str]:
    """Say of each window when it is."""
    for section in sections:
        for window in () if section is None else section.windows:
            what = f" ({window.why})" if window.why else ""
            away = f", {', '.join(window.devices)}" if window.devices else ""
            yield f"{window.begins} to {window.ends}{what}{away}, {section.zone if section else ''}"


def _begins(lab: Lab) -> datetime:
    is_simulated = all(device.url.startswith("sim:") for device in lab.devices.values())
    return VIRTUAL_START if is_simulated else datetime.now(UTC)


def _longest_open_s(calendar: Calendar, begins: datetime) -> float:
    stretches = calendar.stretches(begins, begins + _LOOKS_AHEAD)
    return max(((end - start).total_seconds() for start, end in stretches), default=0.0)


def _campaign_s(
    campaign: Campaign, lab: Lab, casting: Casting, calendar: Calendar | None, longest_s: float | None
) -> float | None:
    if longest_s is None or isinstance(lab.samples, Racks):
        return None
    rounds = math.ceil(campaign.budget.trials / lanes_of(campaign, lab, devices_of(campaign, casting)))
    if calendar is None:
        return rounds * longest_s
    begins, each = _begins(lab), timedelta(seconds=longest_s)
    for start, end in calendar.stretches(begins, begins + _MOST_DAYS):
        fit = int((end - start) / each)
        if fit >= rounds:
            return (start + rounds * each - begins).total_seconds()
        rounds -= fit
    return None
