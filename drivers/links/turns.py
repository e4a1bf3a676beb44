"""Turns: one exchange at a time on a link, in order of arrival, stops first."""

from __future__ import annotations

import asyncio
from collections import deque


class Turns:
    """A lock whose urgent waiters are served before all others.

    It is handed over, never put down between two waiters, so that nobody slips in.
    """

    def __init__(self) -> None:
        self._is_taken = False
        self._urgent: deque[asyncio.Future[None]] = deque()
        self._others: deque[asyncio.Future[None]] = deque()

    def locked(self) -> bool:
        """Say whether somebody has the turn."""
        return self._is_taken

    async def acquire(self, *, urgent: bool = False) -> None:
        """Wait for one's turn; at once, without yielding, if nobody has it."""
        if not self._is_taken:
            self._is_taken = True
            return
        queue = self._urgent if urgent else self._others
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        queue.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.cancelled():
                queue.remove(turn)
            else:
                self.release()  # it had been handed over already
            raise

    def release(self) -> None:
        """Hand the turn over."""
        for queue in (self._urgent, self._others):
            for turn in queue:
                if not turn.done():
                    queue.remove(turn)
                    turn.set_result(None)
                    return
        self._is_taken = False
