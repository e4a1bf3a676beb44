"""What a planner has proposed, and what came back."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from planner.errors import BadObservation, SpaceError, UnknownProposal, did_you_mean
from planner.objective import Objective
from planner.proposal import Observation, Proposal, Value
from planner.space import SearchSpace

LARGEST = 1e280
"""Beyond it the arithmetic of a surrogate would overflow."""

FEWEST_CHANNELS = 16
"""Of a fingerprint."""


@dataclass
class Ledger:
    """The bookkeeping of asks and tells; its state follows from the order of the calls alone."""

    space: SearchSpace
    objectives: tuple[Objective, ...]
    observations: tuple[Observation, ...] = ()
    pending: dict[str, Proposal] = field(default_factory=dict)
    finished: dict[str, Proposal] = field(default_factory=dict)
    discarded: dict[str, Proposal] = field(default_factory=dict)
    outside: list[str] = field(default_factory=list)
    """Why points that were told lie outside the space, one sentence each."""
    _told: set[bytes] = field(default_factory=set)
    """Keys of points that were told or proposed and told; kept up to date, for a campaign has thousands."""

    @classmethod
    def restored(
        cls,
        space: SearchSpace,
        objectives: tuple[Objective, ...],
        *,
        pending: Sequence[Proposal],
        finished: Sequence[Proposal],
        discarded: Sequence[Proposal],
        observations: Sequence[Observation],
    ) -> Ledger:
        """Return a ledger as it was saved.

        Raises:
            SpaceError, BadObservation, UnknownProposal: Something in it could not have been there.
        """
        ledger = cls(space, objectives)
        ledger.add([*pending, *finished, *discarded])
        ledger._check_all(observations)
        ledger.pending = {one.id: one for one in pending}
        ledger.finished = {one.id: one for one in finished}
        ledger.discarded = {one.id: one for one in discarded}
        ledger.observations = tuple(observations)
        ledger._told.update(ledger._keys([one.parameters for one in (*finished, *observations)]))
        for observation in observations:
            ledger._note_outside(observation, observation.proposal_id)
        return ledger

    def taken(self) -> frozenset[bytes]:
        """Return the keys of all points that must not be proposed again."""
        return frozenset(self._told.union(self._keys([proposal.parameters for proposal in self.pending.values()])))

    def _keys(self, points: Sequence[Mapping[str, Value]]) -> list[bytes]:
        return self.space.keys(self.space.rows(points))

    def add(self, proposals: Sequence[Proposal]) -> None:
        """Take proposals as pending.

        Raises:
            UnknownProposal: An id was given out before.
            SpaceError: Parameters are missing or unknown.
        """
        ids = [proposal.id for proposal in proposals]
        for proposal in proposals:
            if self.knows(proposal.id) or ids.count(proposal.id) > 1:
                raise UnknownProposal(f"proposal {proposal.id!r} was taken before; each id is adopted once")
            self.space.rows([proposal.parameters])
        self.pending.update({proposal.id: proposal for proposal in proposals})

    def knows(self, proposal_id: str) -> bool:
        """Say whether a proposal was ever given out or adopted."""
        return proposal_id in self.pending or proposal_id in self.finished or proposal_id in self.discarded

    def tell(self, observations: Sequence[Observation]) -> None:
        """Take observations; all or, where one is refused, none.

        Raises:
            BadObservation: One is no observation; a target is unknown, a value is not finite or too large, a
                fingerprint has another length than those before, a parameter is missing, or a proposal was told before.
            UnknownProposal: A proposal id was never given out.
        """
        self._check_all(observations)
        keys = self._keys([observation.parameters for observation in observations])
        for observation, key in zip(observations, keys, strict=True):
            self._file(observation, key)
        self._told.update(keys)
        self.observations = (*self.observations, *observations)

    def _check_all(self, observations: Sequence[Observation]) -> None:
        for number, observation in enumerate(observations):
            self._check(observation, f"observation {number}")
        lengths: dict[str, int] = {}
        for number, observation in enumerate((*self.observations, *observations), -len(self.observations)):
            for name, fingerprint in observation.fingerprints.items():
                if lengths.setdefault(name, len(fingerprint)) != len(fingerprint):
                    raise BadObservation(
                        f"observation {number}: the fingerprint of {name!r} has {len(fingerprint)} channels, those "
                        f"before it have {lengths[name]}; bring all to the same channels"
                    )

    def _check(self, observation: Observation, where: str) -> None:
        if not isinstance(observation, Observation):
            raise BadObservation(
                f"{where} is of type {type(observation).__name__}; give Observation(parameters=..., values=...)"
            )
        try:
            self.space.rows([observation.parameters])
        except SpaceError as error:
            raise BadObservation(f"{where}: {error}") from error
        unknown = [name for name in observation.parameters if name not in self.space.names]
        if unknown:
            hint = did_you_mean(unknown[0], self.space.names)
            raise BadObservation(f"{where}: no parameter is called {unknown[0]!r}{hint}")
        if observation.proposal_id is not None and not self.knows(observation.proposal_id):
            raise UnknownProposal(
                f"{where}: proposal {observation.proposal_id!r} was never given out; leave proposal_id out for a "
                "point that the planner did not propose"
            )
        if observation.proposal_id in self.finished:
            raise BadObservation(
                f"{where}: proposal {observation.proposal_id!r} was told before; tell all observations of a proposal "
                "in one call, and a replicate without proposal_id"
            )
        self._check_values(observation, where)

    def _check_values(self, observation: Observation, where: str) -> None:
        targets = [objective.name for objective in self.objectives if objective.direction != "classify"]
        self._check_fingerprints(observation, where)
        for name, value in (*observation.values.items(), *observation.noise.items()):
            if name not in targets:
                raise BadObservation(f"{where}: no objective is called {name!r}{did_you_mean(name, targets)}")
            if not _is_finite(value):
                raise BadObservation(
                    f"{where}: {name!r} is {value!r}; tell failure= with the reason where there is no value"
                )
            if abs(value) > LARGEST:
                raise BadObservation(f"{where}: {name!r} is {value!r}, beyond {LARGEST:g}; tell it in a larger unit")
        below = [name for name, sd in observation.noise.items() if sd < 0]
        if below:
            raise BadObservation(f"{where}: the noise of {below[0]!r} is a standard deviation and cannot be negative")

    def _check_fingerprints(self, observation: Observation, where: str) -> None:
        targets = [objective.name for objective in self.objectives if objective.direction == "classify"]
        for name in (*observation.values, *observation.noise):
            if name in targets:
                raise BadObservation(
                    f"{where}: {name!r} is to be classified; tell it as fingerprints={{{name!r}: ...}}"
                )
        for name, fingerprint in observation.fingerprints.items():
            if name not in targets:
                raise BadObservation(f"{where}: no objective {name!r} is to be classified{did_you_mean(name, targets)}")
            if len(fingerprint) < FEWEST_CHANNELS:
                raise BadObservation(
                    f"{where}: the fingerprint of {name!r} has {len(fingerprint)} channels; {FEWEST_CHANNELS} are the "
                    "fewest that lines can be told from their background by"
                )
            bad = [i for i, number in enumerate(fingerprint) if not (_is_finite(number) and abs(number) <= LARGEST)]
            if bad:
                raise BadObservation(
                    f"{where}: channel {bad[0]} of the fingerprint of {name!r} is {fingerprint[bad[0]]!r}; interpolate "
                    "a dead channel from its neighbours, or tell failure= with the reason"
                )

    def _file(self, observation: Observation, key: bytes) -> None:
        proposal_id = observation.proposal_id or self._pending_at(key)
        for shelf in (self.pending, self.discarded):
            if proposal_id in shelf:
                self.finished[proposal_id] = shelf.pop(proposal_id)
                self._told.update(self._keys([self.finished[proposal_id].parameters]))
        self._note_outside(observation, proposal_id)

    def _note_outside(self, observation: Observation, proposal_id: str | None) -> None:
        if proposal_id is not None and observation.parameters == self.finished[proposal_id].parameters:
            return
        problems = self.space.violations(observation.parameters)
        if problems:
            self.outside.append(problems[0])

    def _pending_at(self, key: bytes) -> str | None:
        """Return the id of the pending proposal that an observation without an id belongs to, if there is one."""
        for proposal in self.pending.values():
            if self._keys([proposal.parameters])[0] == key:
                return proposal.id
        return None

    def discard(self, proposal_id: str) -> None:
        """Give a pending proposal up; its point may be proposed again.

        Raises:
            UnknownProposal: The proposal is not pending.
        """
        if proposal_id not in self.pending:
            known = "has been told" if proposal_id in self.finished else "was never given out, or discarded before"
            raise UnknownProposal(f"proposal {proposal_id!r} is not pending: it {known}")
        self.discarded[proposal_id] = self.pending.pop(proposal_id)


def _is_finite(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def ask_index(proposal_id: str) -> int:
    """Return which ask a proposal came from.

    Raises:
        UnknownProposal: The id is none of a planner's.
    """
    ask, _, number = proposal_id.partition("-")
    if not (ask.isdecimal() and number.isdecimal()):
        raise UnknownProposal(f"proposal id {proposal_id!r} is none of a planner's; they read like '3-1'")
    return int(ask)
