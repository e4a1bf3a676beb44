"""Queues in virtual time, for tests."""

from dataclasses import replace

from drivers.clock import VirtualClock, VirtualLoop, run_virtual
from surrogate.compute import ComputeQueue, CostModel, Job, JobClass, SimulatedPool

WORK = "tests.surrogate.compute.work:"
DOUBLE = Job(job_class=JobClass.UPDATE, function=WORK + "double", arguments={"x": 3}, expected_s=2.0)
TOTAL = Job(
    job_class=JobClass.REFIT, function=WORK + "total", arguments={"n": 10}, steps=True, expected_s=60.0, slice_s=5.0
)
PLAN = replace(DOUBLE, job_class=JobClass.PLAN, seen=0)


def live(life, *, workers=1, costs=None, rules=None, seed=0, **pool):
    """Run a coroutine function of a queue and a clock in virtual time."""
    loop = VirtualLoop()
    clock = VirtualClock(loop)

    async def main():
        made = SimulatedPool(workers=workers, costs=costs or CostModel(), seed=seed, **pool)
        async with ComputeQueue(made, rules=rules, costs=costs, clock=clock) as queue:
            return await life(queue, clock)

    return run_virtual(main(), loop=loop)
