"""The dispatcher: the board for tasks that wait."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Sequence
from contextlib import asynccontextmanager

from drivers.clock import Clock
from orchestrator.scheduling.board import Board, Claim, Grant, Option


class Dispatcher:
    """Lets tasks wait for what they claim, and wakes those that are served.

    Args:
        board: Who holds what.
        clock: The time.
        on_grant: Called with each grant before its owner wakes; what it raises, the owner gets.
    """

    def __init__(self, board: Board, clock: Clock, *, on_grant: Callable[[Grant], None] | None = None) -> None:
        self.board = board
        self._clock = clock
        self._on_grant = on_grant
        self._futures: dict[str, asyncio.Future[Grant]] = {}

    async def claim(
        self,
        owner: str,
        options: Sequence[Option],
        *,
        frees: Collection[str] = (),
        is_first: bool = False,
        due_s: float = math.inf,
        work_s: float = 0.0,
    ) -> Option:
        """Wait until one of the options is served, and return it; the owner then holds all of its resources.

        Raises:
            KeyError: A resource is unknown.
            ValueError: The owner waits already.
        """
        claim = Claim(
            owner=owner,
            options=tuple(options),
            asked_s=self._clock.now_s(),
            frees=frozenset(frees),
            is_first=is_first,
            due_s=due_s,
            work_s=work_s,
        )
        self.board.ask(claim)
        future: asyncio.Future[Grant] = asyncio.get_running_loop().create_future()
        self._futures[owner] = future
        self.serve()
        try:
            return (await future).option
        except asyncio.CancelledError:
            if future.done() and not future.cancelled() and future.exception() is None:
                self.board.release(owner, future.result().taken)
            self._futures.pop(owner, None)
            self.board.withdraw(owner)
            self.serve()
            raise

    @asynccontextmanager
    async def holding(self, owner: str, resources: Collection[str]) -> AsyncIterator[None]:
        """Hold resources, all of them together, for as long as the block lasts."""
        wanted = frozenset(resources)
        await self.claim(owner, [Option(name="", resources=wanted)])
        try:
            yield
        finally:
            self.release(owner, wanted)

    def release(self, owner: str, resources: Iterable[str] | None = None) -> None:
        """Take back what an owner holds, all of it where nothing is named, and serve who waits for it."""
        self.board.release(owner, resources)
        self.serve()

    def serve(self) -> None:
        """Serve what can be served; call it when the board was changed by other hands."""
        for grant in self.board.grants(self._clock.now_s()):
            future = self._futures.pop(grant.claim.owner)
            if future.done():  # its task was cancelled in this very turn
                self.board.release(grant.claim.owner, grant.taken)
                continue
            try:
                if self._on_grant is not None:
                    self._on_grant(grant)
            except Exception as error:  # the owner's to handle: what is granted must be on record before it is used
                self.board.release(grant.claim.owner, grant.taken)
                future.set_exception(error)
            else:
                future.set_result(grant)
