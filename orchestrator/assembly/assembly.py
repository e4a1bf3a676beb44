"""One campaign: its parts put together on a clock, run under supervision, and taken apart again."""

from __future__ import annotations

import asyncio
from contextlib import ExitStack, nullcontext
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any

from orchestrator.analysis import Analysis
from orchestrator.assembly.basis import Basis
from orchestrator.assembly.beginning import begin
from orchestrator.assembly.campaign_loop import loop_of
from orchestrator.assembly.premises import laboratory_of, worlds_of
from orchestrator.assembly.safety import disk_watched, guarding_of, make_safe
from orchestrator.computing import queue_for
from orchestrator.errors import Fenced
from orchestrator.guard.gate import Gate
from orchestrator.interrupts import interrupts
from orchestrator.laboratory import Laboratory
from orchestrator.loop import CampaignLoop, Ending
from orchestrator.office import Office
from orchestrator.watchdog import watched
from orchestrator.worlds import Worlds, hands_in


@dataclass(slots=True)
class Assembly:
    """What runs one campaign from its basis, until something ends it."""

    basis: Basis
    _aborted_for: str = ""

    async def run(self) -> Ending:
        """Connect, recover, loop, and close, whatever happens."""
        asyncio.get_running_loop().set_exception_handler(_report_but_interrupts)
        created = self.basis.clock.utc()
        worlds = worlds_of(self.basis)
        try:
            with ExitStack() as taps:
                laboratory = laboratory_of(self.basis, worlds, taps)
                await worlds.caught_up()
                await laboratory.connect()
                try:
                    return await self._attended(laboratory, worlds, created)
                finally:
                    await laboratory.close()
        finally:
            worlds.close()
            self.basis.journal.close()

    async def _attended(self, laboratory: Laboratory, worlds: Worlds, created: datetime) -> Ending:
        """Begin and run the loop, beside the people and the guard; where the guard does not start, leave what runs."""
        office = self._office(laboratory, worlds)
        async with office.telling(), watched(self.basis.clock):
            with interrupts(self.basis.stop):
                await self._begun(laboratory, created)
                guarding = guarding_of(self.basis, laboratory, office, worlds)
                gate = None if guarding is None else guarding.gate
                async with nullcontext() if guarding is None else guarding.running():
                    return await self._supervised(laboratory, office, gate)

    async def _begun(self, laboratory: Laboratory, created: datetime) -> None:
        """Journal that this controller begins; where not even that can be written, make the instruments safe."""
        try:
            begin(self.basis, laboratory, created)
        except Fenced:
            raise
        except Exception as error:
            await make_safe(self.basis, laboratory, f"{type(error).__name__}: {error}")
            raise

    async def _supervised(self, laboratory: Laboratory, office: Office, gate: Gate | None) -> Ending:
        """Run the loop; where that ends otherwise than it should, make the instruments safe."""
        try:
            ending = await self._looped(laboratory, office, gate)
        except asyncio.CancelledError as error:
            if not self._aborted_for:
                await make_safe(self.basis, laboratory, f"{type(error).__name__}: {error}")
                raise
            return await self._aborted(laboratory)
        except Fenced:
            raise  # the instruments are another controller's by now, and so are its furnace programs
        except Exception as error:
            await make_safe(self.basis, laboratory, f"{type(error).__name__}: {error}")
            raise
        if ending.status != "faulted":
            return ending
        left = await make_safe(self.basis, laboratory, ending.reason)
        return replace(ending, reason="; ".join([ending.reason, *left]))

    async def _aborted(self, laboratory: Laboratory) -> Ending:
        """Make the instruments safe because a person ordered it, and journal that this is how it ended."""
        if (task := asyncio.current_task()) is not None:
            task.uncancel()
        left = await make_safe(self.basis, laboratory, self._aborted_for)
        ending = Ending(status="stopped", reason="; ".join([self._aborted_for, *left]))
        self.basis.journal.append("campaign_ended", asdict(ending), durable=True)
        return ending

    async def _looped(self, laboratory: Laboratory, office: Office, gate: Gate | None) -> Ending:
        campaign = self.basis.campaign
        analysis = self.basis.settings.seams.analysis(Analysis.of(campaign))
        planners = campaign.planning.workers if campaign.planning is not None and campaign.is_ahead else 0
        async with queue_for(analysis, self.basis.clock, planners=planners) as queue:
            loop = loop_of(self.basis, laboratory, office, gate=gate, analysis=analysis, queue=queue)
            try:
                return await self._open(loop, office)
            finally:
                loop.knowledge.close()

    async def _open(self, loop: CampaignLoop, office: Office) -> Ending:
        """Run the loop while people may order and answer."""
        journeys, standing = loop.executor.journeys, self.basis.standing
        attention = None if journeys is None else journeys.attention
        async with office.open_for(attention, loop.reconsider), disk_watched(self.basis, office.abort):
            if journeys is not None:
                await journeys.begin(standing.epoch + 1, loop.history.trials)
            if office.trips is not None:
                office.trips.open_for(attention)
            return await loop.run()

    def _office(self, laboratory: Laboratory, worlds: Worlds) -> Office:
        basis, task = self.basis, asyncio.current_task()

        def abort(why: str) -> None:
            if task is not None and not self._aborted_for:
                self._aborted_for = why
                task.cancel()

        return Office(
            task=basis.task,
            journal=basis.journal,
            clock=basis.clock,
            directory=basis.directory.path,
            laboratory=laboratory,
            stop=basis.stop,
            history=basis.history,
            hands=hands_in(worlds, basis.task.worlds, basis.clock) if basis.is_virtual else (),
            abort=abort,
            orders=basis.settings.seams.orders,
        )


def _report_but_interrupts(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    # asyncio would print the trace of a second Ctrl-C, which the person at the keyboard knows of
    if not isinstance(context.get("exception"), KeyboardInterrupt):
        loop.default_exception_handler(context)
