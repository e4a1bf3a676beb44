"""The board: who holds which devices and places, who waits for what, and who is served next.

A claim is granted all at once or not at all, and an owner has one claim at a time: nobody who holds a part of what it
asked for waits for the rest. What an owner keeps between two claims is the place that its sample stands at. That would
be enough for a deadlock of full racks, so a claim made from such a place also carries a *retreat*: the way home, to a
place that is the owner's for as long as its sample is in the laboratory. A claim is served before all others as soon as
somebody waits for the place that it frees, by its retreat where nothing else can be had. The argument is in
`docs/decisions/0008-scheduling.md`.

Nothing here waits or reads the time: the same calls give the same grants.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

AGE_S = 900.0
"""A claim that has waited for longer reserves what it waits for, so that narrower ones cannot pass it for ever."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """One way to serve a claim."""

    name: str
    """What the owner knows it by: a station, a furnace, ``home``."""
    resources: frozenset[str]
    """Devices and places, all of them at once."""
    is_retreat: bool = False
    """Served only where somebody else waits for what the claim frees."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """What an owner asks for: the first of its options that can be served."""

    owner: str
    options: tuple[Option, ...]
    asked_s: float
    frees: frozenset[str] = frozenset()
    """What the owner holds and keeps from others until it is served. A claim that frees what others wait for goes
    before all others, and may take what is reserved: who reserved it may be waiting for just that."""
    is_first: bool = False
    """Whether it goes before all others, too, though nobody asks for what it frees: a run of a furnace waits for it."""
    due_s: float = math.inf
    """When it should be served at the latest: a time window that ends."""
    work_s: float = 0.0
    """Work that is left to the owner: of two that could be served, the longer goes first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """A claim that was served."""

    claim: Claim
    option: Option
    taken: frozenset[str]
    """What the owner did not hold before."""


