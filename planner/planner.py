"""Ask, tell: the planner's public face."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from planner import saving
from planner.advised import Advised
from planner.errors import (
    BadObservation,
    BadOption,
    EmptySearchSpace,
    NothingWithin,
    SearchSpaceExhausted,
)
from planner.knowing import Knowing
from planner.ledger import Ledger, ask_index
from planner.objective import Objective, check_together
from planner.policies.base import (
    PlannerData,
    Policy,
    Suggestion,
    looks_only_at_target,
    policy_class,
    refuse_fidelity,
    refuse_input_noise,
)
from planner.proposal import Observation, Proposal, Value
from planner.space import SearchSpace
from planner.threads import one_thread
from planner.within import Within


class Planner(Advised, Knowing):
    """Chooses what to try next.

    The state follows from the constructor's arguments and the ordered list of asks, tells and discards; nothing else
    is remembered. A planner that is built anew and given back its proposals (`adopt`), discards and observations in
    their old order proposes the same points, and predicts the same digits, as the one that was lost: linear algebra
    runs on one thread, however many the process has. The k-th ask draws from a generator keyed by (seed, k).

    Args:
        space: What is admissible.
        objectives: What to optimise, or to learn.
        seed: Equal seeds and equal tells give equal proposals.
        policy: A name in `planner.policies.base.POLICIES`.
        options: The policy's options; see its options class.

    Raises:
        EmptySearchSpace: No point is admissible; says why.
        BadOption: The policy is unknown, does not suit the objectives, or has no such option.
    """

    def __init__(
        self,
        space: SearchSpace,
        objectives: Sequence[Objective],
        seed: int = 0,
        policy: str = "auto",
        options: Mapping[str, Any] | None = None,
    ) -> None:
        check_together(tuple(objectives))
        if isinstance(seed, bool) or not isinstance(seed, int) or seed < 0:
            raise BadOption(f"the seed must be a whole number from 0 up, not {seed!r}")
        reason = space.is_empty()
        if reason is not None:
            raise EmptySearchSpace(reason)
        self.space = space
        self.objectives = tuple(objectives)
        self.seed = seed
        self.policy_name = policy
        self._options = dict(options or {})
        chosen = policy_class(policy)
        refuse_fidelity(policy, chosen, space)
        refuse_input_noise(policy, chosen, space)
        self._policy: Policy = chosen(space, self.objectives, self._options)
        self._ledger = Ledger(space, self.objectives)
        self._n_asks = 0

    def ask(self, n: int = 1, *, within: Within | None = None) -> list[Proposal]:
        """Return n points to try next, none of them told or pending but for repeats; fewer where fewer are left.

        Repeats are marked (`Proposal.is_repeat`), and proposed only by a policy whose option `replicates` allows them.

        Where the space has parameters that are shared, the point that is worth most decides their values, and the
        others are the best beside it.

        Args:
            n: How many.
            within: What they may take at most, this time; nothing of it is remembered.

        Raises:
            SearchSpaceExhausted: Every point of the space was told or is pending; a `NothingWithin` where some are
                left, but none that keeps to what this ask was restricted to.
            SpaceError: What it is to be restricted to cannot be read.
        """
        if isinstance(n, bool) or not isinstance(n, int) or n < 1:
            raise ValueError(f"ask for a whole number of points from 1 up, not {n!r}")
        rng = np.random.default_rng([self.seed, self._n_asks])
        with one_thread():
            suggestions = self._suggested(n, rng, within)
        if not suggestions:
            raise self._exhausted(within)
        proposals = [
            Proposal(
                id=f"{self._n_asks}-{i}",
                parameters=dict(suggestion.parameters),
                predictions=dict(suggestion.predictions),
                reason=_reason(suggestion, within),
                is_repeat=suggestion.is_repeat,
            )
            for i, suggestion in enumerate(suggestions)
        ]
        self._ledger.add(proposals)
        self._n_asks += 1
        return proposals

    def _suggested(self, n: int, rng: np.random.Generator, within: Within | None) -> list[Suggestion]:
        """Return up to n suggestions; the first decides what all of them share."""
        data, shared = self._data(), self.space.shared
        if within is not None:
            try:
                data = self._limited(data, within)
            except EmptySearchSpace:
                return []
        wanted = self._wanted(data, 1 if shared else n) if self._said.suggested else []
        if n == 1 or not shared:
            return wanted if len(wanted) == n else wanted + self._chosen(data, n - len(wanted), rng, wanted)
        first = wanted or self._chosen(data, 1, rng)
        if not first:
            return first
        common = {name: first[0].parameters[name] for name in shared}
        chosen = Proposal(id=f"{self._n_asks}-0", parameters=dict(first[0].parameters))
        part = replace(
            data,
            space=data.space.held(common),
            pending=(*data.pending, chosen),
            taken=data.taken_keys() | set(self.space.keys(self.space.rows([chosen.parameters]))),
        )
        others = self._chosen(part, n - 1, rng)
        said = ", ".join(f"{name} {_written(value)}" for name, value in common.items())
        return first + [replace(one, reason=f"{one.reason}; shares {said}") for one in others]

    def _exhausted(self, within: Within | None) -> SearchSpaceExhausted:
        tried, pending, size = len(self._ledger.finished), len(self._ledger.pending), self.space.size()
        if within is not None:
            return NothingWithin(
                f"no untried point takes at most {within.most:g}: {tried} proposals were told, {pending} are pending",
                tried=tried,
                pending=pending,
                size=size,
            )
        return SearchSpaceExhausted(
            f"no untried point is left: {tried} proposals were told, {pending} are pending, and the space has "
            f"{'an uncounted number of' if size is None else size} points; widen a parameter, or end the campaign",
            tried=tried,
            pending=pending,
            size=size,
        )

    def tell(self, observations: Sequence[Observation]) -> None:
        """Learn from observations; all of them or, where one is refused, none.

        Points outside the space are learnt from too (a stripe is measured at temperatures between the levels), and
        counted in `diagnostics`. The pending proposal with the same id, or with the same point where no id is given,
        is finished by this: all observations of one proposal are told in one call. A replicate that comes later is
        told without an id.

        Raises:
            BadObservation: It is no list of observations; a target or parameter is unknown, a value is not finite or
                beyond 1e280, or a proposal was told before.
            UnknownProposal: A proposal id was never given out.
        """
        if isinstance(observations, Observation):
            raise BadObservation("tell takes a list of observations; put this one into brackets")
        if not isinstance(observations, Iterable) or isinstance(observations, str | Mapping):
            raise BadObservation(f"tell takes a list of observations, not {type(observations).__name__}")
        self._ledger.tell(list(observations))

    def discard(self, proposal_id: str) -> None:
        """Give up a pending proposal whose trial was lost; its point may be proposed again.

        Raises:
            UnknownProposal: The proposal is not pending.
        """
        self._ledger.discard(proposal_id)

    def adopt(self, proposals: Sequence[Proposal]) -> None:
        """Take back proposals that a planner with these arguments gave out before; they are pending again.

        Raises:
            UnknownProposal: An id is not one of a planner's, or was adopted before.
        """
        asks = [ask_index(proposal.id) for proposal in proposals]
        self._ledger.add(proposals)
        self._adopted(proposals)
        self._n_asks = max([self._n_asks, *(index + 1 for index in asks)])

    def save(self, path: str | Path) -> None:
        """Write everything to a file of plain JSON, whole or not at all.

        Raises:
            BadSave: An option, or something in an observation's context, is no plain data; or the file cannot be
                written.
        """
        saving.write(Path(path), self._state())

    def _state(self) -> saving.State:
        return saving.State(
            space=self.space,
            objectives=self.objectives,
            seed=self.seed,
            policy=self.policy_name,
            options=self._options,
            n_asks=self._n_asks,
            ledger=self._ledger,
            said=self._said,
        )

    def document(self) -> dict[str, Any]:
        """Return everything as plain data: what `save` writes, and what another process plans on by."""
        return saving.document(self._state())

    @classmethod
    def load(cls, path: str | Path) -> Planner:
        """Return the planner that was saved; it proposes what that one would have proposed next.

        Raises:
            BadSave: The file is no saved planner, is damaged, or of a later format.
        """
        state = saving.read(Path(path))
        planner = cls(state.space, state.objectives, state.seed, state.policy, state.options)
        planner.stand_at(state)
        return planner

    def stand_at(self, state: saving.State) -> None:
        """Be where a planner with these arguments was when its state was taken."""
        self._ledger, self._n_asks = state.ledger, state.n_asks
        self._stand(state.said)

    def chooses_among(self) -> bool:
        """Say whether an ask that is restricted to points (`Within.points`) gives the best of them.

        Other policies choose from what they have listed themselves, or are guests that know no list.
        """
        return bool(getattr(self._policy, "chooses_among", False))

    @property
    def pending(self) -> tuple[Proposal, ...]:
        """Proposals that were neither told nor discarded yet, in the order of asking."""
        return tuple(self._ledger.pending.values())

    def _data(self) -> PlannerData:
        ledger, space = self._ledger, self._open or self.space
        if space.fidelity is not None and looks_only_at_target(self._policy):
            space = space.held({space.fidelity.name: space.fidelity.target})
        return PlannerData(
            space=space,
            said=self._said,
            objectives=self.objectives,
            observations=ledger.observations,
            pending=tuple(ledger.pending.values()),
            finished=tuple(ledger.finished.values()),
            ask_index=self._n_asks,
            seed=self.seed,
            taken=ledger.taken() | self._barred,
        )


def _reason(suggestion: Suggestion, within: Within | None) -> str:
    if within is None or not within.said:
        return suggestion.reason
    return f"{suggestion.reason}; {within.said}"


def _written(value: Value) -> str:
    return value if isinstance(value, str) else f"{value:.6g}"
