"""Whether powders, liquids and containers last, say until Monday.

What is there is what the lab file stocks, since the campaign began or somebody filled it up, less every dose since. A
filling that names what was filled makes it full again; one that does not name anything leaves everything unknown.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from orchestrator import units
from orchestrator.consumables import Use
from orchestrator.events import Event
from orchestrator.health.finding import Finding, Level
from orchestrator.words import duration, moment, number, quantity

DAY_S = 86_400.0
WINDOW_S = 7 * DAY_S
SHORTEST_S = 600.0
SOON_S = 7 * DAY_S
FAR_S = 1000 * DAY_S
MARGIN = 1.1
"""What the rest of a campaign may take more than its trials so far did."""
KINDS = ("doubted", "seen_to", "order")


@dataclass(frozen=True, slots=True, kw_only=True)
class Filling:
    """Somebody filled something up, or it ran out."""

    at_s: float
    material: str | None
    """None where nobody said what."""
    is_empty: bool = False
    """Whether it ran out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shelf:
    """One consumable."""

    material: str
    stocked: float | None
    """When full, in `unit`; None where the lab file does not say."""
    unit: str
    uses: Sequence[Use]
    """Every one of this material, oldest first, in `unit`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    """What lies ahead, in the campaign's seconds."""

    now_s: float
    now_utc: datetime
    horizon_s: float
    horizon: str
    """In words."""
    trials_begun: int
    trials_left: int | None
    is_over: bool


def fillings(events: Iterable[Event], held: Mapping[str, str], magazine: str | None) -> Iterator[Filling]:
    """Return when what was filled up, or ran out.

    held: the material that each dispenser holds, by device.
    magazine: the place that containers come from.
    """
    doubts: dict[str, str] = {}
    for event in events:
        body = event.body
        if event.kind == "doubted":
            if (material := _run_out(body, held)) is not None:
                doubts[str(body.get("name"))] = material
                yield Filling(at_s=event.at_s, material=material, is_empty=True)
        elif event.kind == "seen_to":
            if (material := doubts.pop(str(body.get("name")), None)) is not None:
                yield Filling(at_s=event.at_s, material=material)
        elif _is_restock(body):
            named = list(_named(str(body.get("reason")), held, magazine))
            yield from (Filling(at_s=event.at_s, material=material) for material in named or [None])


def _run_out(doubt: Mapping[str, Any], held: Mapping[str, str]) -> str | None:
    facts = doubt.get("facts", {})
    if doubt.get("kind") == "restock":
        return facts.get("place")
    return held.get(str(facts.get("device"))) if facts.get("code") == "empty" else None


def _is_restock(order: Mapping[str, Any]) -> bool:
    return (
        bool(order.get("is_done"))
        and order.get("kind") == "handled"
        and order.get("arguments", {}).get("what") == "restock"
    )


def _named(reason: str, held: Mapping[str, str], magazine: str | None) -> Iterator[str]:
    words = {word.strip(".").casefold() for word in re.findall(r"[\w.+-]+", reason)}
    if magazine is not None and magazine.casefold() in words:
        yield magazine
    for material in dict.fromkeys(held.values()):
        devices = [device for device, held_there in held.items() if held_there == material]
        if any(name.casefold() in words for name in (material, *devices)):
            yield material


def shelves(uses: Iterable[Use], stocked: Mapping[str, units.Measure]) -> list[Shelf]:
    """Return every consumable that is stocked or was used, in the unit that its doses have."""
    found: dict[str, list[Use]] = {}
    for use in uses:
        found.setdefault(use.material, []).append(use)
    return [_shelf(name, found.get(name, ()), stocked.get(name)) for name in dict.fromkeys([*stocked, *found])]


def _shelf(name: str, uses: Sequence[Use], full: units.Measure | None) -> Shelf:
    unit = uses[0].unit if uses else full.unit if full is not None else "1"
    stocked = None
    if full is not None and units.same_dimension(full.unit, unit):
        stocked = units.convert(full.value, full.unit, unit)
    return Shelf(material=name, stocked=stocked, unit=unit, uses=tuple(uses))


