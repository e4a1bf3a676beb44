"""What can go wrong with computing work.

ComputeError
├── BadJob         the job cannot be taken as it stands (also a ValueError)
├── NotPlain       a value is no plain data (also a TypeError)
├── JobFailed      every attempt and every alternative failed
├── JobCancelled   it was cancelled, or the queue was closed
├── StalePlan      more results are unseen by the plan than may be
├── StillAtWork    no outcome within the time that the caller gave (also a TimeoutError)
└── WrongCosts     a file holds no cost model (also a ValueError)
"""

from __future__ import annotations


class ComputeError(RuntimeError):
    """Something is wrong with computing work."""


class BadJob(ComputeError, ValueError):
    """The job cannot be taken as it stands; the message says what to change."""


class NotPlain(ComputeError, TypeError):
    """A value is not made of numbers, words, lists, dicts and numeric arrays."""


class JobFailed(ComputeError):
    """Every attempt and every alternative failed; the reason is that of the last one."""

    def __init__(self, function: str, reason: str, attempts: int) -> None:
        super().__init__(f"{function} failed after {attempts} attempts: {reason}")
        self.function, self.reason, self.attempts = function, reason, attempts


class JobCancelled(ComputeError):
    """It was cancelled, or the queue was closed, before it was done."""


class StalePlan(ComputeError):
    """More results are unseen by the plan than may be; plan again with what is known now."""


class StillAtWork(ComputeError, TimeoutError):
    """There is no outcome yet; the job goes on, so wait again or cancel it."""


class WrongCosts(ComputeError, ValueError):
    """A file holds no cost model, or one of another version."""
