"""A simulated person, for campaigns in virtual time: answers after a while, by rules, and does what the answer says."""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import numpy as np

from drivers.clock import Clock
from orchestrator.people.desk import Desk
from orchestrator.people.orders import Kind, Order
from orchestrator.people.state import Asked

log = logging.getLogger(__name__)

ActOnWorld = Callable[[str, Mapping[str, Any]], Awaitable[str]]
"""Called with the question's kind and its facts; changes the simulated world as the person's hands would, and says what
was done. It may be called again for one question after a kill, so it must not mind what it finds done."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Habits:
    """How the person behaves."""

    choices: Mapping[str, str] = field(default_factory=dict)
    """What is answered, by the question's kind; ``*`` stands for any other. A kind with no rule is never answered."""
    median_s: float = 1800.0
    spread: float = 2.0
    """Factor between the median delay and one standard deviation beyond it (the delay is log-normal)."""
    never: float = 0.0
    """Share of questions that are never answered."""


@dataclass(slots=True, kw_only=True)
class SimulatedPerson:
    """Answers what is asked at a desk; give `notice` to the desk as `on_asked`.

    The delay is drawn from the seed and the question's key and counts from when it was asked, so that no kill changes
    when or what is answered.
    """

    clock: Clock
    seed: int
    habits: Habits
    act_on_world: ActOnWorld
    desk: Desk | None = None
    _tasks: dict[str, asyncio.Task[None]] = field(default_factory=dict)

    def notice(self, asked: Asked) -> None:
        """Hear a question."""
        key = asked.question.key
        choice = self.choice(asked)
        if choice is not None and key not in self._tasks:
            task = asyncio.get_running_loop().create_task(self._answer(asked, choice))
            task.add_done_callback(_tell_if_broken)
            self._tasks[key] = task

    def choice(self, asked: Asked) -> str | None:
        """Return what the person will say; None: nothing, for ever."""
        rules, question = self.habits.choices, asked.question
        choice = rules.get(question.kind, rules.get("*"))
        if choice is None or self._chance(question.key).random() < self.habits.never:
            return None
        question.choice(choice)
        return choice

    def answers_at_s(self, asked: Asked) -> float:
        """Return when the person answers, by the campaign's clock."""
        chance = self._chance(asked.question.key)
        chance.random()  # whether there is an answer at all
        return asked.at_s + self.habits.median_s * float(self.habits.spread ** chance.standard_normal())

    def _chance(self, key: str) -> np.random.Generator:
        digest = hashlib.sha256(f"{self.seed}/{key}".encode()).digest()
        return np.random.default_rng(int.from_bytes(digest[:16], "big"))

    async def _answer(self, asked: Asked, choice: str) -> None:
        await self.clock.sleep_until(self.answers_at_s(asked))
        if self.desk is None or asked.answer is not None:
            return
        done = await self.act_on_world(asked.question.kind, {**asked.question.facts, "choice": choice})
        self.desk.submit(self._order(asked, choice, done), user="simulated")

    def _order(self, asked: Asked, choice: str, done: str) -> Order:
        digest = hashlib.sha256(f"{self.seed}/{asked.question.key}".encode()).hexdigest()
        return Order(
            id=f"simulated-{digest[:32]}",
            kind=Kind.ANSWER,
            reason=f"{done or 'decided'}, after {timedelta(seconds=round(self.clock.now_s() - asked.at_s))}",
            arguments={"question": asked.question.key, "choice": choice},
            name="simulated person",
            written_utc=self.clock.utc().isoformat(),
        )

    async def close(self) -> None:
        """Answer nothing any more.

        Raises:
            StorageError: An answer could not be journalled.
        """
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        for outcome in await asyncio.gather(*tasks, return_exceptions=True):
            if isinstance(outcome, Exception):
                raise outcome


def _tell_if_broken(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and task.exception() is not None:
        log.error("simulated_person_broke error=%r", task.exception())
