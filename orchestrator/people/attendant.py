"""The attendant at the desk: has people see to what is in doubt, and asks again for as long as nobody has."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from drivers.clock import Clock
from orchestrator.people.desk import Desk
from orchestrator.people.questions import About, Answer, Choice, Question

SEEN_TO, KEEP_CLOSED = "seen-to", "keep-closed"


class InDoubt(Protocol):
    """Something that is closed until somebody has looked (`orchestrator.journey.Doubt`)."""

    @property
    def name(self) -> str: ...  # noqa: D102
    @property
    def kind(self) -> str: ...  # noqa: D102
    @property
    def text(self) -> str: ...  # noqa: D102
    @property
    def closed(self) -> tuple[str, ...]: ...  # noqa: D102
    @property
    def facts(self) -> Mapping[str, Any]: ...  # noqa: D102


async def _nothing_more(_doubt: InDoubt, _answer: Answer) -> str:
    return ""


@dataclass(slots=True, kw_only=True)
class DeskAttendant:
    """Asks at the desk. What is in doubt stays closed until a person says that it was seen to."""

    desk: Desk
    clock: Clock
    remind_s: float = 12 * 3600.0
    """Deadline of one question; after it, the same is asked again."""
    escalate_s: float = 2 * 3600.0
    confirmed: Callable[[InDoubt, Answer], Awaitable[str]] = _nothing_more
    """Does what else is to be done once somebody says that it was seen to; returns why it cannot be, or nothing."""

    async def see_to(self, doubt: InDoubt) -> str:
        """Return what was done, once somebody says so.

        Raises:
            StorageError: The journal could not be written.
        """
        n, why = 1, ""
        while True:
            answer = await self.desk.ask(self._question(doubt, n, why))
            if answer.choice == SEEN_TO:
                why = await self.confirmed(doubt, answer)
                if not why:
                    return str(answer)
                n += 1
                continue
            await self.clock.sleep_until(answer.at_s if answer.by == "default" else answer.at_s + self.remind_s)
            n += 1

    def _question(self, doubt: InDoubt, n: int, why: str) -> Question:
        return Question(
            key=f"{doubt.name}.{n}",
            kind=doubt.kind,
            text=_text(doubt) + (f"; not yet: {why}" if why else ""),
            choices=(
                # the incident that goes with a doubt counts as the intervention, so the answer does not
                Choice(name=SEEN_TO, text="somebody has looked and put it right; it is opened again"),
                Choice(name=KEEP_CLOSED, text="it stays closed, and the question comes again later"),
            ),
            default=KEEP_CLOSED,
            deadline_s=self.remind_s,
            escalate_s=self.escalate_s,
            about=About(places=doubt.closed),
            facts=doubt.facts,
        )


def _text(doubt: InDoubt) -> str:
    if not doubt.closed:
        return doubt.text
    names = ", ".join(name.removeprefix("@") for name in doubt.closed)
    return f"{doubt.text} (closed until then: {names})"
