"""Calls of drivers: each has a deadline, and nothing but a `DriverError` comes out, whatever a driver does."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from drivers.command import Effect
from drivers.errors import Ambiguous, DriverError, Unreadable
from orchestrator.errors import StorageError

PATIENCE_S = 600.0
"""A command that is still running this long after its own timeout is in doubt, whatever its driver says."""


async def call(
    method: Callable[..., Awaitable[Any]],
    arguments: Mapping[str, Any],
    *,
    effect: Effect,
    deadline_s: float,
    device: str,
    command: str,
) -> Any:
    """Call a method of a driver: the supervisor of drivers, for what the `command` decorator does not see.

    Raises:
        DriverError: As the driver says; Ambiguous (Unreadable for a READ) where it says nothing, or nonsense.
        StorageError: The file of a simulated world in this process cannot be written.
    """
    deadline = asyncio.timeout(deadline_s)
    try:
        async with deadline:
            return await method(**arguments)
    except DriverError as error:
        _refuse_full_world(error)
        raise
    except Exception as error:  # the supervisor of drivers: nothing of theirs may end a campaign
        _refuse_full_world(error)
        text = f"no outcome within {deadline_s:g} s"
        if not deadline.expired():
            text = f"the driver failed with {type(error).__name__}: {error}"
        kind = Unreadable if effect is Effect.READ else Ambiguous
        raise kind(text, device=device, command=command) from error


def _refuse_full_world(error: BaseException) -> None:
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, sqlite3.Error):
            raise StorageError(
                f"a simulated world could not write its file ({cause}); free some space, then `labpilot resume`"
            ) from error
        cause = cause.__cause__