def stock(shelf: Shelf, filled: Sequence[Filling], outlook: Outlook) -> Finding:
    """Say how much is left of a consumable, and until when it lasts.

    filled: oldest first.
    """
    name = f"stock {shelf.material}"
    ours = [filling for filling in filled if filling.material in (shelf.material, None)]
    last = ours[-1] if ours else None
    since_s = 0.0 if last is None or shelf.stocked is None else last.at_s
    used = sum(use.amount for use in shelf.uses if use.at_s >= since_s)
    if last is not None and last.is_empty and not outlook.is_over:
        text = f"it ran out at {duration(last.at_s)}, and nobody has filled it since"
        return Finding(name=name, level=Level.WARNING, text=text, do="fill it, and answer the question about it")
    if shelf.stocked is None or (last is not None and last.material is None):
        return _unknown(name, shelf, last, used, outlook)
    left = max(0.0, shelf.stocked - used)
    some = number(left, 3) if shelf.unit == "1" else _amount(left, shelf.unit)
    text = f"{some} of {_amount(shelf.stocked, shelf.unit)} are left by what was taken"
    if outlook.is_over:
        return Finding(name=name, level=Level.OK, text=text)
    return _forecast(name, shelf, left, text, outlook)


def _unknown(name: str, shelf: Shelf, last: Filling | None, used: float, outlook: Outlook) -> Finding:
    rate = per_s(shelf.uses, outlook.now_s)
    pace = "" if rate is None else f", {_amount(rate * DAY_S, shelf.unit)} a day at present"
    why, since = "the lab file does not say", ""
    do = f"write what is stocked into the lab file of the next campaign: {_example(shelf)}"
    if shelf.stocked is not None and last is not None:
        why, since = f"somebody restocked at {duration(last.at_s)} without saying what", " since"
        do = f"name what was filled: {_handled(shelf)}"
    text = f"how much there is is unknown, as {why}; {_amount(used, shelf.unit)} were used{since}{pace}"
    return Finding(name=name, level=Level.OK if outlook.is_over else Level.NOTE, text=text, do=do)


def _handled(shelf: Shelf) -> str:
    return f"`labpilot orders handled restock DIR --reason '{shelf.material} filled'`"


def _example(shelf: Shelf) -> str:
    if shelf.unit == "1":
        return "stock: {containers: 400}"
    return f"stock: {{materials: {{{shelf.material}: {'500 mL' if shelf.unit == 'mL' else '200 g'}}}}}"


def _forecast(name: str, shelf: Shelf, left: float, text: str, outlook: Outlook) -> Finding:
    rate = per_s(shelf.uses, outlook.now_s)
    if rate is None:
        return Finding(
            name=name, level=Level.OK, text=f"{text}; too little was used lately to tell how long that lasts"
        )
    lasts_s = left / rate
    text = f"{text}; {_amount(rate * DAY_S, shelf.unit)} a day at present make it last {_until(lasts_s, outlook)}"
    if (needed := _needed(shelf, outlook)) is not None and left >= needed:
        text = f"{text}; the rest of the campaign takes {_amount(needed, shelf.unit)}"
        return Finding(name=name, level=Level.OK, text=text)
    do = f"fill it up, and say so: {_handled(shelf)}"
    if outlook.now_s + lasts_s < outlook.horizon_s:
        return Finding(name=name, level=Level.WARNING, text=f"{text}, before {outlook.horizon}", do=do)
    if lasts_s < SOON_S:
        return Finding(name=name, level=Level.NOTE, text=text, do=do)
    return Finding(name=name, level=Level.OK, text=text)


def _until(lasts_s: float, outlook: Outlook) -> str:
    if lasts_s > FAR_S:
        return "for years"
    return f"{duration(lasts_s)}, until {moment((outlook.now_utc + timedelta(seconds=lasts_s)).isoformat())}"


def per_s(uses: Sequence[Use], now_s: float) -> float | None:
    """Return the present rate of use, that of the last week; None where it cannot be told."""
    window_s = min(WINDOW_S, now_s)
    if window_s < SHORTEST_S:
        return None
    used = sum(use.amount for use in uses if use.at_s > now_s - window_s)
    return used / window_s if used > 0 else None


def _needed(shelf: Shelf, outlook: Outlook) -> float | None:
    """Return what the trials that are left will take, if they are like those that were."""
    if outlook.trials_left is None or not outlook.trials_begun:
        return None
    return MARGIN * outlook.trials_left * sum(use.amount for use in shelf.uses) / outlook.trials_begun


def _amount(value: float, unit: str) -> str:
    if unit == "1":
        return f"{number(value, 3)} containers"
    if unit == "mg" and value >= 1000:
        return quantity(value / 1000, "g", 3)
    return quantity(value, unit, 3)
