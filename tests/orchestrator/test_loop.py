import asyncio
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest

from drivers.clock import VirtualClock, VirtualLoop, run_virtual
from orchestrator.errors import StorageError
from orchestrator.history import History
from orchestrator.loop import CampaignLoop
from orchestrator.outcomes import StopRequested, StopSwitch
from orchestrator.records import TrialRecord
from orchestrator.trials import Verdict


@dataclass
class Executor:
    """Trial 1 ends otherwise than it should while trial 2 is in the middle of an act."""

    clock: VirtualClock
    stop: StopSwitch
    error: Exception
    ended: list[Any] = field(default_factory=list)

    async def run(self, trial):
        if trial.number == 1:
            await self.clock.sleep(1.0)
            raise self.error
        if trial.number == 2:
            await self.clock.sleep(10.0)
            self.ended.append(("act", self.clock.now_s(), self.stop.is_set))
            return Verdict(outcome="measured")
        await self.stop.unless_set(self.clock.sleep(86_400.0))
        return Verdict(outcome="measured")


def work_off(error):
    loop = VirtualLoop()
    clock = VirtualClock(loop)
    stop = StopSwitch()
    executor = Executor(clock, stop, error)
    trials = [
        TrialRecord(number=n, parameters={}, ask=0, is_control=False, proposal_id=None, state="accepted")
        for n in (1, 2, 3)
    ]
    asks: Any = SimpleNamespace(at_once=1, batch=1)
    made: Any = {
        "campaign": asks,
        "journal": None,
        "knowledge": None,
        "asking": SimpleNamespace(ahead=None, close=lambda: None),
        "desk": SimpleNamespace(intent="run"),
    }
    campaign = CampaignLoop(clock=clock, executor=executor, stop=stop, history=History(trials=trials), **made)
    try:
        run_virtual(campaign._until_ended(), loop=loop)
    finally:
        assert executor.ended == [("act", 10.0, True)]
    return [trial.number for trial in campaign.history.trials if trial.is_open]


def test_a_stop_lets_the_acts_of_other_trials_end_but_not_their_waits():
    assert work_off(StopRequested("stop")) == [1, 3]


@pytest.mark.parametrize("error", [StorageError("the disk is full"), RuntimeError("a defect")], ids=repr)
def test_what_ends_the_campaign_lets_the_acts_of_other_trials_end(error):
    with pytest.raises(type(error), match=str(error)):
        work_off(error)


def test_a_cancelled_campaign_waits_for_nothing():
    async def main():
        stop = StopSwitch()
        task = asyncio.ensure_future(stop.unless_set(asyncio.sleep(100.0)))
        await asyncio.sleep(1.0)
        stop.is_set = True
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return asyncio.get_running_loop().time()

    assert run_virtual(main(), loop=VirtualLoop()) == 1.0
