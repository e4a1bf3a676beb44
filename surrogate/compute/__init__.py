"""Computing work between experiments: a queue with deadlines, preemption and fallbacks.

``async with ComputeQueue(ProcessPool(workers=1)) as queue`` takes a `Job` and hands back its `Outcome`; with a
`SimulatedPool` the same queue runs in virtual time. docs/compute.md tells how.
"""

from surrogate.compute.costs import CostModel
from surrogate.compute.errors import (
    BadJob,
    ComputeError,
    JobCancelled,
    JobFailed,
    NotPlain,
    StalePlan,
    StillAtWork,
    WrongCosts,
)
from surrogate.compute.jobs import Job, JobClass, Outcome, Rung, plan_deadline, plan_ladder
from surrogate.compute.metrics import Metrics
from surrogate.compute.pool import Pool, ProcessPool
from surrogate.compute.queue import Clock, ComputeQueue
from surrogate.compute.simulated import SimulatedPool
from surrogate.compute.state import Rules
from surrogate.compute.ticket import Ticket

__all__ = [
    "BadJob",
    "Clock",
    "ComputeError",
    "ComputeQueue",
    "CostModel",
    "Job",
    "JobCancelled",
    "JobClass",
    "JobFailed",
    "Metrics",
    "NotPlain",
    "Outcome",
    "Pool",
    "ProcessPool",
    "Rules",
    "Rung",
    "SimulatedPool",
    "StalePlan",
    "StillAtWork",
    "Ticket",
    "WrongCosts",
    "plan_deadline",
    "plan_ladder",
]
