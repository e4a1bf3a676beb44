"""Attention: what a person must see to, and what stays closed until then.

A place where a lost sample may lie, a furnace that failed: nobody is given it until somebody has looked. The rest of
the laboratory goes on meanwhile.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Protocol

from orchestrator.errors import StorageError
from orchestrator.journal import Journal
from orchestrator.journey import Doubt, Whereabouts
from orchestrator.outcomes import StopRequested, StopSwitch
from orchestrator.scheduling.dispatcher import Dispatcher

log = logging.getLogger(__name__)


RESTOCK = "restock"
"""The kind of what was planned for: stock that has run out is no intervention."""


class Attendant(Protocol):
    """Whoever sees to things."""

    async def see_to(self, doubt: Doubt) -> str:
        """Return what was done, once it is."""
        ...


@dataclass(slots=True, kw_only=True)
class Attention:
    """Closes what is in doubt, asks, and opens it again."""

    where: Whereabouts
    dispatcher: Dispatcher
    journal: Journal
    stop: StopSwitch
    attendant: Attendant
    on_seen_to: Callable[[], None] | None = None
    """Called once something is open again."""
    _tasks: dict[str, asyncio.Task[None]] = field(default_factory=dict)

    def raise_(
        self,
        kind: str,
        text: str,
        *,
        facts: Mapping[str, Any],
        closed: Sequence[str] = (),
        trial: int | None = None,
        device: str = "",
        is_more: bool = False,
    ) -> Doubt:
        """Close something and ask a person to see to it.

        is_more: a person is on the way there already, so it is no other intervention.

        Raises:
            StorageError: The journal could not be written.
        """
        doubt = Doubt(
            name=f"{kind}-{self.where.n_doubts + 1:04d}", kind=kind, text=text, closed=tuple(closed), facts=dict(facts)
        )
        self.where.apply(self.journal.append("doubted", {**asdict(doubt), "closed": list(closed)}, trial=trial))
        counted = "fault" if is_more else RESTOCK if kind == RESTOCK else "intervention"
        body = {"kind": counted, "device": device, "text": text}
        self.journal.append("incident", body, trial=trial, durable=True)
        self._take_up(doubt)
        return doubt

    async def until_seen_to(self, doubt: Doubt) -> None:
        """Wait until a person has seen to it.

        Raises:
            StopRequested: The operator asked to stop.
        """
        task = self._tasks.get(doubt.name)
        if task is not None:
            await self.stop.unless_set(_ended(task))

    def restore(self) -> None:
        """Take up what was in doubt before a restart."""
        for doubt in list(self.where.doubted.values()):
            self._take_up(doubt)

    def _take_up(self, doubt: Doubt) -> None:
        for resource in doubt.closed:
            self.dispatcher.board.close(resource)
        task = asyncio.get_running_loop().create_task(self._seen_to(doubt))
        self._tasks[doubt.name] = task
        task.add_done_callback(lambda _: self._tasks.pop(doubt.name, None))

    def override(self, resource: str, text: str, *, given_s: float) -> list[str]:
        """Open what was closed before an instant though nobody has seen to it: a person takes it upon themselves.

        Returns:
            The names of what was in doubt.

        Raises:
            StorageError: The journal could not be written.
        """
        found = [
            doubt
            for doubt in self.where.doubted.values()
            if resource in doubt.closed and self.where.doubted_s[doubt.name] <= given_s
        ]
        for doubt in found:
            self._conclude(doubt, text)
            if (task := self._tasks.get(doubt.name)) is not None:
                task.cancel()
        return [doubt.name for doubt in found]

    def settle(self, name: str, text: str) -> None:
        """Open what was closed because it is known from elsewhere that it was seen to.

        Raises:
            StorageError: The journal could not be written.
        """
        self._conclude(self.where.doubted[name], text)
        if (task := self._tasks.get(name)) is not None:
            task.cancel()

    async def _seen_to(self, doubt: Doubt) -> None:
        try:
            self._conclude(doubt, await self.stop.unless_set(self.attendant.see_to(doubt)))
        except StopRequested:
            return
        except StorageError as error:  # whoever acts next meets it, and ends the campaign
            log.error("not_journalled doubt=%s error=%s", doubt.name, error)

    def _conclude(self, doubt: Doubt, answer: str) -> None:
        self.where.apply(self.journal.append("seen_to", {"name": doubt.name, "answer": answer}, durable=True))
        for resource in doubt.closed:
            if not any(resource in other.closed for other in self.where.doubted.values()):
                self.dispatcher.board.reopen(resource)
        self.dispatcher.serve()
        if self.on_seen_to is not None:
            self.on_seen_to()

    async def close(self) -> None:
        """Wait for nobody any more."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _ended(task: asyncio.Task[None]) -> None:
    await asyncio.wait([task])
