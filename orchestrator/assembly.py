"""Assembly: the parts of one campaign put together on a clock, run, and taken apart again."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, ParamSpec

from drivers.clock import Clock
from drivers.links.opening import open_link
from drivers.links.tap import Tap
from drivers.manifest import warn_unverified
from orchestrator.advice import Advisor
from orchestrator.ahead.ahead import ahead_of
from orchestrator.analysis import Analysis
from orchestrator.asking import Asking
from orchestrator.billing import running_bill
from orchestrator.charges import Charges
from orchestrator.check import Ready
from orchestrator.compile import Compiler
from orchestrator.compile_racks import furnaces_of
from orchestrator.computing import Analyst, analyst_for, as_it_took, queue_for
from orchestrator.directory import CampaignDirectory
from orchestrator.disk_watch import DiskWatch
from orchestrator.errors import Fenced, StorageError
from orchestrator.evidence import Evidence
from orchestrator.guard.binding import rules_of
from orchestrator.guarding import Guarding, place_of, real_guarding, stopped_by, virtual_guarding, written
from orchestrator.history import KNOWN, SOURCES, Standing
from orchestrator.hours.keeper import Timekeeper
from orchestrator.hours.outlook import timekeeper_of
from orchestrator.interrupts import interrupts
from orchestrator.journal import Journal
from orchestrator.journeys import Journeys
from orchestrator.knowledge import Knowledge, knowledge_of
from orchestrator.laboratory import Laboratory, station
from orchestrator.loop import CampaignLoop, Ending, Progress
from orchestrator.models.book import Version
from orchestrator.models.files import ModelFiles
from orchestrator.office import Office
from orchestrator.outcomes import StopSwitch
from orchestrator.points import known_of, pool_for
from orchestrator.record.space import Reserve
from orchestrator.record.stores import PostgresStore
from orchestrator.references import References
from orchestrator.runner import Runner
from orchestrator.samples import Racks
from orchestrator.scheduling.board import Board
from orchestrator.scheduling.dispatcher import Dispatcher
from orchestrator.scheduling.names import board_names
from orchestrator.scheduling.optimising import NotInstalled, Optimiser
from orchestrator.seams import Seams
from orchestrator.sources import sources_of
from orchestrator.trials import TrialExecutor
from orchestrator.trips import Trips, heard_of, latched_of
from orchestrator.versions import versions
from orchestrator.watchdog import watched
from orchestrator.worlds import ServedWorlds, VirtualWorlds, Worlds, described, hands_in

if TYPE_CHECKING:
    from surrogate.compute import ComputeQueue

log = logging.getLogger(__name__)

PLANNER_S = 600.0
"""What one ask may take on real ports, where a campaign does not say."""

P = ParamSpec("P")
OnProgress = Callable[[Progress], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How to execute, apart from what."""

    is_virtual: bool
    fsync: bool = True
    """Whether commits and measurement files reach the disk at once, so that a power cut loses nothing. Simulated
    worlds never do that, so a simulation gains little by it."""
    store: PostgresStore | None = None
    """Where the journal of a new campaign lives; by default in its directory."""
    on_progress: OnProgress | None = None
    on_step: Callable[[int, Any], None] | None = None
    seams: Seams = field(default_factory=Seams)
    provenance: Mapping[str, Any] = field(default_factory=dict)
    """What else the journal of a new campaign says of where its answers come from."""


