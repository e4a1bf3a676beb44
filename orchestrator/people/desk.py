"""The desk: where orders and answers of people arrive, and where the campaign asks.

Whatever counts is in the journal before anything follows from it. An order is journalled with its effect in one event,
so that it is carried out exactly once however often its file is read; what is open after a restart goes on from there.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from drivers.clock import Clock
from orchestrator.events import Event
from orchestrator.journal import Journal
from orchestrator.lab import Limit
from orchestrator.people.intent import Intent
from orchestrator.people.judging import Facts, Verdict, judge, narrowed
from orchestrator.people.orders import Kind, Order
from orchestrator.people.questions import APPROVE, Answer, Question
from orchestrator.people.reading import read_state
from orchestrator.people.spool import Delivered, Spool
from orchestrator.people.state import Asked, Given, given

log = logging.getLogger(__name__)

POLL_S = 1.0
"""How often the spool is looked into, in wall time."""


class Desk:
    """Takes orders, asks questions, and says what people want.

    Args:
        journal: Where everything is written down first.
        clock: Deadlines are counted by it.
        directory: The campaign directory, with the spool in it.
        facts: Says what orders can refer to at this moment.
        on_order: Called after an order was journalled and taken in, done or refused; a wake-up and nothing more, since
            a kill may come before it: what is wanted is always in `intent`, `is_held`, `skips` and the rest.
        on_asked: Called whenever a question is open, also one from before a restart that is asked again.
    """

    def __init__(
        self,
        journal: Journal,
        clock: Clock,
        directory: Path,
        *,
        facts: Callable[[], Facts],
        on_order: Callable[[Given], None] | None = None,
        on_asked: Callable[[Asked], None] | None = None,
    ) -> None:
        self._journal = journal
        self._clock = clock
        self._spool = Spool(directory)
        self._facts = facts
        self._on_order = on_order
        self._on_asked = on_asked
        self._closings: dict[str, asyncio.Event] = {}
        self._left: set[str] = set()
        self.state = read_state(journal.connection)

    @property
    def clock(self) -> Clock:
        """What deadlines are counted by."""
        return self._clock

    def facts(self) -> Facts:
        """Return what orders can refer to at this moment."""
        return self._facts()

    @property
    def intent(self) -> Intent:
        """What people want of the campaign as a whole."""
        return self.state.intent

    def is_held(self, *, device: str | None = None, step_kind: str | None = None) -> bool:
        """Say whether a device or a kind of step is held, so that no step of it may begin."""
        return ("device", device) in self.state.held or ("step_kind", step_kind) in self.state.held

    def skips(self, trial: int) -> bool:
        """Say whether a trial shall be given up."""
        return trial in self.state.skipped

    def override(self, kind: str, name: str) -> Given | None:
        """Return the order that overrides a ``limit`` or a ``quarantine``; one of a quarantine that began before it."""
        return self.state.overrides.get((kind, name))

    def limit(self, name: str, limit: Limit) -> Limit:
        """Return a limit of the files, device.command.argument, as narrow as people have made it since."""
        return narrowed(limit, self.state.limits.get(name, {}))

    def trials_budget(self, of_file: int) -> int:
        """Return how many trials the campaign may do by now."""
        return self.state.budget.get("trials", of_file)

    def duration_budget_s(self, of_file: float | None) -> float | None:
        """Return how long the campaign may take by now."""
        return self.state.budget.get("duration_s", of_file)

    @property
    def requeues(self) -> list[int]:
        """Trials that shall be made again and were not yet; `requeued` takes one off the list."""
        return list(self.state.requeues)

    def requeued(self, trial: int, *, as_trial: int) -> None:
        """Note that a trial is made again under another number; rides on the next commit, as the new trial does."""
        self._note("requeued", {"trial": trial, "as_trial": as_trial})

    def advised(self, order_id: str, *, n_told: int) -> int:
        """Note that the planner takes a piece of advice, and return how many observations it knew when it first did."""
        if order_id not in self.state.advised:
            self._note("advised", {"order": order_id, "since": n_told})
        return self.state.advised[order_id]

    async def run(self) -> None:
        """Read orders at once, and then as they come. In virtual time only at once: nobody could be quick enough.

        Raises:
            StorageError: The journal could not be written.
        """
        self.read_orders()
        while not self._clock.is_virtual:
            await self._clock.sleep(POLL_S)
            self.read_orders()
            self.close_overdue()
            self._journal.flush()  # what waits for a commit that may be hours away

    def read_orders(self) -> None:
        """Take in every order that waits in the spool.

        Raises:
            StorageError: The journal could not be written; the orders stay in the spool.
        """
        try:
            for delivered in self._spool.delivered():
                self._take(delivered)
        except OSError as error:
            self._once("the spool of orders", error)

    def submit(self, order: Order, *, user: str) -> Given:
        """Take in an order that came another way than through the spool, and return what came of it.

        Raises:
            StorageError: The journal could not be written; the order was not given.
        """
        known = self.state.orders.get(order.id)
        return known or self._decide(order, user)

    def _take(self, delivered: Delivered) -> None:
        if delivered.id not in self.state.orders:
            if delivered.order is None:
                self._refuse(delivered)
            else:
                self._decide(delivered.order, delivered.user)
        try:
            self._spool.move(delivered)
        except OSError as error:
            self._once(f"order {delivered.name}, which stays in the spool", error)

    def _decide(self, order: Order, user: str) -> Given:
        verdict = judge(order, self.state, self._facts())
        body = _body(order, user, verdict)
        trial = order.arguments.get("trial") if verdict.is_done else None
        closes = order.kind is Kind.ANSWER and verdict.is_done
        events = [self._journal.append("order", body, trial=trial, durable=not closes)]
        if closes:  # with the order in one transaction
            who = f"{order.name} (as {user})" if order.name else user
            key, choice = order.arguments["question"], order.arguments["choice"]
            events.append(self._append_closing(key, choice, "person", who, order.reason))
        for event in events:
            self._take_in(event)
        return self._told(events[0])

    def _refuse(self, delivered: Delivered) -> Given:
        body = {
            "id": delivered.id,
            "kind": "",
            "arguments": {},
            "user": delivered.user,
            "name": None,
            "reason": "",
            "is_done": False,
            "text": f"the file {delivered.name} is no order: {delivered.problem}",
        }
        event = self._journal.append("order", body, durable=True)
        self._take_in(event)
        return self._told(event)

    def _told(self, event: Event) -> Given:
        order = self.state.orders[given(event).id]
        log.info("order id=%s kind=%s by=%s done=%s: %s", order.id, order.kind, order.who, order.is_done, order.text)
        if self._on_order is not None:
            self._on_order(order)
        return order

    async def ask(self, question: Question) -> Answer:
        """Ask people, and return their answer; the default once the deadline is over.

        A key that was asked before, also before a restart, is not asked again: its answer is returned, or its deadline
        goes on. Whoever stops waiting (a cancelled task) leaves the question open.

        Raises:
            StorageError: The journal could not be written.
        """
        asked = self._open(question)
        if asked.answer is None and self._on_asked is not None:
            self._on_asked(asked)
        if asked.answer is None and asked.escalate_at_s is not None and not asked.is_escalated:
            await self._closed_before(asked, asked.escalate_at_s)
            self._escalate(asked)
        if asked.answer is None:
            await self._closed_before(asked, asked.deadline_at_s)
            self._default(asked)
        return _answer_of(asked)

    async def approves(self, question: Question) -> bool:
        """Ask an `approval` and say whether it was given."""
        return (await self.ask(question)).choice == APPROVE

    def withdraw(self, key: str, reason: str) -> None:
        """Close a question that no longer matters.

        Raises:
            StorageError: The journal could not be written.
        """
        asked = self.state.questions[key]
        if asked.answer is None:
            self._close(key, asked.question.default, "withdrawn", "labpilot", reason)

    def withdraw_about(self, name: str, reason: str) -> None:
        """Close the open question about something that is in doubt no more.

        Raises:
            StorageError: The journal could not be written.
        """
        for asked in self.state.open_questions():
            if asked.question.key.rpartition(".")[0] == name:
                self.withdraw(asked.question.key, reason)

    def close_overdue(self) -> None:
        """Close questions whose deadline is over, also those that nobody waits for since a restart.

        Raises:
            StorageError: The journal could not be written.
        """
        for asked in self.state.open_questions():
            if asked.deadline_at_s <= self._clock.now_s():
                self._default(asked)

    def _open(self, question: Question) -> Asked:
        if question.key not in self.state.questions:
            self._note("question_asked", question.data(), trial=question.about.trial, durable=True)
        return self.state.questions[question.key]

    async def _closed_before(self, asked: Asked, until_s: float) -> None:
        """Wait for an answer, but not beyond an instant."""
        closing = self._closings.setdefault(asked.question.key, asyncio.Event())
        try:
            async with asyncio.timeout(max(0.0, until_s - self._clock.now_s())):
                await closing.wait()
        except TimeoutError:
            return

    def _escalate(self, asked: Asked) -> None:
        if asked.answer is None and not asked.is_escalated:
            self._note("question_escalated", asked.question.data(), trial=asked.question.about.trial, durable=True)

    def _default(self, asked: Asked) -> None:
        if asked.answer is None and not self._clock.is_virtual:
            self.read_orders()  # an answer that lies in the spool by now comes before the default
        if asked.answer is None:
            reason = f"nobody answered within {asked.question.deadline_s:g} s"
            self._close(asked.question.key, asked.question.default, "default", "labpilot", reason)

    def _close(self, key: str, choice: str, by: str, who: str, reason: str) -> None:
        self._take_in(self._append_closing(key, choice, by, who, reason))

    def _append_closing(self, key: str, choice: str, by: str, who: str, reason: str) -> Event:
        question = self.state.questions[key].question
        body = {
            "key": key,
            "kind": question.kind,
            "choice": choice,
            "hand": str(question.choice(choice).hand),
            "by": by,
            "who": who,
            "reason": reason,
        }
        return self._journal.append("question_closed", body, trial=question.about.trial, durable=True)

    def _note(self, kind: str, body: Mapping[str, Any], *, trial: int | None = None, durable: bool = False) -> None:
        self._take_in(self._journal.append(kind, body, trial=trial, durable=durable))

    def _take_in(self, event: Event) -> None:
        self.state.apply(event)
        if event.kind == "question_closed" and event.body["key"] in self._closings:
            self._closings[event.body["key"]].set()

    def _once(self, what: str, error: OSError) -> None:
        text = f"{what} cannot be read or moved: {error.strerror}"
        if text not in self._left:
            self._left.add(text)
            log.warning("spool_trouble text=%s", text)
            self._journal.append("incident", {"kind": "people", "text": text})


def _body(order: Order, user: str, verdict: Verdict) -> dict[str, Any]:
    return {
        "id": order.id,
        "kind": str(order.kind),
        "arguments": dict(order.arguments),
        "user": user,
        "name": order.name,
        "reason": order.reason,
        "written_utc": order.written_utc,
        "is_done": verdict.is_done,
        "text": verdict.text,
    }


def _answer_of(asked: Asked) -> Answer:
    if asked.answer is None:
        raise RuntimeError(f"question {asked.question.key!r} is neither answered nor over")
    return asked.answer
