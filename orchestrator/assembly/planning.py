"""Planning: the planner brought to where the journal says that it was, and what asks it for more."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

from orchestrator.ahead.ahead import ahead_of
from orchestrator.asking import Asking
from orchestrator.assembly.basis import Basis
from orchestrator.campaign_knowledge import knowledge_of
from orchestrator.charges import Charges
from orchestrator.hours.keeper import Timekeeper
from orchestrator.knowledge import Knowledge
from orchestrator.models.book import Version
from orchestrator.models.files import ModelFiles
from orchestrator.office import Office
from orchestrator.points import pool_for

if TYPE_CHECKING:
    from surrogate.compute import ComputeQueue

log = logging.getLogger(__name__)

PLANNER_S = 600.0
"""What one ask may take on real ports, where a campaign does not say."""


def model_files_of(basis: Basis) -> ModelFiles:
    """Return what keeps versions of models beside the journal."""

    def report(text: str) -> None:
        log.warning("models_not_kept text=%s", text)
        basis.note("fallback", text)

    files = ModelFiles(basis.directory.path, fsync=basis.settings.fsync, report=report)
    files.caught_up(basis.history.book)
    return files


def restored(basis: Basis, files: ModelFiles) -> Knowledge:
    """Return the planner as the journal left it; versions of models that are not kept yet are kept on the way."""
    history, knowledge = basis.history, _knowledge(basis)
    before_ask = _keeping(files, files.missing(history.book), knowledge)
    knowledge.restore(history.trials, history.findings, told=history.told, before_ask=before_ask)
    return basis.settings.seams.knowledge(knowledge)


def _knowledge(basis: Basis) -> Knowledge:
    deadline_s = basis.campaign.planner.deadline_s
    if deadline_s is None and not basis.is_virtual:
        deadline_s = PLANNER_S
    return knowledge_of(
        basis.campaign,
        pool=pool_for(basis.campaign, basis.task.worlds),
        known=basis.history.known or (),
        sources=basis.history.sources or (),
        deadline_s=deadline_s,
    )


def _keeping(files: ModelFiles, missing: list[Version], knowledge: Knowledge) -> Callable[[int], None]:
    lost: dict[int, list[Version]] = {}
    for version in missing:
        lost.setdefault(version.ask, []).append(version)

    def kept(ask: int) -> None:
        if ask in lost:
            files.keep(lost[ask], knowledge.live_models())

    return kept


def asking_of(
    basis: Basis, office: Office, knowledge: Knowledge, *, files: ModelFiles, hours: Timekeeper, charges: Charges | None
) -> Asking:
    """Return what asks the planner, and journals what it answers."""
    return Asking(
        campaign=basis.campaign,
        journal=basis.journal,
        clock=basis.clock,
        knowledge=knowledge,
        stop=basis.stop,
        desk=office.desk,
        charges=charges,
        charge=basis.charge,
        history=basis.history,
        hours=hours,
        model_files=files,
    )


def plan_ahead(
    basis: Basis,
    asking: Asking,
    queue: ComputeQueue | None,
    *,
    hours: Timekeeper,
    broke: Callable[[Exception], None],
) -> None:
    """Let the next asks be thought of while instruments work, where the campaign wants that.

    broke: is told of what ends the campaign.
    """
    campaign = basis.campaign
    if queue is None or campaign.planning is None or not campaign.is_ahead:
        return
    asking.ahead = ahead_of(
        campaign,
        campaign.planning,
        knowledge=asking.knowledge,
        queue=queue,
        clock=basis.clock,
        journal=basis.journal,
        history=basis.history,
        hours=hours,
        charges=asking.charges,
        broke=broke,
    )