@dataclass(slots=True)
class Assembly:
    """One campaign: its parts, put together on a clock, run, and taken apart again."""

    task: Ready
    directory: CampaignDirectory
    settings: Settings
    standing: Standing
    clock: Clock
    charge: Callable[[float], None] | None = None
    """Lets a virtual clock pass; None in wall time."""
    reserve: Reserve | None = None
    """Space for the last words of a campaign whose disk is full; in wall time only."""
    stop: StopSwitch = field(default_factory=StopSwitch)
    _taps: list[Tap] = field(default_factory=list)
    _guarding: Guarding | None = None
    _aborted_for: str = ""

    async def run(self, journal: Journal) -> Ending:
        """Connect, recover, loop, and close, whatever happens."""
        asyncio.get_running_loop().set_exception_handler(_report_but_interrupts)
        created = self.clock.utc()
        worlds = self._worlds()
        try:
            laboratory = self._laboratory(worlds)
            await worlds.caught_up()
            await laboratory.connect()
            try:
                office = self._office(journal, laboratory, worlds)
                async with office.telling(), watched(self.clock):
                    with interrupts(self.stop):
                        await self._begun(journal, laboratory, created)
                        async with self._guarded(journal, laboratory, office, worlds):
                            return await self._supervised(journal, laboratory, office)
            finally:
                await laboratory.close()
        finally:
            for tap in self._taps:
                tap.close()
            worlds.close()
            journal.close()

    async def _begun(self, journal: Journal, laboratory: Laboratory, created: datetime) -> None:
        """Journal that this controller begins; where not even that can be written, make the instruments safe."""
        try:
            self._begin(journal, laboratory, created)
        except Fenced:
            raise
        except Exception as error:
            await _make_safe(journal, laboratory, f"{type(error).__name__}: {error}")
            raise

    @asynccontextmanager
    async def _guarded(
        self, journal: Journal, laboratory: Laboratory, office: Office, worlds: Worlds
    ) -> AsyncIterator[None]:
        """Arm the guard, where the lab file asks for one; where it does not start, what runs is left as it is."""
        self._guarding = self._guard_of(journal, laboratory, office, worlds)
        if self._guarding is None:
            yield
            return
        async with self._guarding.running():
            yield

    def _guard_of(self, journal: Journal, laboratory: Laboratory, office: Office, worlds: Worlds) -> Guarding | None:
        lab, told = self.task.lab, self.standing.guard_told
        if lab.guard is None:
            return None
        rules = rules_of(lab.guard, self.task.casting.players)
        trips = office.trips = Trips(
            journal=journal,
            desk=office.desk,
            attendant=office.attendant,
            devices=stopped_by(rules),
            epoch=self.standing.epoch,
        )
        if self.settings.is_virtual:
            return virtual_guarding(rules, laboratory, self.clock, trips, latched=latched_of(told))
        place, loaded = written(place_of(self.directory.path, lab, os.environ), lab, worlds, epoch=self.standing.epoch)
        return real_guarding(loaded, place, laboratory, self.clock, trips, heard=heard_of(told))

    async def _supervised(self, journal: Journal, laboratory: Laboratory, office: Office) -> Ending:
        """Run the loop; where that ends otherwise than it should, make the instruments safe."""
        try:
            ending = await self._looped(journal, laboratory, office)
        except asyncio.CancelledError as error:
            if not self._aborted_for:
                await _make_safe(journal, laboratory, f"{type(error).__name__}: {error}")
                raise
            return await self._aborted(journal, laboratory, self._aborted_for)
        except Fenced:
            raise  # the instruments are another controller's by now, and so are its furnace programs
        except Exception as error:
            await _make_safe(journal, laboratory, f"{type(error).__name__}: {error}")
            raise
        if ending.status != "faulted":
            return ending
        left = await _make_safe(journal, laboratory, ending.reason)
        return replace(ending, reason="; ".join([ending.reason, *left]))

    async def _looped(self, journal: Journal, laboratory: Laboratory, office: Office) -> Ending:
        campaign = self.task.campaign
        analysis = self.settings.seams.analysis(Analysis.of(campaign))
        planners = campaign.planning.workers if campaign.planning is not None and campaign.is_ahead else 0
        async with queue_for(analysis, self.clock, planners=planners) as queue:
            loop = self._loop(journal, laboratory, office, analysis, queue)
            journeys = loop.executor.journeys
            attention = None if journeys is None else journeys.attention
            try:
                async with office.open_for(attention, loop.reconsider), self._disk_watched(journal, office):
                    if journeys is not None:
                        await journeys.begin(self.standing.epoch + 1, loop.history.trials)
                    if office.trips is not None:
                        office.trips.open_for(attention)
                    return await loop.run()
            finally:
                loop.knowledge.close()

    def _analyst(
        self, journal: Journal, analysis: Analysis, queue: ComputeQueue | None, charges: Charges | None
    ) -> Analyst:
        def told(text: str) -> None:
            journal.append("incident", {"kind": "recovery", "text": text})

        return analyst_for(
            analysis,
            self.clock,
            queue,
            costs_s=as_it_took if charges is None else charges.of_analysis,
            deadline_s=self.task.campaign.analysis.deadline_s,
            told=told,
        )

    @asynccontextmanager
    async def _disk_watched(self, journal: Journal, office: Office) -> AsyncIterator[None]:
        if self.reserve is None:
            yield
            return
        watch = DiskWatch(
            reserve=self.reserve, clock=self.clock, journal=journal, stop=self.stop.set, abort=office.abort
        )
        task = asyncio.get_running_loop().create_task(watch.run())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _aborted(self, journal: Journal, laboratory: Laboratory, why: str) -> Ending:
        """Make the instruments safe because a person ordered it, and journal that this is how it ended."""
        if (task := asyncio.current_task()) is not None:
            task.uncancel()
        left = await _make_safe(journal, laboratory, why)
        ending = Ending(status="stopped", reason="; ".join([why, *left]))
        journal.append("campaign_ended", asdict(ending), durable=True)
        return ending

    def _office(self, journal: Journal, laboratory: Laboratory, worlds: Worlds) -> Office:
        task = asyncio.current_task()

        def abort(why: str) -> None:
            if task is not None and not self._aborted_for:
                self._aborted_for = why
                task.cancel()

        return Office(
            task=self.task,
            journal=journal,
            clock=self.clock,
            directory=self.directory.path,
            laboratory=laboratory,
            stop=self.stop,
            history=self.standing.history,
            hands=hands_in(worlds, self.task.worlds, self.clock) if self.settings.is_virtual else (),
            abort=abort,
            orders=self.settings.seams.orders,
        )

    def _worlds(self) -> Worlds:
        told: Any = {
            "directory": self.directory.worlds,
            "clock": self.clock,
            "seed": self.task.campaign.seed,
            "options": self.task.worlds,
        }
        if self.settings.is_virtual:
            return VirtualWorlds(**told, between=self.settings.seams.peer)
        return ServedWorlds(**told)

    def _laboratory(self, worlds: Worlds) -> Laboratory:
        stations = {}
        for name, device in self.task.lab.devices.items():
            driver = self.task.casting.players[name].driver
            if not device.url.startswith("sim:"):
                warn_unverified(driver, device.url)
            link = open_link(device.url, self.clock, worlds, tap=self._tap(name))
            stations[name] = station(
                name,
                driver(link, self.clock, name=name),
                url=device.url,
                capacity=device.capacity,
                serial=device.serial,
            )
        return Laboratory(stations=stations, clock=self.clock, limits=self.task.limits)

    def _tap(self, device: str) -> Tap | None:
        """Return what keeps every byte of a device: a file in the campaign directory, in virtual time only a ring."""
        if self.settings.is_virtual:
            return None
        folder = self.directory.path / "wire"
        folder.mkdir(exist_ok=True)
        tap = Tap(self.clock, path=folder / f"{device}.jsonl")
        self._taps.append(tap)
        return tap

    def _begin(self, journal: Journal, laboratory: Laboratory, created: datetime) -> None:
        campaign = self.task.campaign
        if self.standing.campaign is None:
            body = {
                "name": campaign.name,
                "created_utc": created.isoformat(),
                "mode": "virtual" if self.settings.is_virtual else "wall",
                "seed": campaign.seed,
                "planner": campaign.planner.policy,
                "config": campaign.data(),
                "lab": self.task.lab.data(),
                "versions": versions(),
                "provenance": {**described(self.task.worlds), **self._charged_by(), **self.settings.provenance},
            }
            journal.append("campaign_created", body)
        self._begin_known(journal)
        self._begin_sources(journal)
        devices = {
            name: {
                "url": laboratory.stations[name].url,
                "identity": f"{found.maker} {found.model} {found.serial} {found.firmware}",
            }
            for name, found in laboratory.identities.items()
        }
        journal.append("controller_started", {"epoch": self.standing.epoch, "devices": devices}, durable=True)

    def _charged_by(self) -> dict[str, Any]:
        given = self.task.campaign.durations
        if given is None or not self.settings.is_virtual:
            return {}
        name = Path(given.file).name
        said = f"computing is charged by {name}, SHA-256 {given.sha256}"
        return {"durations": {"file": name, "sha256": given.sha256, "summary": [said]}}

    def _begin_known(self, journal: Journal) -> None:
        """Journal what is known beforehand, so that a planner that is rebuilt needs no file for it."""
        given, history = self.task.campaign.known, self.standing.history
        if given is None or history.known is not None:
            return
        history.known = [result.data() for result in known_of(self.task.campaign)]
        journal.append(KNOWN, {"table": given.table, "sha256": given.sha256, "results": history.known})

    def _begin_sources(self, journal: Journal) -> None:
        """Journal what sources say, so that the campaign goes on by it whatever becomes of their files."""
        history = self.standing.history
        if not self.task.campaign.sources or history.sources is not None:
            return
        history.sources = [source.data() for source in sources_of(self.task.campaign)]
        journal.append(SOURCES, {"sources": history.sources})

    def _loop(
        self,
        journal: Journal,
        laboratory: Laboratory,
        office: Office,
        analysis: Analysis,
        queue: ComputeQueue | None,
    ) -> CampaignLoop:
        campaign = self.task.campaign
        charges = Charges.of(campaign) if self.settings.is_virtual else None
        analyst = self._analyst(journal, analysis, queue, charges)
        files = self._model_files(journal)
        knowledge = self._knowledge(files)
        evidence = Evidence(self.directory.path, self.clock, fsync=self.settings.fsync)
        runner = Runner(
            journal=journal,
            laboratory=laboratory,
            evidence=evidence,
            stop=self.stop,
            permission=office.direction.permission,
            gate=None if self._guarding is None else self._guarding.gate,
            past=dict(self.standing.past),
            waits=dict(self.standing.waits),
            on_step=_harmless(self.settings.on_step),
        )
        references = self._references(evidence, journal)
        dispatcher, journeys = self._scheduling(journal, laboratory, runner, office)
        hours = self._hours(journal, office, knowledge)
        executor = TrialExecutor(
            compiler=Compiler.of(campaign, self.task.casting),
            dispatcher=dispatcher,
            journeys=journeys,
            runner=runner,
            references=references,
            journal=journal,
            clock=self.clock,
            analyst=analyst,
            seed=campaign.seed,
            context=campaign.context,
            hours=hours,
        )
        asking = Asking(
            campaign=campaign,
            journal=journal,
            clock=self.clock,
            knowledge=knowledge,
            stop=self.stop,
            desk=office.desk,
            charges=charges,
            charge=self.charge,
            history=self.standing.history,
            hours=hours,
            model_files=files,
        )
        loop = CampaignLoop(
            campaign=campaign,
            journal=journal,
            clock=self.clock,
            knowledge=knowledge,
            executor=executor,
            stop=self.stop,
            desk=office.desk,
            asking=asking,
            history=self.standing.history,
            on_progress=_harmless(self.settings.on_progress),
            bill=running_bill(journal, self.clock, self.task.lab.costs),
            hours=hours,
            closed_until=self.standing.closed_until,
        )
        if queue is not None and campaign.planning is not None and campaign.is_ahead:
            asking.ahead = ahead_of(
                campaign,
                campaign.planning,
                knowledge=knowledge,
                queue=queue,
                clock=self.clock,
                journal=journal,
                history=self.standing.history,
                hours=hours,
                charges=charges,
                broke=loop.broke,
            )
        return loop

    def _hours(self, journal: Journal, office: Office, knowledge: Knowledge) -> Timekeeper:
        campaign = self.task.campaign
        return timekeeper_of(
            self.task,
            space=knowledge.space,
            clock=self.clock,
            journal=journal,
            stop=self.stop,
            budget_s=lambda: office.desk.duration_budget_s(campaign.budget.duration_s),
            trials=self.standing.history.trials,
        )

    def _model_files(self, journal: Journal) -> ModelFiles:
        def report(text: str) -> None:
            log.warning("models_not_kept text=%s", text)
            journal.append("incident", {"kind": "fallback", "text": text})

        files = ModelFiles(self.directory.path, fsync=self.settings.fsync, report=report)
        files.caught_up(self.standing.history.book)
        return files

    def _scheduling(
        self, journal: Journal, laboratory: Laboratory, runner: Runner, office: Office
    ) -> tuple[Dispatcher, Journeys | None]:
        devices = {name: item.capacity for name, item in laboratory.stations.items()}
        samples = self.task.lab.samples
        if not isinstance(samples, Racks):
            return Dispatcher(Board(devices), self.clock), None
        dispatcher = Dispatcher(Board(board_names(samples.layout, devices)), self.clock)
        journeys = Journeys(
            layout=samples.layout,
            runner=runner,
            dispatcher=dispatcher,
            journal=journal,
            clock=self.clock,
            where=self.standing.whereabouts,
            furnaces=furnaces_of(self.task.casting),
            attendant=office.attendant,
            advisor=self._advisor(journal),
        )
        return dispatcher, journeys

    def _advisor(self, journal: Journal) -> Advisor | None:
        """Return who plans the runs of furnaces; None where the campaign asks for nobody, or the planner is missing."""
        chosen = self.task.campaign.scheduling
        if chosen is None or not chosen.optimise:
            return None

        def report(text: str) -> None:
            journal.append("incident", {"kind": "fallback", "text": text})

        try:
            # virtual time has no use for a wall clock: the same campaign is to have the same plans
            optimiser = Optimiser(limit_s=chosen.limit_s, is_timed=not self.settings.is_virtual)
        except NotInstalled as error:
            report(f"the rule forms batches: {error}")
            return None
        return Advisor(optimiser=optimiser, report=report, is_aside=not self.settings.is_virtual)

    def _references(self, evidence: Evidence, journal: Journal) -> References:
        references = References(self.clock)
        for row in self.standing.references:
            try:
                references.latest[row["role"]] = evidence.recall(row["path"], row["sha256"])
            except StorageError as error:
                text = f"the last {row['role']} reference is lost and will be measured again: {error}"
                journal.append("incident", {"kind": "fault", "text": text})
        for key, rows in self.standing.chosen.items():
            try:
                references.chosen[key] = [evidence.recall(row["path"], row["sha256"]) for row in rows]
            except StorageError:
                continue  # said above; the trial chooses anew
        return references

    def _knowledge(self, files: ModelFiles) -> Knowledge:
        campaign = self.task.campaign
        deadline_s = campaign.planner.deadline_s
        if deadline_s is None and not self.settings.is_virtual:
            deadline_s = PLANNER_S
        history = self.standing.history
        knowledge = knowledge_of(
            campaign,
            pool=pool_for(campaign, self.task.worlds),
            known=history.known or (),
            sources=history.sources or (),
            deadline_s=deadline_s,
        )
        lost: dict[int, list[Version]] = {}
        for version in files.missing(history.book):
            lost.setdefault(version.ask, []).append(version)

        def kept(ask: int) -> None:
            if ask in lost:
                files.keep(lost[ask], knowledge.live_models())

        knowledge.restore(history.trials, history.findings, told=history.told, before_ask=kept)
        return self.settings.seams.knowledge(knowledge)


