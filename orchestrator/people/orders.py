"""Orders: what a person can tell a campaign to do, as values, and what each must say."""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from orchestrator import units
from orchestrator.fields import did_you_mean

MOST_BYTES = 64_000
"""An order is a few words; whatever is longer is none."""


MOST_TRIALS = 10_000_000

_ID = re.compile(r"[A-Za-z0-9._-]{1,100}")


class BadOrder(ValueError):
    """This is no order; the message says why."""


class Kind(StrEnum):
    """What is ordered."""

    PAUSE = "pause"
    GO_ON = "go-on"
    STOP = "stop"
    ABORT = "abort"
    SKIP = "skip"
    REQUEUE = "requeue"
    OVERRIDE = "override"
    ANSWER = "answer"
    HOLD = "hold"
    RELEASE = "release"
    SET_BUDGET = "set-budget"
    SET_LIMIT = "set-limit"
    HANDLED = "handled"
    SUGGEST = "suggest"
    FORBID = "forbid"
    ALLOW = "allow"
    HINT = "hint"
    FORGET = "forget"
    ROLLBACK = "rollback"


ADVICE = (Kind.SUGGEST, Kind.FORBID, Kind.ALLOW, Kind.HINT, Kind.FORGET, Kind.ROLLBACK)
"""What is said to the planner."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """One order as it was given."""

    id: str
    kind: Kind
    reason: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    name: str | None = None
    """The name that the person gave, kept beside the operating-system user."""
    written_utc: str = ""

    def encoded(self) -> bytes:
        """Return the order as the text of a file."""
        return json.dumps({**asdict(self), "kind": str(self.kind)}, indent=1, sort_keys=True).encode()

    @classmethod
    def decoded(cls, data: bytes) -> Order:
        """Read what `encoded` wrote.

        Raises:
            BadOrder: It is no order.
        """
        if len(data) > MOST_BYTES:
            raise BadOrder(f"an order has at most {MOST_BYTES} bytes, got {len(data)}")
        try:
            found = json.loads(data)
        except (ValueError, RecursionError) as error:
            raise BadOrder(f"no JSON ({error})") from None
        if not isinstance(found, dict):
            raise BadOrder("no JSON object")
        return cls._of(found)

    @classmethod
    def _of(cls, found: Mapping[str, Any]) -> Order:
        unknown = sorted(set(found) - {"id", "kind", "reason", "arguments", "name", "written_utc"})
        if unknown:
            raise BadOrder(f"an order has no {unknown[0]!r}")
        for key in ("id", "kind", "reason"):
            if not isinstance(found.get(key), str) or (key != "reason" and not found[key]):
                raise BadOrder(f"{key!r} must be text")
        if not _ID.fullmatch(found["id"]):
            raise BadOrder("'id' must be up to 100 letters, digits, dots and dashes")
        arguments = found.get("arguments", {})
        if not isinstance(arguments, dict):
            raise BadOrder("'arguments' must be an object")
        return checked(
            cls(
                id=found["id"],
                kind=_kind(found["kind"]),
                reason=found["reason"],
                arguments=arguments,
                name=_text_or_none(found, "name"),
                written_utc=_text_or_none(found, "written_utc") or "",
            )
        )


def new_order(kind: Kind, *, reason: str, now: datetime, name: str | None = None, **arguments: Any) -> Order:
    """Return a new order; its id sorts by the time at which it was given.

    Raises:
        BadOrder: An argument is missing or wrong.
    """
    given = {key: value for key, value in arguments.items() if value is not None}
    return checked(
        Order(
            id=f"{now:%Y%m%dT%H%M%S.%f}-{secrets.token_hex(4)}",
            kind=kind,
            reason=reason.strip(),
            arguments=given,
            name=name,
            written_utc=now.isoformat(),
        )
    )


def checked(order: Order) -> Order:
    """Return the order if it says what its kind must say.

    Raises:
        BadOrder: It does not.
    """
    if not order.reason.strip():
        raise BadOrder(f"an order to {order.kind} needs a reason: whoever reads the journal later wants to know why")
    needed, allowed, check = _SHAPES[order.kind]
    for key in order.arguments:
        if key not in allowed:
            raise BadOrder(f"{order.kind} has no argument {key!r}{did_you_mean(key, allowed)}")
        if not _TYPES[key](order.arguments[key]):
            raise BadOrder(f"{order.kind}: {key} cannot be {order.arguments[key]!r}")
    for key in needed:
        if key not in order.arguments:
            raise BadOrder(f"{order.kind} needs {key!r}")
    if check is not None:
        check(order)
    return order


def _kind(word: str) -> Kind:
    try:
        return Kind(word)
    except ValueError:
        raise BadOrder(f"no order is called {word!r}{did_you_mean(word, [str(kind) for kind in Kind])}") from None


def _text_or_none(found: Mapping[str, Any], key: str) -> str | None:
    value = found.get(key)
    if value is not None and not isinstance(value, str):
        raise BadOrder(f"{key!r} must be text")
    return value


def _one_of(*keys: str) -> Callable[[Order], None]:
    def check(order: Order) -> None:
        if sum(key in order.arguments for key in keys) != 1:
            raise BadOrder(f"{order.kind} needs exactly one of {' and '.join(keys)}")

    return check


def _some_of(*keys: str) -> Callable[[Order], None]:
    def check(order: Order) -> None:
        if not any(key in order.arguments for key in keys):
            raise BadOrder(f"{order.kind} needs {' or '.join(keys)}")

    return check


def _bounds(order: Order) -> None:
    _some_of("low", "high")(order)
    if str(order.arguments["limit"]).count(".") != 2:
        raise BadOrder(f"a limit is named device.command.argument, got {order.arguments['limit']!r}")


def _is_text(value: object) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= MOST_TRIALS


def _is_duration(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < float("inf")


def _is_object(value: object) -> bool:
    return isinstance(value, dict) and bool(value)


def _is_probability(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0.0 < value < 1.0


def _is_quantity(value: object) -> bool:
    try:
        units.measure(value)
    except units.UnitError:
        return False
    return isinstance(value, str)


_TYPES: Mapping[str, Callable[[object], bool]] = {
    "trial": _is_whole,
    "trials": _is_whole,
    "duration_s": _is_duration,
    "limit": _is_text,
    "quarantine": _is_text,
    "withdraw": lambda value: isinstance(value, bool),
    "question": _is_text,
    "choice": _is_text,
    "device": _is_text,
    "step_kind": _is_text,
    "low": _is_quantity,
    "high": _is_quantity,
    "point": _is_object,
    "area": _is_object,
    "label": _is_text,
    "confidence": _is_probability,
    "version": _is_text,
    "what": lambda value: value in ("hardware", "planner", "restock"),
}

_Check = Callable[[Order], None]
_SHAPES: Mapping[Kind, tuple[tuple[str, ...], tuple[str, ...], _Check | None]] = {
    Kind.PAUSE: ((), (), None),
    Kind.GO_ON: ((), (), None),
    Kind.STOP: ((), (), None),
    Kind.ABORT: ((), (), None),
    Kind.SKIP: (("trial",), ("trial",), None),
    Kind.REQUEUE: (("trial",), ("trial",), None),
    Kind.OVERRIDE: ((), ("limit", "quarantine", "withdraw"), _one_of("limit", "quarantine")),
    Kind.ANSWER: (("question", "choice"), ("question", "choice"), None),
    Kind.HOLD: ((), ("device", "step_kind"), _one_of("device", "step_kind")),
    Kind.RELEASE: ((), ("device", "step_kind"), _one_of("device", "step_kind")),
    Kind.SET_BUDGET: ((), ("trials", "duration_s"), _some_of("trials", "duration_s")),
    Kind.SET_LIMIT: (("limit",), ("limit", "low", "high"), _bounds),
    Kind.HANDLED: (("what",), ("what",), None),
    Kind.SUGGEST: (("point",), ("point",), None),
    Kind.FORBID: (("label", "area"), ("label", "area"), None),
    Kind.ALLOW: (("label",), ("label",), None),
    Kind.HINT: (("label", "area", "confidence"), ("label", "area", "confidence"), None),
    Kind.FORGET: (("label",), ("label",), None),
    Kind.ROLLBACK: (("version",), ("version",), None),
}
"""Arguments that an order must have and may have, and what else must hold, by kind."""
