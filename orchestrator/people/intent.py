"""The operator's intent, a state machine of four words, and the campaign's state, which is derived and never stored."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from orchestrator.states import advance


class Intent(StrEnum):
    """What people want of the campaign as a whole."""

    RUN = "run"
    PAUSE = "pause"
    """Finish the steps that are under way, begin none."""
    STOP = "stop"
    """Finish safely and end."""
    ABORT = "abort"
    """Make safe now and end."""


INTENT: Mapping[tuple[str, str], str] = {
    ("run", "pause"): "pause",
    ("run", "stop"): "stop",
    ("run", "abort"): "abort",
    ("run", "ended"): "run",
    ("pause", "go-on"): "run",
    ("pause", "stop"): "stop",
    ("pause", "abort"): "abort",
    ("pause", "ended"): "pause",
    ("stop", "abort"): "abort",
    ("stop", "ended"): "run",  # it was done; whoever resumes the campaign wants it to run
    ("abort", "ended"): "run",
}
"""(intent, order) -> intent; ``ended`` is the end of a controller that journalled how."""


def after(intent: Intent, event: str) -> Intent:
    """Return the intent after an order, or after the campaign ended.

    Raises:
        IllegalTransition: The order means nothing here.
    """
    return Intent(advance(INTENT, intent, event))


class Activity(StrEnum):
    """What goes on in the laboratory, from the tables."""

    RECOVERING = "recovering"
    BUSY = "busy"
    """Steps are under way."""
    IDLE = "idle"
    """None is."""
    WAITING = "waiting"
    """None is, and every open trial waits for a person."""


class CampaignState(StrEnum):
    """Where a campaign stands, for people."""

    RUNNING = "running"
    RECOVERING = "recovering"
    WAITING = "waiting for a person"
    PAUSING = "pausing"
    PAUSED = "paused"
    STOPPING = "stopping"
    ABORTING = "aborting"
    CREATED = "created"
    INTERRUPTED = "interrupted"
    STOPPED = "stopped"
    FINISHED = "finished"
    FAULTED = "faulted"


_ALIVE: Mapping[tuple[Intent, Activity], CampaignState] = {
    (Intent.RUN, Activity.RECOVERING): CampaignState.RECOVERING,
    (Intent.RUN, Activity.BUSY): CampaignState.RUNNING,
    (Intent.RUN, Activity.IDLE): CampaignState.RUNNING,
    (Intent.RUN, Activity.WAITING): CampaignState.WAITING,
    (Intent.PAUSE, Activity.RECOVERING): CampaignState.RECOVERING,
    (Intent.PAUSE, Activity.BUSY): CampaignState.PAUSING,
    (Intent.PAUSE, Activity.IDLE): CampaignState.PAUSED,
    (Intent.PAUSE, Activity.WAITING): CampaignState.PAUSED,
    **{(Intent.STOP, activity): CampaignState.STOPPING for activity in Activity},
    **{(Intent.ABORT, activity): CampaignState.ABORTING for activity in Activity},
}

_ENDED: Mapping[str, CampaignState] = {
    "finished": CampaignState.FINISHED,
    "stopped": CampaignState.STOPPED,
    "faulted": CampaignState.FAULTED,
}


def campaign_state(intent: Intent, *, status: str, is_alive: bool, activity: Activity = Activity.IDLE) -> CampaignState:
    """Derive where a campaign stands.

    status: of the campaign's table: created, running, finished, stopped or faulted.
    is_alive: whether a controller holds the directory.
    activity: what goes on there, if one does.
    """
    if status in _ENDED:
        return _ENDED[status]
    if is_alive:
        return _ALIVE[(intent, activity)]
    return CampaignState.CREATED if status == "created" else CampaignState.INTERRUPTED


def activity(
    *, steps_under_way: int, open_trials: int, trials_waiting_for_people: int, is_recovering: bool = False
) -> Activity:
    """Say what goes on, from counts of the tables."""
    if is_recovering:
        return Activity.RECOVERING
    if steps_under_way:
        return Activity.BUSY
    return Activity.WAITING if 0 < open_trials <= trials_waiting_for_people else Activity.IDLE
