"""Batches: which samples share a furnace, and for how long the first of them waits for more.

A run takes as long with one sample as with eight, so a place that stays empty costs a share of a run, and waiting to
fill it costs the furnace the time that it waits. So a batch that is not full is begun once the next sample that agrees
with it is expected later than that share, once its oldest member has waited for long enough, or once nobody else comes.
A furnace that is busy costs nothing to wait for: batches are formed when one is free.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace

LONGEST_WAIT = 0.25
"""Of a run's duration: how long a member waits at most for others while a furnace is free."""
MEMORY = 0.3
"""How much the newest gap between two arrivals counts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A sample that waits to share a run."""

    owner: str
    key: str
    """What all members of a batch agree on: the program of the furnace."""
    run_s: float
    """How long that program takes."""
    since_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Samples that share a run."""

    key: str
    members: tuple[str, ...]
    is_planned: bool = False
    """Whether an optimiser formed it, and not the rule."""


@dataclass(slots=True)
class Former:
    """Forms batches for one kind of station.

    Args:
        capacity: Places of one station.
        longest_wait: Of a run's duration; 0 never waits.
    """

    capacity: int
    longest_wait: float = LONGEST_WAIT
    is_strict: bool = False
    """Whether the longest wait is what somebody asked for, and not only a rule's."""
    _waiting: dict[str, Member] = field(default_factory=dict)
    _gap_s: dict[str, float] = field(default_factory=dict)
    """What passes between two arrivals of a key, on average."""
    _last_s: dict[str, float] = field(default_factory=dict)

    def join(self, member: Member) -> None:
        """Let a sample wait for a run.

        Raises:
            ValueError: It waits already.
        """
        if member.owner in self._waiting:
            raise ValueError(f"{member.owner} waits for a batch already")
        self._waiting[member.owner] = member
        last_s = self._last_s.get(member.key)
        if last_s is not None:
            gap_s = member.since_s - last_s
            self._gap_s[member.key] = (1.0 - MEMORY) * self._gap_s.get(member.key, gap_s) + MEMORY * gap_s
        self._last_s[member.key] = member.since_s

    def leave(self, owner: str) -> None:
        """Forget a sample that waits no longer."""
        self._waiting.pop(owner, None)

    def copy(self) -> Former:
        """Return another one that stands as this one does."""
        return replace(self, _waiting=dict(self._waiting), _gap_s=dict(self._gap_s), _last_s=dict(self._last_s))

    def take(self, batch: Batch) -> None:
        """Wait no longer for the members of a batch that was formed elsewhere.

        Raises:
            KeyError: One of them does not wait.
        """
        for owner in batch.members:
            del self._waiting[owner]

    @property
    def waiting(self) -> Collection[Member]:
        """Samples that wait, in the order in which they came."""
        return self._waiting.values()

    def form(self, now_s: float, *, coming: Mapping[str, int]) -> Batch | None:
        """Return the batch that a free station should begin now, and wait for its members no longer.

        coming: How many samples of each key are on their way here.
        """
        groups = self._groups()
        full = [key for key, members in groups.items() if len(members) >= self.capacity]
        ready = full or [key for key, members in groups.items() if self._due_s(members, coming) <= now_s]
        if not ready:
            return None
        key = min(ready, key=lambda one: groups[one][0].since_s)
        batch = Batch(key=key, members=tuple(member.owner for member in groups[key][: self.capacity]))
        self.take(batch)
        return batch

    def next_s(self, *, coming: Mapping[str, int]) -> float | None:
        """Return when to ask again if nothing happens until then."""
        due = [self._due_s(members, coming) for members in self._groups().values()]
        return min(due) if due else None

    def _groups(self) -> dict[str, list[Member]]:
        groups: dict[str, list[Member]] = {}
        for member in self._waiting.values():
            groups.setdefault(member.key, []).append(member)
        return groups

    def _due_s(self, members: list[Member], coming: Mapping[str, int]) -> float:
        """Return when a group that is not full waits no longer."""
        first, newest = members[0], members[-1]
        if not coming.get(first.key, 0):
            return first.since_s
        latest_s = first.since_s + self.longest_wait * first.run_s
        gap_s = self._gap_s.get(first.key)
        worth_s = first.run_s / self.capacity
        # the next one is late already by what has passed since the newest came
        return min(latest_s, newest.since_s + worth_s) if gap_s is None or gap_s <= worth_s else newest.since_s
