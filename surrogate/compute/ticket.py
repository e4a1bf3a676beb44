"""What the caller holds of a job that was submitted."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from surrogate.compute.errors import JobCancelled, JobFailed, StalePlan, StillAtWork
from surrogate.compute.jobs import Job, Outcome
from surrogate.compute.plain import Plain


class Ticket:
    """A job that was submitted."""

    def __init__(self, number: int, job: Job, cancel: Callable[[int], None]) -> None:
        self.number, self.job = number, job
        self._cancel = cancel
        self.ended: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()

    async def outcome(self, *, within_s: float) -> Outcome:
        """Wait until the job has ended.

        Raises:
            StillAtWork: It has not, after so long; it goes on.
        """
        try:
            async with asyncio.timeout(within_s):
                return await asyncio.shield(self.ended)
        except TimeoutError as error:
            raise StillAtWork(
                f"{self.job.label} has not ended within {within_s:g} s; wait again, or cancel it"
            ) from error

    async def value(self, *, within_s: float) -> Plain:
        """Wait for the result.

        Raises:
            StillAtWork: There is none after so long.
            JobFailed, JobCancelled, StalePlan: There will be none.
        """
        outcome = await self.outcome(within_s=within_s)
        if outcome.status == "failed":
            raise JobFailed(self.job.function, outcome.reason, outcome.attempts)
        if outcome.status == "cancelled":
            raise JobCancelled(f"{self.job.label} was cancelled")
        if outcome.status == "refused":
            raise StalePlan(f"{self.job.label}: {outcome.reason}")
        return outcome.value

    def cancel(self) -> None:
        """Say that nobody wants the result any more; does nothing once it has ended."""
        self._cancel(self.number)
