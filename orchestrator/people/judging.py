"""What comes of an order: done, or refused with the reason. The command line and the controller ask the same function.

The command line asks so that a mistake is told at once; what the controller finds when it reads the order counts.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from orchestrator import units
from orchestrator.errors import InputError
from orchestrator.fields import did_you_mean
from orchestrator.lab import Limit
from orchestrator.people.intent import after
from orchestrator.people.orders import Kind, Order
from orchestrator.people.state import THE_RULE, DeskState
from orchestrator.states import FINAL_TRIAL_STATES, IllegalTransition
from surrogate.registry.manifest import model_of

if TYPE_CHECKING:
    from planner.space import SearchSpace

FAILED_STATES = frozenset({"failed", "lost"})
"""What a trial must have come to before it can be made again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What orders refer to, as the tables and the lab file have it."""

    trials: Mapping[int, str] = field(default_factory=dict)
    """States by number."""
    outcomes: Mapping[int, str] = field(default_factory=dict)
    """``measured``, ``failed`` or ``lost``, for the trials that have one."""
    devices: frozenset[str] = frozenset()
    step_kinds: frozenset[str] = frozenset()
    limits: Mapping[str, Limit] = field(default_factory=dict)
    """By device.command.argument, as the lab and the campaign file have them."""
    trials_budget: int | None = None
    """As the campaign file has it; so is the duration."""
    duration_budget_s: float | None = None
    elapsed_s: float = 0.0
    versions: Collection[str] = ()
    """Of models, by name."""
    space: Callable[[], SearchSpace] | None = None
    """What may be searched, as the campaign file has it, candidates included; a replayed table is not looked at."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What comes of an order."""

    is_done: bool
    text: str


class _Refused(Exception):
    """The order cannot be carried out."""


def judge(order: Order, state: DeskState, facts: Facts) -> Verdict:
    """Say what comes of an order that the journal does not have yet."""
    try:
        return Verdict(is_done=True, text=_JUDGES[order.kind](order, state, facts))
    except _Refused as refused:
        return Verdict(is_done=False, text=str(refused))


_TOLD = {
    Kind.PAUSE: "steps under way are finished and none is begun until `go-on`",
    Kind.GO_ON: "steps are begun again",
    Kind.STOP: "steps under way are finished, then the campaign ends; `labpilot resume` goes on with it",
    Kind.ABORT: "the instruments are made safe now, and the campaign ends",
}


def _turn(order: Order, state: DeskState, _facts: Facts) -> str:
    try:
        after(state.intent, order.kind)
    except IllegalTransition:
        since = f", {state.intent_by}" if state.intent_by else ""
        raise _Refused(f"{order.kind} changes nothing: the campaign is set to {state.intent}{since}") from None
    return _TOLD[order.kind]


def _open_trial(order: Order, state: DeskState, facts: Facts) -> str:
    number = _trial(order, facts)
    if facts.trials[number] in FINAL_TRIAL_STATES or number in facts.outcomes:
        raise _Refused(f"trial {number} is final already: {_came_to(number, facts)}")
    if number in state.skipped:
        raise _Refused(f"trial {number} is skipped already, {state.skipped[number]}")
    return f"trial {number} is given up once its sample is put away"


def _failed_trial(order: Order, state: DeskState, facts: Facts) -> str:
    number = _trial(order, facts)
    came_to = facts.outcomes.get(number, facts.trials[number])
    if came_to not in FAILED_STATES:
        raise _Refused(f"only a failed or lost trial can be made again; trial {number} is {_came_to(number, facts)}")
    budget = state.budget.get("trials", facts.trials_budget)
    if budget is not None and len(facts.trials) + len(state.requeues) >= budget:
        raise _Refused(f"the budget of {budget} trials has no room for another one; `set-budget` first")
    if number in state.requeues:
        raise _Refused(f"trial {number} waits to be made again already, {state.requeues[number]}")
    return f"trial {number} is made again with a new sample"


def _trial(order: Order, facts: Facts) -> int:
    number = order.arguments["trial"]
    if number not in facts.trials:
        known = f"the campaign has trials 1 to {max(facts.trials)}" if facts.trials else "the campaign has none yet"
        raise _Refused(f"no trial {number}: {known}")
    return number


def _came_to(number: int, facts: Facts) -> str:
    return facts.outcomes.get(number) or facts.trials[number]


