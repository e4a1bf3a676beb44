"""A journal in a campaign directory, and a desk on it that can be killed and started again."""

import asyncio
from dataclasses import dataclass, field, replace

import pytest

from drivers.clock import VirtualClock, VirtualLoop, run_virtual
from orchestrator.directory import CampaignDirectory
from orchestrator.journal import Journal
from orchestrator.lab import Limit
from orchestrator.people.desk import Desk
from orchestrator.people.judging import Facts
from orchestrator.people.reading import events_of
from planner import Continuous, SearchSpace

FACTS = Facts(
    trials={1: "told", 2: "running", 3: "lost"},
    outcomes={1: "measured", 3: "lost"},
    devices=frozenset({"furnace", "arm"}),
    step_kinds=frozenset({"fire", "mill"}),
    limits={"furnace.fire.target": Limit.model_validate({"low": "20 degC", "high": "1100 degC"})},
    trials_budget=20,
    elapsed_s=3600.0,
    space=lambda: SearchSpace([Continuous("x", 0.0, 1.0)]),
)


@dataclass
class Office:
    """One campaign directory and, one after another, the controllers that run in it."""

    path: object
    facts: Facts = FACTS
    last_s: float = 0.0
    told: list = field(default_factory=list)

    def __post_init__(self):
        self.directory = CampaignDirectory.create(self.path, {})
        self.epoch = 0

    def run(self, work, *, start_s=None):
        """Run ``await work(desk)`` in virtual time as a new controller that dies without closing its journal."""
        loop = VirtualLoop(self.last_s if start_s is None else start_s)
        clock = VirtualClock(loop)
        self.epoch += 1
        engine = self.directory.database(fsync=False, migrate=True)
        journal = Journal(engine, clock, epoch=self.epoch, boot_id="boot")

        async def main():
            desk = Desk(journal, clock, self.path, facts=lambda: self.facts, on_order=self.told.append)
            try:
                return await work(desk)
            finally:
                self.last_s = clock.now_s()

        try:
            return run_virtual(main(), loop=loop)
        finally:
            journal.connection.close()
            engine.dispose()

    def events(self, *kinds):
        engine = self.directory.database(fsync=False, migrate=True)
        try:
            with engine.connect() as connection:
                return events_of(connection, kinds)
        finally:
            engine.dispose()

    def know(self, **changes):
        self.facts = replace(self.facts, **changes)


@pytest.fixture
def office(tmp_path):
    return Office(tmp_path / "campaign")


async def later(seconds, work):
    """Do something after a while of the loop's time."""
    await asyncio.sleep(seconds)
    return work()
