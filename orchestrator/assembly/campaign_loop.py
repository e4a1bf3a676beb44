"""The loop of one campaign, with everything that it turns by."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestrator.analysis import Analysis
from orchestrator.assembly.basis import Basis
from orchestrator.assembly.carrying_out import analyst_of, executor_of
from orchestrator.assembly.planning import asking_of, model_files_of, plan_ahead, restored
from orchestrator.assembly.settings import harmless
from orchestrator.billing import running_bill
from orchestrator.charges import Charges
from orchestrator.guard.gate import Gate
from orchestrator.hours.keeper import Timekeeper
from orchestrator.hours.outlook import timekeeper_of
from orchestrator.knowledge import Knowledge
from orchestrator.laboratory import Laboratory
from orchestrator.loop import CampaignLoop
from orchestrator.office import Office

if TYPE_CHECKING:
    from surrogate.compute import ComputeQueue


def loop_of(
    basis: Basis,
    laboratory: Laboratory,
    office: Office,
    *,
    gate: Gate | None,
    analysis: Analysis,
    queue: ComputeQueue | None,
) -> CampaignLoop:
    """Return the loop of a campaign, from wherever its journal says that it stands.

    gate: asks the guard before each command that acts.
    queue: where is computed what need not be computed here; None: everything is.
    """
    charges = Charges.of(basis.campaign) if basis.is_virtual else None
    analyst = analyst_of(basis, analysis, queue, charges)
    files = model_files_of(basis)
    knowledge = restored(basis, files)
    hours = _hours(basis, office, knowledge)
    executor = executor_of(basis, laboratory, office, gate, analyst=analyst, hours=hours)
    asking = asking_of(basis, office, knowledge, files=files, hours=hours, charges=charges)
    loop = CampaignLoop(
        campaign=basis.campaign,
        journal=basis.journal,
        clock=basis.clock,
        knowledge=knowledge,
        executor=executor,
        stop=basis.stop,
        desk=office.desk,
        asking=asking,
        history=basis.history,
        on_progress=harmless(basis.settings.on_progress),
        bill=running_bill(basis.journal, basis.clock, basis.task.lab.costs),
        hours=hours,
        closed_until=basis.standing.closed_until,
    )
    plan_ahead(basis, asking, queue, hours=hours, broke=loop.broke)
    return loop


def _hours(basis: Basis, office: Office, knowledge: Knowledge) -> Timekeeper:
    return timekeeper_of(
        basis.task,
        space=knowledge.space,
        clock=basis.clock,
        journal=basis.journal,
        stop=basis.stop,
        budget_s=lambda: office.desk.duration_budget_s(basis.campaign.budget.duration_s),
        trials=basis.history.trials,
    )