def _override(order: Order, state: DeskState, facts: Facts) -> str:
    kind = "limit" if "limit" in order.arguments else "quarantine"
    name, known = order.arguments[kind], facts.limits if kind == "limit" else facts.devices
    if name not in known:
        raise _Refused(f"no {'limit' if kind == 'limit' else 'device'} {name!r}{did_you_mean(name, known)}")
    if not order.arguments.get("withdraw"):
        return f"the {kind} {name} is overridden"
    if (kind, name) not in state.overrides:
        raise _Refused(f"the {kind} {name} is not overridden")
    return f"the {kind} {name} holds again"


def _answer(order: Order, state: DeskState, _facts: Facts) -> str:
    key, choice = order.arguments["question"], order.arguments["choice"]
    asked = state.questions.get(key)
    if asked is None:
        raise _Refused(f"no question {key!r}{did_you_mean(key, [a.question.key for a in state.open_questions()])}")
    if asked.answer is not None:
        raise _Refused(f"question {key} was {asked.answer}; a second answer changes nothing")
    names = [item.name for item in asked.question.choices]
    if choice not in names:
        raise _Refused(f"question {key} has no choice {choice!r}{did_you_mean(choice, names)}")
    return f"question {key} is answered with {choice!r}"


def _hold(order: Order, state: DeskState, facts: Facts) -> str:
    place = _held(order, facts)
    if place in state.held:
        raise _Refused(f"{place[1]} is held already, {state.held[place]}")
    return f"no step is begun with {_told(place)} until it is released"


def _release(order: Order, state: DeskState, facts: Facts) -> str:
    place = _held(order, facts)
    if place not in state.held:
        raise _Refused(f"{place[1]} is not held")
    return f"steps are begun with {_told(place)} again"


def _held(order: Order, facts: Facts) -> tuple[str, str]:
    kind = "device" if "device" in order.arguments else "step_kind"
    name, known = order.arguments[kind], facts.devices if kind == "device" else facts.step_kinds
    if name not in known:
        raise _Refused(f"no {kind.replace('_', ' ')} {name!r}{did_you_mean(name, sorted(known))}")
    return kind, name


def _told(place: tuple[str, str]) -> str:
    kind, name = place
    return f"{name}" if kind == "device" else f"the step kind {name}"


def _set_budget(order: Order, state: DeskState, facts: Facts) -> str:
    trials, duration_s = order.arguments.get("trials"), order.arguments.get("duration_s")
    if trials is not None and trials < len(facts.trials):
        raise _Refused(
            f"a budget of {trials} trials is less than the {len(facts.trials)} that were accepted already; "
            "`stop` ends the campaign"
        )
    if duration_s is not None and duration_s <= facts.elapsed_s:
        raise _Refused(
            f"a budget of {duration_s:g} s is less than the {facts.elapsed_s:.0f} s that have passed already; "
            "`stop` ends the campaign"
        )
    was = []
    if trials is not None:
        was.append(f"{trials} trials (was {state.budget.get('trials', facts.trials_budget)})")
    if duration_s is not None:
        before_s = state.budget.get("duration_s", facts.duration_budget_s)
        old = "none" if before_s is None else f"{before_s:g} s"
        was.append(f"{duration_s:g} s (was {old})")
    return f"the budget is {' and '.join(was)}"


def _set_limit(order: Order, state: DeskState, facts: Facts) -> str:
    name = order.arguments["limit"]
    if name not in facts.limits:
        raise _Refused(f"no limit {name!r}{did_you_mean(name, facts.limits)}")
    new = {key: units.measure(order.arguments[key]) for key in ("low", "high") if key in order.arguments}
    try:
        _refuse_no_narrower(name, narrowed(facts.limits[name], state.limits.get(name, {})), new)
    except units.UnitError as error:
        raise _Refused(f"{name}: {error}") from None
    return f"{name} is limited to {', '.join(f'{key} {bound}' for key, bound in new.items())}"


def narrowed(limit: Limit, said: Mapping[str, str]) -> Limit:
    """Return a limit of the files with the bounds that people have set since."""
    bounds = {"low": limit.low, "high": limit.high} | {key: units.measure(text) for key, text in said.items()}
    return Limit.model_validate(bounds)


def _refuse_no_narrower(name: str, old: Limit, new: Mapping[str, units.Measure]) -> None:
    if "low" in new:
        _refuse_wider(name, "low", old.low, new["low"], sign=1.0)
    if "high" in new:
        _refuse_wider(name, "high", old.high, new["high"], sign=-1.0)
    low, high = new.get("low", old.low), new.get("high", old.high)
    if low is not None and high is not None and units.convert(low.value, low.unit, high.unit) > high.value:
        raise _Refused(f"{name}: low {low} would be above high {high}; nothing would be allowed")


