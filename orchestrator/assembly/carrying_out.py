"""Carrying out: what takes accepted trials through the laboratory to a verdict."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestrator.advice import Advisor
from orchestrator.analysis import Analysis
from orchestrator.assembly.basis import Basis
from orchestrator.assembly.settings import harmless
from orchestrator.charges import Charges
from orchestrator.compile import Compiler
from orchestrator.compile_racks import furnaces_of
from orchestrator.computing import Analyst, analyst_for, as_it_took
from orchestrator.errors import StorageError
from orchestrator.evidence import Evidence
from orchestrator.guard.gate import Gate
from orchestrator.hours.keeper import Timekeeper
from orchestrator.journeys import Journeys
from orchestrator.laboratory import Laboratory
from orchestrator.office import Office
from orchestrator.references import References
from orchestrator.runner import Runner
from orchestrator.samples import Racks
from orchestrator.scheduling.board import Board
from orchestrator.scheduling.dispatcher import Dispatcher
from orchestrator.scheduling.names import board_names
from orchestrator.scheduling.optimising import NotInstalled, Optimiser
from orchestrator.trials import TrialExecutor

if TYPE_CHECKING:
    from surrogate.compute import ComputeQueue


def analyst_of(basis: Basis, analysis: Analysis, queue: ComputeQueue | None, charges: Charges | None) -> Analyst:
    """Return who analyses what trials measure."""
    return analyst_for(
        analysis,
        basis.clock,
        queue,
        costs_s=as_it_took if charges is None else charges.of_analysis,
        deadline_s=basis.campaign.analysis.deadline_s,
        told=lambda text: basis.note("recovery", text),
    )


def executor_of(
    basis: Basis, laboratory: Laboratory, office: Office, gate: Gate | None, *, analyst: Analyst, hours: Timekeeper
) -> TrialExecutor:
    """Return what carries trials through; gate: asks the guard before each command that acts."""
    evidence = Evidence(basis.directory.path, basis.clock, fsync=basis.settings.fsync)
    runner = _runner(basis, laboratory, office, gate, evidence)
    references = _references(basis, evidence)
    dispatcher, journeys = _scheduling(basis, laboratory, office, runner)
    return TrialExecutor(
        compiler=Compiler.of(basis.campaign, basis.task.casting),
        dispatcher=dispatcher,
        journeys=journeys,
        runner=runner,
        references=references,
        journal=basis.journal,
        clock=basis.clock,
        analyst=analyst,
        seed=basis.campaign.seed,
        context=basis.campaign.context,
        hours=hours,
    )


def _runner(basis: Basis, laboratory: Laboratory, office: Office, gate: Gate | None, evidence: Evidence) -> Runner:
    return Runner(
        journal=basis.journal,
        laboratory=laboratory,
        evidence=evidence,
        stop=basis.stop,
        permission=office.direction.permission,
        gate=gate,
        past=dict(basis.standing.past),
        waits=dict(basis.standing.waits),
        on_step=harmless(basis.settings.on_step),
    )


def _references(basis: Basis, evidence: Evidence) -> References:
    references = References(basis.clock)
    for row in basis.standing.references:
        try:
            references.latest[row["role"]] = evidence.recall(row["path"], row["sha256"])
        except StorageError as error:
            basis.note("fault", f"the last {row['role']} reference is lost and will be measured again: {error}")
    for key, rows in basis.standing.chosen.items():
        try:
            references.chosen[key] = [evidence.recall(row["path"], row["sha256"]) for row in rows]
        except StorageError:
            continue  # said above; the trial chooses anew
    return references


def _scheduling(
    basis: Basis, laboratory: Laboratory, office: Office, runner: Runner
) -> tuple[Dispatcher, Journeys | None]:
    devices = {name: item.capacity for name, item in laboratory.stations.items()}
    samples = basis.task.lab.samples
    if not isinstance(samples, Racks):
        return Dispatcher(Board(devices), basis.clock), None
    dispatcher = Dispatcher(Board(board_names(samples.layout, devices)), basis.clock)
    journeys = Journeys(
        layout=samples.layout,
        runner=runner,
        dispatcher=dispatcher,
        journal=basis.journal,
        clock=basis.clock,
        where=basis.standing.whereabouts,
        furnaces=furnaces_of(basis.task.casting),
        attendant=office.attendant,
        advisor=_advisor(basis),
    )
    return dispatcher, journeys


def _advisor(basis: Basis) -> Advisor | None:
    """Return who plans the runs of furnaces; None where the campaign asks for nobody, or the planner is missing."""
    chosen = basis.campaign.scheduling
    if chosen is None or not chosen.optimise:
        return None

    def report(text: str) -> None:
        basis.note("fallback", text)

    try:
        # virtual time has no use for a wall clock: the same campaign is to have the same plans
        optimiser = Optimiser(limit_s=chosen.limit_s, is_timed=not basis.is_virtual)
    except NotInstalled as error:
        report(f"the rule forms batches: {error}")
        return None
    return Advisor(optimiser=optimiser, report=report, is_aside=not basis.is_virtual)
