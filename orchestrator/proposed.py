"""What may be proposed, and what was: held against the space, and followed until somebody knows what came of it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any

from orchestrator.hours.room import Limit
from orchestrator.words import plural
from planner import Observation, SearchSpace
from planner.proposal import Proposal
from planner.within import Within


def restricted(limit: Limit | None, among: Sequence[Mapping[str, Any]] = ()) -> dict[str, Any]:
    """Return what a planner is told of a limit; what stands for one need not know of any."""
    if among:
        fitting = tuple(point for point in among if limit is None or limit.fits(point))
        said = f"the best of {plural(len(fitting), 'point')} that were thought of ahead"
        said += f"; {limit.within.said}" if limit is not None and limit.within.said else ""
        return {"within": Within(most=0.0 if limit is None else limit.within.most, points=fitting, said=said)}
    return {} if limit is None else {"within": limit.within}


class BadProposal(ValueError):
    """A policy answered what may not be tried."""


@dataclass(slots=True)
class Proposed:
    """The points that must not be proposed again, and which proposals are settled."""

    space: SearchSpace
    _taken: dict[str, bytes] = field(default_factory=dict)
    """Keys of the points that must not be proposed again, by proposal."""
    _settled: set[str] = field(default_factory=set)
    """Proposals that the planner knows what came of."""

    def refuse(self, proposals: Sequence[Proposal], n: int, limit: Limit | None) -> None:
        """Hold a policy's answer against what it may propose.

        Raises:
            BadProposal: It proposes too much, the same twice, what the space does not admit, or what takes too long.
        """
        if len(proposals) > n:
            raise BadProposal(f"it proposed {len(proposals)} points when asked for {n}")
        taken = set(self._taken.values())
        for proposal in proposals:
            self._refuse_inadmissible(proposal, limit)
            key = self._key(proposal)
            if key in taken and not proposal.is_repeat:
                raise BadProposal(f"it proposed {dict(proposal.parameters)} twice, and not as a repeat")
            taken.add(key)

    def _refuse_inadmissible(self, proposal: Proposal, limit: Limit | None) -> None:
        problems = self.space.violations(proposal.parameters)
        if problems:
            raise BadProposal(f"it proposed what the space does not admit: {problems[0]}")
        if limit is not None and not limit.fits(proposal.parameters):
            raise BadProposal(f"it proposed what takes too long: {dict(proposal.parameters)}")
        json.dumps(dict(proposal.parameters))  # what the journal cannot hold is no plain value

    def take(self, proposals: Sequence[Proposal]) -> None:
        """Know the points of proposals as taken."""
        self._taken.update({proposal.id: self._key(proposal) for proposal in proposals})

    def addressed(self, observations: Sequence[Observation]) -> list[Observation]:
        """Return what is told of a proposal that is settled already as a replicate, which answers none."""
        return [replace(one, proposal_id=None) if one.proposal_id in self._settled else one for one in observations]

    def settle(self, observations: Sequence[Observation]) -> None:
        """Know which proposals are settled: a planner counts what answers none for one that is pending at its point."""
        for one in observations:
            if one.proposal_id is not None:
                self._settled.add(one.proposal_id)
                continue
            key = self._key(one)
            pending = (name for name, at in self._taken.items() if at == key and name not in self._settled)
            self._settled.update(islice(pending, 1))

    def is_settled(self, proposal_id: str) -> bool:
        """Say whether the planner knows what came of a proposal."""
        return proposal_id in self._settled

    def give_up(self, proposal_id: str) -> None:
        """Let the point of a proposal be proposed again."""
        self._taken.pop(proposal_id, None)

    def _key(self, point: Proposal | Observation) -> bytes:
        return self.space.keys(self.space.rows([point.parameters]))[0]