async def _make_safe(journal: Journal, laboratory: Laboratory, why: str) -> list[str]:
    """Stop every actuator, journal that where the journal still takes it, and return what could not be stopped."""
    failed = await laboratory.stop_all()
    stopped = [name for name in laboratory.stoppable if name not in failed]
    left = [f"{name} could not be stopped: {reason}" for name, reason in failed.items()]
    said = [("recovery", f"stopped {', '.join(stopped)} after {why}")] if stopped else []
    said += [("intervention", f"{text}; see to it") for text in left]
    for _, text in said:
        log.warning("made_safe %s", text)
    try:
        for kind, text in said:
            journal.append("incident", {"kind": kind, "text": text})
        journal.append("made_safe", {"devices": stopped, "failed": failed, "why": why}, durable=True)
    except StorageError as error:
        log.warning("not_journalled error=%s", error)
    return left


def _report_but_interrupts(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    # asyncio would print the trace of a second Ctrl-C, which the person at the keyboard knows of
    if not isinstance(context.get("exception"), KeyboardInterrupt):
        loop.default_exception_handler(context)


def _harmless(callback: Callable[P, None] | None) -> Callable[P, None] | None:
    """Let a display that fails (its terminal is gone, say) end itself and not the campaign."""
    if callback is None:
        return None
    is_broken = False

    def shown(*args: P.args, **kwargs: P.kwargs) -> None:
        nonlocal is_broken
        if is_broken:
            return
        try:
            callback(*args, **kwargs)
        except Exception:  # the supervisor of displays
            is_broken = True
            log.exception("display_failed")

    return shown