class Board:
    """Claims on resources; a resource with capacity n serves n owners.

    Args:
        capacities: How many owners each resource serves at once.
        age_s: From which waiting time a claim reserves what it waits for.
    """

    def __init__(self, capacities: Mapping[str, int], *, age_s: float = AGE_S) -> None:
        self._capacities = dict(capacities)
        self._free = dict(capacities)
        self._held: dict[str, Counter[str]] = {}
        self._waiting: dict[str, Claim] = {}
        self._closed: set[str] = set()
        self._age_s = age_s

    @property
    def waiting(self) -> Collection[Claim]:
        """Claims that were not served yet, in the order in which they came."""
        return self._waiting.values()

    @property
    def closed(self) -> frozenset[str]:
        """Resources that nobody is given: in quarantine, under maintenance, held by a person."""
        return frozenset(self._closed)

    def held(self, owner: str) -> frozenset[str]:
        """Return what an owner holds."""
        return frozenset(self._held.get(owner, ()))

    def holders(self, resource: str) -> list[str]:
        """Return who holds a resource."""
        return [owner for owner, held in self._held.items() if held[resource] > 0]

    def ask(self, claim: Claim) -> None:
        """Let a claim wait; `grants` serves it.

        Raises:
            KeyError: A resource is unknown.
            ValueError: The owner waits already: claims are not nested.
        """
        unknown = {name for option in claim.options for name in option.resources} - self._capacities.keys()
        if unknown:
            raise KeyError(f"no such device or place: {', '.join(sorted(unknown))}")
        if claim.owner in self._waiting:
            raise ValueError(f"{claim.owner} waits for a claim already; claims are not nested")
        self._waiting[claim.owner] = claim

    def withdraw(self, owner: str) -> None:
        """Forget what an owner waits for."""
        self._waiting.pop(owner, None)

    def hold(self, owner: str, resources: Iterable[str]) -> None:
        """Give an owner what it is known to have: a sample that stands somewhere after a restart.

        Raises:
            ValueError: It is another's.
        """
        for resource in resources:
            if self._free[resource] <= 0:
                raise ValueError(f"{resource} is held by {', '.join(self.holders(resource))}, not by {owner}")
            self._take(owner, resource)

    def release(self, owner: str, resources: Iterable[str] | None = None) -> None:
        """Take back what an owner holds; all of it where nothing is named.

        Raises:
            ValueError: It does not hold that.
        """
        held = self._held.get(owner, Counter())
        for resource in list(held.elements()) if resources is None else list(resources):
            if held[resource] <= 0:
                raise ValueError(f"{owner} does not hold {resource}")
            held[resource] -= 1
            self._free[resource] += 1
        self._held[owner] = +held
        if not self._held[owner]:
            del self._held[owner]

    def pass_on(self, giver: str, taker: str, resources: Iterable[str]) -> None:
        """Let an owner have what another holds: a slot of a batch's furnace for the sample that is put there.

        Raises:
            ValueError: The giver does not hold that.
        """
        for resource in list(resources):
            self.release(giver, [resource])
            self._take(taker, resource)

    def is_free(self, resources: Iterable[str]) -> bool:
        """Say whether all of these could be had by somebody who holds nothing."""
        return self._can_have("", frozenset(resources))

    def close(self, resource: str) -> None:
        """Give a resource to nobody from now on; who holds it keeps it."""
        self._closed.add(resource)

    def reopen(self, resource: str) -> None:
        """Give a resource out again."""
        self._closed.discard(resource)

    def grants(self, now_s: float) -> list[Grant]:
        """Serve all claims that can be served, and return them in the order of service."""
        return [*self._freeing(now_s), *self._served(now_s)]

    def _freeing(self, now_s: float) -> list[Grant]:
        """Serve claims that free what others wait for, whatever is reserved."""
        found: list[Grant] = []
        candidates = [claim for claim in self._waiting.values() if claim.frees or claim.is_first]
        wanted = self._wanted() if candidates else {}
        for claim in sorted(candidates, key=lambda one: self._rank(one, now_s)):
            if claim.is_first or {owner for name in claim.frees for owner in wanted.get(name, ())} - {claim.owner}:
                option = next((one for one in claim.options if self._can_have(claim.owner, one.resources)), None)
                if option is not None:
                    found.append(self._serve(claim, option))
        return found

    def _wanted(self) -> dict[str, set[str]]:
        """Return who waits for each resource that is not to be had."""
        wanted: dict[str, set[str]] = {}
        for claim in self._waiting.values():
            for option in claim.options:
                if not option.is_retreat:
                    for name in option.resources:
                        if self._free[name] <= 0:
                            wanted.setdefault(name, set()).add(claim.owner)
        return wanted

    def _served(self, now_s: float) -> list[Grant]:
        found: list[Grant] = []
        reserved: set[str] = set()
        for claim in sorted(self._waiting.values(), key=lambda one: self._rank(one, now_s)):
            options = [one for one in claim.options if not one.is_retreat]
            for option in options:
                if not (option.resources - self.held(claim.owner)) & reserved and self._can_have(
                    claim.owner, option.resources
                ):
                    found.append(self._serve(claim, option))
                    break
            else:
                if options and self._is_aged(claim, now_s):
                    reserved |= self._least_wait(claim, options)
        return found

    def _rank(self, claim: Claim, now_s: float) -> tuple[float, ...]:
        if self._is_aged(claim, now_s):
            return (0.0, claim.asked_s, 0.0, 0.0)
        return (1.0, claim.due_s, -claim.work_s, claim.asked_s)

    def _is_aged(self, claim: Claim, now_s: float) -> bool:
        return now_s - claim.asked_s >= self._age_s

    def _least_wait(self, claim: Claim, options: list[Option]) -> frozenset[str]:
        """Return the resources of the option that lacks the fewest: what is reserved for an aged claim."""
        open_ones = [one for one in options if not one.resources & self._closed] or options
        best = min(open_ones, key=lambda one: sum(self._free[name] <= 0 for name in one.resources))
        return best.resources - self.held(claim.owner)

    def _can_have(self, owner: str, resources: frozenset[str]) -> bool:
        held = self._held.get(owner, {})
        return all(name in held or (self._free[name] > 0 and name not in self._closed) for name in resources)

    def _serve(self, claim: Claim, option: Option) -> Grant:
        del self._waiting[claim.owner]
        taken = option.resources - self.held(claim.owner)
        for name in sorted(taken):
            self._take(claim.owner, name)
        return Grant(claim=claim, option=option, taken=taken)

    def _take(self, owner: str, resource: str) -> None:
        self._free[resource] -= 1
        self._held.setdefault(owner, Counter())[resource] += 1
