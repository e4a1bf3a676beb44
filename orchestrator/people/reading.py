"""What the journal says about people, read by kind."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from sqlalchemy import Connection, func, select

from orchestrator.campaign_fields import Budget
from orchestrator.events import Event
from orchestrator.lab import Limit
from orchestrator.people.judging import Facts
from orchestrator.people.state import KINDS, DeskState
from orchestrator.reading import Reading
from orchestrator.store import JournalRow

if TYPE_CHECKING:
    from planner.space import SearchSpace

_JOURNAL: Any = JournalRow.__table__  # type: ignore[attr-defined]


def events_of(connection: Connection, kinds: Sequence[str], *, after_seq: int = 0) -> list[Event]:
    """Return the events of some kinds that come after one, oldest first; leaves no transaction open that it began."""
    was_open = connection.in_transaction()
    query = select(_JOURNAL).where(_JOURNAL.c.kind.in_(kinds), _JOURNAL.c.seq > after_seq).order_by(_JOURNAL.c.seq)
    try:
        return [_event(row) for row in connection.execute(query)]
    finally:
        if not was_open and connection.in_transaction():
            connection.rollback()


def _event(row: Any) -> Event:
    return Event(seq=row.seq, kind=row.kind, at_s=row.mono_s, utc=row.utc, body=json.loads(row.body), trial=row.trial)


def read_state(connection: Connection) -> DeskState:
    """Return what people have said so far."""
    return DeskState.of(events_of(connection, KINDS))


class _Trial(Protocol):
    """A trial's row, or its record in a running controller."""

    @property
    def number(self) -> int: ...  # noqa: D102
    @property
    def state(self) -> str: ...  # noqa: D102
    @property
    def outcome(self) -> str | None: ...  # noqa: D102


def read_facts(reading: Reading) -> Facts:
    """Return what orders can refer to, from a campaign directory that is only read."""
    campaign = reading.campaign()
    last_s = reading.connection.execute(select(func.max(_JOURNAL.c.mono_s))).scalar() or 0.0
    versions = versions_in(reading.bodies("asked"))
    return facts_of(campaign.config, campaign.lab, reading.trials(), elapsed_s=last_s, versions=versions)


def versions_in(asks: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return the versions of models that ``asked`` events tell of."""
    live = (ask["models"]["live"].values() for ask in asks if ask.get("models"))
    return list(dict.fromkeys(told["version"] for models in live for told in models))


def facts_of(
    config: Mapping[str, Any],
    lab: Mapping[str, Any],
    trials: Iterable[_Trial],
    *,
    elapsed_s: float,
    versions: Collection[str] = (),
) -> Facts:
    """Return what orders can refer to.

    config, lab: as `Campaign.data()` and `Lab.data()` give them.
    """
    found = list(trials)
    budget = Budget.model_validate(config["budget"])
    return Facts(
        trials={trial.number: trial.state for trial in found},
        outcomes={trial.number: trial.outcome for trial in found if trial.outcome},
        devices=frozenset(lab["devices"]),
        step_kinds=step_kinds(config["recipe"]),
        limits=limits_of(lab.get("limits", {}), config.get("limits", {})),
        trials_budget=budget.trials,
        duration_budget_s=budget.duration_s,
        elapsed_s=elapsed_s,
        versions=versions,
        space=lambda: _space(config),
    )


def _space(config: Mapping[str, Any]) -> SearchSpace:
    from orchestrator.campaign import Campaign
    from orchestrator.points import candidates_of
    from orchestrator.space import search_space

    campaign = Campaign.from_data(config)
    return search_space(campaign, candidates_of(campaign))


def limits_of(lab: Mapping[str, Any], campaign: Mapping[str, Any]) -> dict[str, Limit]:
    """Return the limits by device.command.argument; the campaign's are narrower (`check` sees to it)."""
    bounds: dict[str, dict[str, Any]] = {}
    for limits in (lab, campaign):
        for command, arguments in limits.items():
            for name, limit in arguments.items():
                bounds.setdefault(f"{command}.{name}", {}).update(limit)
    return {name: Limit.model_validate(found) for name, found in bounds.items()}


def step_kinds(recipe: Sequence[Mapping[str, Any]]) -> frozenset[str]:
    """Return the kinds of steps that a recipe has: the one key of each step."""
    return frozenset(str(key) for step in recipe for key in step)