def _refuse_wider(name: str, bound: str, old: units.Measure | None, new: units.Measure, *, sign: float) -> None:
    if old is not None and sign * (units.convert(new.value, new.unit, old.unit) - old.value) < 0:
        raise _Refused(f"{name}: {bound} {new} is wider than {old}; while a campaign runs, limits only get narrower")


def _handled(order: Order, _state: DeskState, _facts: Facts) -> str:
    return f"an act of a person is noted ({order.arguments['what']})"


def _suggest(order: Order, state: DeskState, facts: Facts) -> str:
    space, point = _space(facts), order.arguments["point"]
    problems = space.violations(point)
    if problems:
        raise _Refused(f"the point cannot be suggested: {problems[0]}")
    standing = state.areas(Kind.FORBID, Kind.ALLOW)
    if standing and not space.beside(list(standing.values())).region.feasible(space.rows([point]))[0]:
        raise _Refused(f"the point is forbidden ({', '.join(standing)}); `allow` it first")
    return "the point is asked for next"


def _forbid(order: Order, state: DeskState, facts: Facts) -> str:
    label, area = order.arguments["label"], order.arguments["area"]
    standing = {**state.areas(Kind.FORBID, Kind.ALLOW), label: area}
    try:
        _space(facts).beside(list(standing.values()))
    except ValueError as error:
        raise _Refused(str(error)) from None
    return f"nothing is proposed in {label!r} until it is allowed again"


def _hint(order: Order, _state: DeskState, facts: Facts) -> str:
    from planner.area import read_area

    try:
        read_area(_space(facts), order.arguments["area"])
    except ValueError as error:
        raise _Refused(str(error)) from None
    return f"{order.arguments['label']!r} is preferred until results say otherwise, by a planner that follows hints"


def _allow(order: Order, state: DeskState, _facts: Facts) -> str:
    return _taken_back(order, state.areas(Kind.FORBID, Kind.ALLOW), "forbidden")


def _forget(order: Order, state: DeskState, _facts: Facts) -> str:
    return _taken_back(order, state.areas(Kind.HINT, Kind.FORGET), "marked as likely")


def _taken_back(order: Order, standing: Mapping[str, Any], what: str) -> str:
    label = order.arguments["label"]
    if label not in standing:
        raise _Refused(f"no area {label!r} is {what}{did_you_mean(label, standing)}")
    return f"{label!r} is {what} no more"


def _rollback(order: Order, state: DeskState, facts: Facts) -> str:
    version, standing = order.arguments["version"], state.planned_with
    if version == THE_RULE:
        if standing is None:
            raise _Refused("the policy decides already which model plans")
        return "the policy decides again which model plans"
    if not facts.versions:
        raise _Refused(
            "this campaign keeps no versions of models: nothing was foretold yet, or its policy has no models that are "
            "held against each other"
        )
    if version not in facts.versions:
        raise _Refused(f"no version {version!r}{did_you_mean(version, facts.versions)}")
    models = {model_of(name) for name in facts.versions}
    if len(models) < 2:
        raise _Refused(f"the campaign has one model so far, {models.pop()!r}: there is no other to plan with")
    if standing is not None and standing.arguments["version"] == version:
        raise _Refused(f"{version} is planned with already, {standing}")
    return f"points are chosen with model {model_of(version)!r} from the next ask on; it goes on learning"


def _space(facts: Facts) -> SearchSpace:
    if facts.space is None:
        raise _Refused("the campaign's search space is not known here")
    try:
        return facts.space()
    except InputError as error:  # candidates that cannot be read any more
        raise _Refused(str(error)) from None


_JUDGES: Mapping[Kind, Callable[[Order, DeskState, Facts], str]] = {
    Kind.PAUSE: _turn,
    Kind.GO_ON: _turn,
    Kind.STOP: _turn,
    Kind.ABORT: _turn,
    Kind.SKIP: _open_trial,
    Kind.REQUEUE: _failed_trial,
    Kind.OVERRIDE: _override,
    Kind.ANSWER: _answer,
    Kind.HOLD: _hold,
    Kind.RELEASE: _release,
    Kind.SET_BUDGET: _set_budget,
    Kind.SET_LIMIT: _set_limit,
    Kind.HANDLED: _handled,
    Kind.SUGGEST: _suggest,
    Kind.FORBID: _forbid,
    Kind.ALLOW: _allow,
    Kind.HINT: _hint,
    Kind.FORGET: _forget,
    Kind.ROLLBACK: _rollback,
}
