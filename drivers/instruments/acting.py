"""What goes wrong in a command after it has begun to act."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import TypeVar

from drivers.errors import Ambiguous, NotSent, Rejected, Unreadable

T = TypeVar("T")


async def after_acting(rest: Awaitable[T]) -> T:
    """Await the rest of a command that has acted already: errors that say "nothing was done" are no longer true.

    Raises:
        Ambiguous: A reading was lost, or a later step was refused or not sent.
    """
    try:
        return await rest
    except (Unreadable, NotSent, Rejected) as error:
        raise Ambiguous(f"{error.message}; the command had begun before", wire=error.wire) from error
