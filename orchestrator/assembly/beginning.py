"""The beginning: what a controller journals before anything moves."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

from orchestrator.assembly.basis import Basis
from orchestrator.history import KNOWN, SOURCES
from orchestrator.laboratory import Laboratory
from orchestrator.points import known_of
from orchestrator.sources import sources_of
from orchestrator.versions import versions
from orchestrator.worlds import described


def begin(basis: Basis, laboratory: Laboratory, created: datetime) -> None:
    """Journal the campaign where it is new, what is known beforehand, and that this controller has started."""
    if basis.standing.campaign is None:
        basis.journal.append("campaign_created", _campaign(basis, created))
    _begin_known(basis)
    _begin_sources(basis)
    devices = {
        name: {
            "url": laboratory.stations[name].url,
            "identity": f"{found.maker} {found.model} {found.serial} {found.firmware}",
        }
        for name, found in laboratory.identities.items()
    }
    basis.journal.append("controller_started", {"epoch": basis.standing.epoch, "devices": devices}, durable=True)


def _campaign(basis: Basis, created: datetime) -> dict[str, Any]:
    campaign = basis.campaign
    return {
        "name": campaign.name,
        "created_utc": created.isoformat(),
        "mode": "virtual" if basis.is_virtual else "wall",
        "seed": campaign.seed,
        "planner": campaign.planner.policy,
        "config": campaign.data(),
        "lab": basis.task.lab.data(),
        "versions": versions(),
        "provenance": {**described(basis.task.worlds), **_charged_by(basis), **basis.settings.provenance},
    }


def _charged_by(basis: Basis) -> dict[str, Any]:
    given = basis.campaign.durations
    if given is None or not basis.is_virtual:
        return {}
    name = Path(given.file).name
    said = f"computing is charged by {name}, SHA-256 {given.sha256}"
    return {"durations": {"file": name, "sha256": given.sha256, "summary": [said]}}


def _begin_known(basis: Basis) -> None:
    """Journal what is known beforehand, so that a planner that is rebuilt needs no file for it."""
    given, history = basis.campaign.known, basis.history
    if given is None or history.known is not None:
        return
    history.known = [result.data() for result in known_of(basis.campaign)]
    basis.journal.append(KNOWN, {"table": given.table, "sha256": given.sha256, "results": history.known})


def _begin_sources(basis: Basis) -> None:
    """Journal what sources say, so that the campaign goes on by it whatever becomes of their files."""
    history = basis.history
    if not basis.campaign.sources or history.sources is not None:
        return
    history.sources = [source.data() for source in sources_of(basis.campaign)]
    basis.journal.append(SOURCES, {"sources": history.sources})
