"""How long a trial takes, as a person declares it: `duration: 2 h + hold`, read to a formula in seconds."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np

from orchestrator import units
from orchestrator.campaign import Campaign
from orchestrator.errors import InputError
from orchestrator.parameters import Categorical

if TYPE_CHECKING:
    from planner.space import SearchSpace

_N_CHECKED = 256
_PART = re.compile(
    r"`(?P<quoted>[^`]+)`"
    r"|(?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)(?:\s*(?P<unit>[^\W\d]\w*))?"
    r"|(?P<name>[^\W\d]\w*)|(?P<rest>\s+|.)",
    re.DOTALL,
)


class BadDuration(InputError):
    """What was declared is no duration."""


def read_duration(campaign: Campaign, space: SearchSpace) -> str:
    """Return the declared duration of a trial as a formula in seconds (`planner.nonlinear`).

    Numbers have units of time or are factors; a parameter that is a time counts in seconds, any other as it stands in
    its own unit ("10 min * layers").

    Raises:
        BadDuration: It cannot be read, or is not above 0 somewhere; says what to write instead.
    """
    from planner.errors import PlannerError
    from planner.within import Within, read_bound, settled_rows

    text = campaign.duration or ""
    formula = in_seconds(text, {one.name: one.unit for one in campaign.parameters if not isinstance(one, Categorical)})
    try:
        bound = read_bound(space, Within(most=0.0, formula=formula))
    except PlannerError as error:
        raise BadDuration(f"{text!r}: {error}") from None
    rows = space.sample_rows(_N_CHECKED, np.random.default_rng(0))
    lasts_s = bound.total(settled_rows(space, rows))
    bad = np.flatnonzero(~(np.isfinite(lasts_s) & (lasts_s > 0)))
    if len(bad):
        raise BadDuration(
            f"{text!r} is {lasts_s[bad[0]]:g} s at {space.points(rows[bad[:1]])[0]}; a trial takes more than nothing"
        )
    return formula


def in_seconds(text: str, declared: dict[str, str]) -> str:
    """Return a formula with every time in seconds.

    declared: units of the parameters that are numbers, by name.

    Raises:
        BadDuration: A number has no unit and is no factor, or has one that is no time.
    """
    parts: list[str] = []
    for match in _PART.finditer(text):
        name = match["quoted"] or match["name"]
        if match["number"]:
            parts.append(_number(text, match, declared))
        elif name in declared and units.is_known(declared[name]) and units.same_dimension(declared[name], "s"):
            parts.append(f"({units.convert(1.0, declared[name], 's')!r}*`{name}`)")
        else:
            if name in declared:
                _refuse_term(text, match, declared[name])
            parts.append(match[0])
    return "".join(parts).strip()


def _refuse_term(text: str, match: re.Match[str], unit: str) -> None:
    """Refuse a parameter that is no time where times are added up.

    Raises:
        BadDuration: It is one.
    """
    if _is_term(text, match):
        raise BadDuration(f"{text!r}: {match[0]} is no time but in {unit!r}; multiply it by one, '1 min * {match[0]}'")


def _is_term(text: str, match: re.Match[str]) -> bool:
    """Say whether a part is added by itself, neither a factor nor within parentheses."""
    before, after = text[: match.start()].rstrip(), text[match.end() :].lstrip()
    is_factor = before.endswith(("*", "/", "^")) or after.startswith(("*", "/", "^"))
    return not is_factor and before.count("(") == before.count(")")


def _number(text: str, match: re.Match[str], declared: dict[str, str]) -> str:
    unit, before = match["unit"], text[: match.start()].rstrip()
    if before and not before.endswith(tuple("+-*/^(,")):
        raise BadDuration(f"{text!r}: write '+' before {match[0]}")
    if unit is not None and unit in declared:
        raise BadDuration(f"{text!r}: write '*' between {match['number']} and {unit}")
    if unit is not None:
        if not units.is_known(unit) or not units.same_dimension(unit, "s"):
            raise BadDuration(f"{text!r}: {unit!r} is no unit of time, such as min or h")
        return repr(units.convert(float(match["number"]), unit, "s"))
    if _is_term(text, match) and float(match["number"]) != 0.0:
        raise BadDuration(f"{text!r}: {match['number']} needs a unit of time, such as '{match['number']} h'")
    return match["number"]
