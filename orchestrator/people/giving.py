"""Giving an order from outside: checked against what the campaign says now, spooled, and watched until it is read."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

from orchestrator.controllers import controller_is_alive
from orchestrator.directory import CampaignDirectory
from orchestrator.errors import InputError, StorageError
from orchestrator.events import Event
from orchestrator.people.judging import Facts, judge
from orchestrator.people.orders import Kind, Order
from orchestrator.people.reading import read_facts, read_state
from orchestrator.people.spool import Delivered, Spool
from orchestrator.people.state import DeskState, Given
from orchestrator.reading import open_reading

URGENT = frozenset({Kind.PAUSE, Kind.STOP, Kind.ABORT})
"""Orders that are given even where the campaign cannot be read."""
PAUSE_S = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """What became of an order so far."""

    order: Order
    given: Given | None
    """What the controller made of it; None: it has not read it yet."""
    is_controlled: bool
    """Whether a controller runs."""


def give(path: Path, order: Order, *, within_s: float) -> Receipt:
    """Give an order to the campaign in a directory, and wait for a moment for what comes of it.

    within_s: how long a running controller is given to read it.

    Raises:
        InputError: There is no campaign, or the order means nothing in it; it was not given.
        StorageError: It could not be written, or the campaign cannot be read; it was not given.
    """
    CampaignDirectory.open(path)
    spool = Spool(path)
    _refuse_in_vain(path, spool, order)
    spool.put(order)
    if not controller_is_alive(path):
        return Receipt(order=order, given=None, is_controlled=False)
    return Receipt(order=order, given=_awaited(path, order, within_s), is_controlled=True)


def _refuse_in_vain(path: Path, spool: Spool, order: Order) -> None:
    try:
        state, facts = expected(path, spool)
    except StorageError:
        if order.kind in URGENT:
            return
        raise
    verdict = judge(order, state, facts)
    if not verdict.is_done:
        raise InputError(verdict.text)
    _refuse_finished(path)


def expected(path: Path, spool: Spool) -> tuple[DeskState, Facts]:
    """Return what people have said, with the orders that wait in the spool counted in, and what orders refer to.

    Raises:
        InputError: There is no campaign, or nothing has happened in it yet.
        StorageError: It cannot be read.
    """
    with open_reading(path) as reading:
        state, facts = read_state(reading.connection), read_facts(reading)
    for delivered in spool.delivered():
        if delivered.order is not None and delivered.id not in state.orders:
            state.apply(_as_if_read(delivered, delivered.order, state, facts))
    return state, facts


def _refuse_finished(path: Path) -> None:
    with open_reading(path) as reading:
        campaign = reading.campaign()
    if campaign.status == "finished":
        raise InputError(f"the campaign in {path} has finished ({campaign.reason}); nothing would read an order")


def _as_if_read(delivered: Delivered, order: Order, state: DeskState, facts: Facts) -> Event:
    verdict = judge(order, state, facts)
    body = {
        "id": order.id,
        "kind": str(order.kind),
        "arguments": dict(order.arguments),
        "user": delivered.user,
        "name": order.name,
        "reason": order.reason,
        "is_done": verdict.is_done,
        "text": verdict.text,
    }
    return Event(seq=0, kind="order", at_s=0.0, utc=order.written_utc, body=body)


def _awaited(path: Path, order: Order, within_s: float) -> Given | None:
    until_s = time.monotonic() + within_s
    while True:
        given = _given(path, order)
        if given is not None or time.monotonic() >= until_s:
            return given
        time.sleep(PAUSE_S)


def _given(path: Path, order: Order) -> Given | None:
    try:
        with open_reading(path) as reading:
            return read_state(reading.connection).orders.get(order.id)
    except StorageError:
        return None  # it lies in the spool; that the database cannot be read is the controller's trouble
