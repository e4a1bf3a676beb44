"""The part of a planner that people talk to while it works."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from planner.area import read_area
from planner.errors import BadOption, NotEnoughData, SpaceError, did_you_mean
from planner.ledger import Ledger
from planner.people import Likely, Said, checked_confidence
from planner.policies.base import PlannerData, Policy, Suggestion
from planner.proposal import Prediction, Proposal, Value
from planner.untried import listed_rows, untried_rows

if TYPE_CHECKING:
    from planner.objective import Objective
    from planner.space import SearchSpace
    from planner.within import Within

_MOST_LISTED = 100_000
SUGGESTED = "suggested by a person"
"""The reason of a proposal that is a person's."""


class Advised:
    """Takes what people say: it stands until it is taken back, is saved with the planner, and follows no chance."""

    space: SearchSpace
    objectives: tuple[Objective, ...]
    _ledger: Ledger
    _policy: Policy
    _said: Said = Said()
    _open: SearchSpace | None = None
    """The space without what is forbidden; None where nothing is."""
    _barred: frozenset[bytes] = frozenset()
    """Keys of the forbidden points of a space that can be listed."""

    @property
    def said(self) -> Said:
        """What people have said and that still stands."""
        return self._said

    def suggest(self, point: Mapping[str, Value]) -> None:
        """Ask for a point next, before any that the policy chooses; one that was tried meanwhile is passed over.

        Raises:
            SpaceError: The point is not admissible, or is forbidden; says why.
        """
        problems = self.space.violations(point)
        if not problems and self._forbids(self.space.rows([point])).any():
            problems = ["the point lies in an area that is forbidden; allow that first"]
        if problems:
            raise SpaceError(f"the point cannot be suggested: {problems[0]}")
        self._said = replace(self._said, suggested=(*self._said.suggested, dict(point)))

    def forbid(self, name: str, area: Mapping[str, Any]) -> None:
        """Propose nothing in an area from now on, until it is allowed again.

        Args:
            name: What it is called, for `allow`; a name that stands already is replaced.
            area: See `planner.area`.

        Raises:
            SpaceError: The area cannot be read.
            EmptySearchSpace: Nothing would be left to propose.
        """
        read_area(self.space, area)
        self._stand(replace(self._said, forbidden={**self._said.forbidden, _name(name): dict(area)}))

    def allow(self, name: str) -> None:
        """Take back a `forbid`.

        Raises:
            BadOption: No area of this name is forbidden.
        """
        self._stand(replace(self._said, forbidden=_without(self._said.forbidden, name, "forbidden")))

    def hint(self, name: str, area: Mapping[str, Any], *, confidence: float, since: int | None = None) -> None:
        """Prefer an area that probably holds what is looked for; the preference fades as results come in.

        Args:
            name: What it is called, for `forget` and in the reasons of proposals; a name that stands is replaced.
            area: See `planner.area`.
            confidence: Probability that it does hold it, between 0 and 1.
            since: How many observations had been told when it was said; all that were, where left out.

        Raises:
            SpaceError: The area cannot be read.
            BadOption: The confidence is no probability, or the policy cannot follow hints.
        """
        if not getattr(self._policy, "follows_hints", False):
            raise BadOption(
                "this policy cannot follow hints; choose policy 'auto', 'logei', 'level_set', 'uncertainty' or "
                "'integrated_variance'"
            )
        read_area(self.space, area)
        told = len(self._ledger.observations) if since is None else since
        likely = Likely(area=dict(area), confidence=checked_confidence(confidence), since=told)
        self._said = replace(self._said, likely={**self._said.likely, _name(name): likely})

    def forget(self, name: str) -> None:
        """Take back a `hint`.

        Raises:
            BadOption: No hint of this name stands.
        """
        self._said = replace(self._said, likely=_without(self._said.likely, name, "marked as likely"))

    def plan_with(self, model: str | None) -> None:
        """Plan with one of the policy's models from now on, whatever results say of it; None: the policy decides.

        Raises:
            BadOption: The policy has no such model.
        """
        self._said = replace(self._said, model=self._known_model(model))

    def lead(self, model: str | None) -> None:
        """Say which of the policy's models has foretold results best; None: nobody knows.

        Policy `transfer` follows it where its option `follow` says so.

        Raises:
            BadOption: The policy has no such model.
        """
        self._said = replace(self._said, leads=self._known_model(model))

    def _known_model(self, model: str | None) -> str | None:
        known = getattr(self._policy, "plans_with", ())
        if model is not None and model not in known:
            of = f"it has {', '.join(map(repr, known))}" if known else "it has none to choose from"
            raise BadOption(f"this policy does not plan with a model {model!r}; {of}")
        return model

    def _stand(self, said: Said) -> None:
        """Take over what was said, with the space that it leaves open."""
        opened = self.space.beside(list(said.forbidden.values())) if said.forbidden else None
        barred: frozenset[bytes] = frozenset()
        listed = listed_rows(self.space, _MOST_LISTED) if opened is not None else None
        if opened is not None and listed is not None:
            # policies that choose from a list of their own look at no space, but at what is taken
            barred = frozenset(self.space.keys(listed[~opened.region.feasible(listed)]))
        self._said, self._open, self._barred = said, opened, barred

    def _forbids(self, rows: np.ndarray) -> np.ndarray:
        if self._open is None:
            return np.zeros(len(rows), dtype=bool)
        return ~self._open.region.feasible(rows)

    def _limited(self, data: PlannerData, within: Within) -> PlannerData:
        """Return what is known, with the part of the space that keeps to a bound for its space.

        Raises:
            SpaceError: The bound cannot be read.
            EmptySearchSpace: Nothing keeps to it.
        """
        part = data.space.within(within)
        whole = data.space if within.points is not None else None
        data = replace(data, space=part, within=within, whole=whole)
        listed = listed_rows(self.space, _MOST_LISTED)
        if listed is None:
            return data
        # policies that choose from a list of their own look at no space, but at what is taken
        return replace(data, taken=data.taken_keys() | set(self.space.keys(listed[~data.keeps(listed)])))

    def _wanted(self, data: PlannerData, most: int) -> list[Suggestion]:
        """Return the next points that people suggested, and take them off the list, with those that were tried."""
        taken, found, left = set(data.taken_keys()), list[Suggestion](), []
        for point in self._said.suggested:
            row = self.space.rows([point])
            key = self.space.keys(row)[0]
            if key in taken or self._forbids(row)[0]:
                continue
            if len(found) == most or not data.keeps(row)[0]:  # one that takes too long now may be tried later
                left.append(point)
                continue
            taken.add(key)
            found.append(
                Suggestion(
                    parameters=self.space.points(row)[0],
                    predictions=self._foreseen(data, point),
                    reason=SUGGESTED,
                )
            )
        self._said = replace(self._said, suggested=tuple(left))
        return found

    def _foreseen(self, data: PlannerData, point: Mapping[str, Value]) -> dict[str, Prediction]:
        try:
            found = {
                one.name: self._policy.predict(data, one.name, [point])
                for one in self.objectives
                if one.direction != "classify"
            }
        except NotEnoughData:
            return {}
        return {name: Prediction(mean=float(mean[0]), sd=float(sd[0])) for name, (mean, sd) in found.items()}

    def _chosen(
        self, data: PlannerData, n: int, rng: np.random.Generator, before: Sequence[Suggestion] = ()
    ) -> list[Suggestion]:
        """Return up to n suggestions of the policy, none of them forbidden, given others that come before."""
        if before:
            ahead = [Proposal(id=f"ahead-{i}", parameters=dict(one.parameters)) for i, one in enumerate(before)]
            keys = data.space.keys(data.space.rows([one.parameters for one in ahead]))
            data = replace(data, pending=(*data.pending, *ahead), taken=data.taken_keys() | set(keys))
        found = self._policy.propose(data, n, rng)
        if (self._open is None and data.within is None and data.space is self.space) or not found:
            return found
        rows = self.space.rows([one.parameters for one in found])
        is_bad = self._forbids(rows) | ~data.keeps(rows) | ~data.space.region.feasible(rows)
        if not is_bad.any():
            return found
        kept = [one for one, bad in zip(found, is_bad, strict=True) if not bad]
        taken = data.taken_keys() | set(self.space.keys(rows[~is_bad]))
        others = untried_rows(
            data.space, int(is_bad.sum()), taken, lambda count: data.space.sample_rows(count, rng), rng
        )
        what = _ruled_out(is_forbidden=bool(self._forbids(rows).any()), is_long=not data.keeps(rows).all())
        reason = f"random: what the policy wanted {what}"
        return kept + [Suggestion(parameters=point, reason=reason) for point in data.space.points(others)]

    def _adopted(self, proposals: Sequence[Proposal]) -> None:
        """Take points that were proposed off the list of those that were suggested."""
        if self._said.suggested:
            keys = set(self.space.keys(self.space.rows([one.parameters for one in proposals])))
            left = [one for one in self._said.suggested if self.space.keys(self.space.rows([one]))[0] not in keys]
            self._said = replace(self._said, suggested=tuple(left))


def _ruled_out(*, is_forbidden: bool, is_long: bool) -> str:
    if is_forbidden:
        return "is forbidden"
    return "takes too long" if is_long else "does not share the batch's values"


def _name(name: Any) -> str:
    if not isinstance(name, str) or not name.strip():
        raise BadOption(f"an area needs a name to take it back by, not {name!r}")
    return name


def _without(standing: Mapping[str, Any], name: str, what: str) -> dict[str, Any]:
    if name not in standing:
        raise BadOption(f"no area {name!r} is {what}{did_you_mean(str(name), standing)}")
    return {other: one for other, one in standing.items() if other != name}
