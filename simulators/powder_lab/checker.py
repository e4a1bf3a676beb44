"""Reads what a powder laboratory wrote of itself, and tells what should never have happened.

It knows nothing of the world's code and nothing of the controller's: it reads the world's file, and a list of what the
controller meant to do, as plain data. Each intent is a mapping:

    id        the command's id, or the tag that its device was told
    device    the device's name in the world, as ``arm-1``
    at_s      when it was written down, before anything was sent
    ends_s    when it was over, by then at the latest; optional, and only for acts that bear no tag
    purpose   what it is for, as ``sample 7: dose BaCO3``; optional. What must be done once is done once for a purpose
"""

from __future__ import annotations

import json
import sqlite3
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zlib import crc32

from drivers.instruments.automation import sample_id
from drivers.instruments.shaker_mark import OVER, RunMark

SOON_S = 1e-6
LATE_S = 60.0
"""How long after an intent is over its last acts may come: a stop, a door that arrives."""
CLOSING_S = 4.0
"""What the enclosure needs to close."""
COUNTLESS = ("chute", "floor", "away")
MAGAZINE = "magazine"
NEED_NO_INTENT = frozenset({"stop", "reset"})
"""Whoever makes a device safe need not have written it down first."""
SAFE_C = 30.0
"""A furnace that is told to be no hotter than this is made safe."""
ARM = "arm-"
ARM_ACTS = frozenset({"transfer", "placed", "dropped", "move"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """One row of the world's log."""

    number: int
    what: str
    once: bool
    at_s: float
    facts: Mapping[str, Any]

    @property
    def device(self) -> str:
        """Which device did it; empty where none did."""
        return str(self.facts.get("device", ""))

    @property
    def is_ordered(self) -> bool:
        """Whether it needs an intent."""
        return "by" not in self.facts and self.what not in NEED_NO_INTENT and not self._cools

    @property
    def _cools(self) -> bool:
        """Whether it takes a furnace's target away: the driver's stop sets no ramp, then a target that is cold."""
        facts = self.facts
        is_cold = self.what == "setpoint" and float(facts.get("target_c", SAFE_C + 1.0)) <= SAFE_C
        return is_cold or (self.what == "rate" and facts.get("rate_k_per_min") == 0.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Intent:
    """What a controller meant to do; see the module."""

    id: str
    device: str
    at_s: float
    ends_s: float = float("inf")
    purpose: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Violation:
    """Something that should never have happened."""

    rule: str
    detail: str
    at_s: float
    acts: tuple[int, ...] = ()
    """Numbers of the acts that show it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """What the world's file says."""

    acts: tuple[Act, ...]
    """In the order of time."""
    containers: Mapping[str, Mapping[str, Any]]


def check(path: Path | str, intents: Iterable[Mapping[str, Any]]) -> list[Violation]:
    """Return every violation that a world's file shows, in the order of time.

    Raises:
        ValueError: An intent lacks something, or the file is no powder laboratory's.
    """
    return violations(read(path), intents)


def violations(written: Written, intents: Iterable[Mapping[str, Any]]) -> list[Violation]:
    """Return every violation, in the order of time."""
    told = [_intent(row) for row in intents]
    found = [
        *_without_intent(written.acts, told),
        *_twice(written.acts, told),
        *_noted(written.acts),
        *_open_doors(written.acts),
        *_Places().follow(written),
    ]
    return sorted(found, key=lambda violation: (violation.at_s, violation.acts))


def read(path: Path | str) -> Written:
    """Read a world's file.

    Raises:
        ValueError: It is no powder laboratory's.
    """
    with closing(sqlite3.connect(f"{Path(path).absolute().as_uri()}?mode=ro", uri=True)) as db:
        rows = db.execute(
            "SELECT key, value FROM state WHERE key = 'world' OR key GLOB 'act/*' OR key GLOB 'container/*'"
        )
        found = {key: json.loads(value) for key, value in rows}
    if found.get("world", {}).get("name") != "powder-lab":
        raise ValueError(f"{path} is not the file of a powder laboratory")
    return written_of(found)


def written_of(rows: Mapping[str, Any]) -> Written:
    """Return what rows of a world's file say."""
    acts = [Act(number=int(key[4:]), **row) for key, row in rows.items() if key.startswith("act/")]
    containers = {key.removeprefix("container/"): row for key, row in rows.items() if key.startswith("container/")}
    return Written(acts=tuple(sorted(acts, key=lambda act: (act.at_s, act.number))), containers=containers)


def _intent(row: Mapping[str, Any]) -> Intent:
    try:
        return Intent(**row)
    except TypeError as error:
        raise ValueError(f"{dict(row)} is no intent: {error}") from error


def _names(act: Act) -> tuple[str, str] | None:
    """Return which command an act bears the mark of, as its device keeps it; None where it bears none."""
    tag, mark = act.facts.get("tag"), act.facts.get("mark")
    if tag:
        return act.device, str(tag)
    run = RunMark.read(mark) if isinstance(mark, str) else None
    if run is not None:
        return act.device, run.digest
    return (act.device, str(mark)) if isinstance(mark, int) else None


def _names_of(intent: Intent) -> set[tuple[str, str]]:
    """Return the marks that a command of this intent can leave."""
    digest = RunMark.of(intent.id, OVER, 0.0).digest
    program = str(crc32(intent.id.encode()) % 9999 + 1)
    return {(intent.device, name) for name in (intent.id, sample_id(intent.id), digest, program)}


def _by_name(intents: Sequence[Intent]) -> Mapping[tuple[str, str], list[Intent]]:
    found: dict[tuple[str, str], list[Intent]] = defaultdict(list)
    for intent in intents:
        for name in _names_of(intent):
            found[name].append(intent)
    return found


def _without_intent(acts: Sequence[Act], intents: Sequence[Intent]) -> Iterator[Violation]:
    named, of_device = _by_name(intents), defaultdict(list)
    for intent in intents:
        of_device[intent.device].append(intent)
    for act in acts:
        if not act.is_ordered or not act.device or act.what == "unsafe":
            continue
        name = _names(act)
        candidates = of_device[act.device] if name is None else named.get(name, [])
        if not any(_covers(intent, act, is_named=name is not None) for intent in candidates):
            yield _violation("act without intent", act, f"{act.device} did {act.what!r} ({dict(act.facts)})")


def _covers(intent: Intent, act: Act, *, is_named: bool) -> bool:
    has_begun = intent.at_s <= act.at_s + SOON_S
    return has_begun and (is_named or act.at_s <= intent.ends_s + LATE_S)


def _twice(acts: Sequence[Act], intents: Sequence[Intent]) -> Iterator[Violation]:
    named = _by_name(intents)
    times: Counter[tuple[str, tuple[str, str]]] = Counter()
    for_purpose: dict[tuple[str, str], Act] = {}
    for act in acts:
        name = _names(act) if act.once else None
        if name is None:
            continue
        times[act.what, name] += 1
        meant = named.get(name, [])
        if times[act.what, name] > max(1, len({intent.id for intent in meant})):
            yield _violation("once-act done twice", act, f"{act.device} did {act.what!r} again under {name[1]!r}")
        elif len(meant) == 1 and meant[0].purpose:
            first = for_purpose.setdefault((act.what, meant[0].purpose), act)
            if first is not act:
                detail = f"{act.what!r} again for {meant[0].purpose!r}, under another tag"
                yield _violation("once-act done twice", act, detail, first.number)


def _noted(acts: Sequence[Act]) -> Iterator[Violation]:
    """Yield what the world itself noted as unsafe."""
    for act in acts:
        if act.what == "unsafe":
            yield _violation(str(act.facts.get("rule", "unsafe")), act, str(dict(act.facts)))


def _open_doors(acts: Sequence[Act]) -> Iterator[Violation]:
    opened_s, closed_s = float("inf"), float("-inf")
    for act in acts:
        if act.what == "door" and act.device == "enclosure":
            if act.facts.get("target") == "open":
                opened_s, closed_s = min(opened_s, act.at_s), float("inf")
            else:
                closed_s = act.at_s + CLOSING_S
        if act.at_s >= closed_s:
            opened_s, closed_s = float("inf"), float("-inf")
        yield from _at_doors(act, is_enclosure_open=opened_s + SOON_S < act.at_s)


def _at_doors(act: Act, *, is_enclosure_open: bool) -> Iterator[Violation]:
    is_arms = act.device.startswith(ARM) and act.what in ARM_ACTS  # a changer moves too, in a case of its own
    if is_arms and (is_enclosure_open or act.facts.get("enclosure_position", 0.0) > 0.0):
        yield _violation("motion with an open enclosure", act, f"{act.device} did {act.what!r}")
    if is_arms and act.facts.get("door_position", 1.0) < 1.0:
        yield _violation("arm in a closed furnace", act, f"{act.device} did {act.what!r} at {act.facts.get('place')}")
    if act.what == "program" and act.facts.get("is_door_open"):
        yield _violation("firing with an open door", act, f"{act.device} began a program")


class _Places:
    """Follows containers through the acts."""

    def __init__(self) -> None:
        self._where: dict[str, str] = {}
        self._at: dict[str, set[str]] = defaultdict(set)
        self._tags: dict[str, Any] = {}
        """Under which tag each container was picked up last."""

    def follow(self, written: Written) -> Iterator[Violation]:
        for act in written.acts:
            container = act.facts.get("container")
            if container is None:
                continue
            place = str(act.facts.get("place", ""))
            match act.what:
                case "transfer":
                    yield from self._picked(act, container, place)
                case "placed" | "dropped" as what:
                    yield from self._let_go(act, container)
                    yield from self._moved(act, container, act.device, place if what == "placed" else "floor")
                case "carried" | "taken" | "put":
                    yield from self._moved(act, container, self._where.get(container, ""), place)
        yield from self._ends(written)

    def _picked(self, act: Act, container: str, place: str) -> Iterator[Violation]:
        if place == MAGAZINE:
            if container in self._where:
                yield _violation("two containers of one name", act, f"{container} came from the magazine twice")
            self._where[container] = MAGAZINE
        self._tags[container] = act.facts.get("tag")
        yield from self._moved(act, container, place, act.device)

    def _let_go(self, act: Act, container: str) -> Iterator[Violation]:
        picked, tag = self._tags.get(container), act.facts.get("tag")
        if container in self._tags and picked != tag:
            yield _violation("lost container", act, f"{container} was picked up for {picked!r}, let go for {tag!r}")

    def _moved(self, act: Act, container: str, before: str, place: str) -> Iterator[Violation]:
        was = self._where.get(container, "")
        if was != before or not was:
            detail = (
                f"{container} was at {was or 'no known place'}, and {act.what!r} took it from {before or 'nowhere'}"
            )
            yield _violation("lost container", act, detail)
        self._at[was].discard(container)
        others = self._at[place] if place not in COUNTLESS else set()
        if others:
            yield _violation(
                "two samples in one place", act, f"{container} beside {', '.join(sorted(others))} at {place}"
            )
        self._where[container] = place
        self._at[place].add(container)

    def _ends(self, written: Written) -> Iterator[Violation]:
        last_s = written.acts[-1].at_s if written.acts else 0.0
        for container in sorted({*self._where, *written.containers}):
            row, where = written.containers.get(container), self._where.get(container)
            at = None if row is None else row.get("at")
            if not at or at != where:
                detail = f"{container} is at {at or 'no place'}, but its acts end at {where or 'no place'}"
                yield Violation(rule="lost container", detail=detail, at_s=last_s)


def _violation(rule: str, act: Act, detail: str, *others: int) -> Violation:
    return Violation(rule=rule, detail=detail, at_s=act.at_s, acts=(*others, act.number))
