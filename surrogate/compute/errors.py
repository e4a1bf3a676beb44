"""What can go wrong with computing work.

ComputeError
├── BadJob         the job cannot be taken as it stands (also a ValueError)
├── NotPlain       a value is no plain data (also a TypeError)
├── JobFailed      every attempt and every alternative failed
├── JobCancelled   it was cancelled, or the queue was closed
├── StalePlan      more results are unseen by the plan than may be
├── StillAtWork    no outcome within the time that the caller gave (also a TimeoutError)
├── WrongCosts     a file holds no cost model (also a ValueError)
└── ClusterError   a cluster of several machines cannot be used
    ├── UnsafeCluster   its address or certificates are not safe, or cannot be read (also a ValueError)
    ├── NoCluster       it does not answer, or has gone (also a ConnectionError)
    └── UnlikeWorkers   its workers are not like this process
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence


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


class ClusterError(ComputeError):
    """A cluster of several machines cannot be used."""


class UnsafeCluster(ClusterError, ValueError):
    """Whoever is in the network could run code by it, or its certificates cannot be read."""


class NoCluster(ClusterError, ConnectionError):
    """The scheduler does not answer, or has gone."""


class UnlikeWorkers(ClusterError):
    """Workers have another labpilot, or other libraries, than this process; `differences` are by worker's address."""

    def __init__(self, message: str, differences: Mapping[str, Sequence[str]]) -> None:
        super().__init__(message)
        self.differences = differences
