"""Where every container is, and what is in it: the one truth that all instruments of the laboratory share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from simulators.chance import generator
from simulators.instruments.base import Now
from simulators.materials.solid_state.powder import Powder
from simulators.powder_lab.notebook import Notebook
from simulators.powder_lab.places import COUNTLESS, MAGAZINE

EMPTY = Powder()
TARE_G = (18.0, 22.0)


class Room:
    """Containers and places. A container's row is the only note of where it is.

    Args:
        book: The world's file.
        clock: The time.
        seed: Of the crucibles' weights.
        crucibles: In the magazine at first, and at most.
    """

    def __init__(self, book: Notebook, *, clock: Now, seed: int, crucibles: int) -> None:
        self._book = book
        self._clock = clock
        self._seed = seed
        self.capacity = crucibles
        self._magazine: dict[str, int] = book.get("magazine", {"left": crucibles, "fetched": 0})
        self._rows: dict[str, dict[str, Any]] = {
            key.removeprefix("container/"): book.get(key) for key in book.keys("container/")
        }
        self._at: dict[str, list[str]] = {}
        for container, row in self._rows.items():
            self._at.setdefault(row["at"], []).append(container)
        self.leaves: Callable[[str, str], None] = lambda container, place: None
        """Told of a container before it leaves a place."""
        self.moved: Callable[[str, str, str], None] = lambda container, before, place: None
        """Told of a container that has come from one place to another."""

    @property
    def left(self) -> int:
        """How many crucibles are in the magazine."""
        return self._magazine["left"]

    def at(self, place: str) -> tuple[str, ...]:
        """Return the containers at a place."""
        return tuple(self._at.get(place, ()))

    def top(self, place: str) -> str | None:
        """Return the container at a place, the last one put there."""
        found = self._at.get(place)
        return found[-1] if found else None

    def row(self, container: str) -> Mapping[str, Any]:
        """Return what is known of a container."""
        return self._rows[container]

    def knows(self, container: str) -> bool:
        """Say whether there is such a container."""
        return container in self._rows

    def is_taken(self, place: str) -> bool:
        """Say what the sensor at a place says."""
        if place == MAGAZINE:
            return self.left > 0
        return place not in COUNTLESS and bool(self._at.get(place))

    def fetch(self) -> str:
        """Take a fresh crucible from the magazine; it is nowhere yet."""
        number = self._magazine["fetched"] + 1
        self._magazine = {"left": self.left - 1, "fetched": number}
        container = f"crucible-{number:06d}"
        tare_g = float(generator(self._seed, "tare", number).uniform(*TARE_G))
        self._rows[container] = {"at": "", "tare_g": round(tare_g, 5), "firings": 0, "is_askew": False}
        self._book.put(magazine=self._magazine)
        return container

    def fill(self, number: int) -> int:
        """Put crucibles into the magazine, as many as it takes; returns how many."""
        added = min(number, self.capacity - self.left)
        self._magazine = {**self._magazine, "left": self.left + added}
        self._book.put(magazine=self._magazine)
        return added

    def move(self, container: str, place: str, *, is_askew: bool = False) -> None:
        """Have a container be at a place, or in an arm."""
        before = self._rows[container]["at"]
        if before:
            self.leaves(container, before)
            self._at[before].remove(container)
        others = () if place in COUNTLESS else self.at(place)
        self._at.setdefault(place, []).append(container)
        self.note(container, at=place, is_askew=is_askew)
        if others:
            self.unsafe("two samples in one place", place=place, containers=[*others, container])
        self.moved(container, before, place)

    def note(self, container: str, **changes: Any) -> None:
        """Change what is known of a container."""
        self._rows[container] = {**self._rows[container], **changes}
        self._book.update({f"container/{container}": self._rows[container]})

    def powder(self, container: str) -> Powder:
        """Return the powder in a container, as it was when anything last happened to it."""
        text = self._book.get(f"powder/{container}")
        return EMPTY if text is None else Powder.from_json(text)

    def put_powder(self, container: str, powder: Powder) -> None:
        """Have this powder be in a container."""
        self._book.update({f"powder/{container}": powder.to_json()})

    def mass_g(self, place: str) -> float:
        """Return what the containers at a place weigh."""
        return sum(self._rows[one]["tare_g"] + 1e-3 * self.powder(one).mass_mg for one in self.at(place))

    def unsafe(self, rule: str, *, at_s: float | None = None, **facts: Any) -> None:
        """Note what must never happen."""
        when_s = self._clock.now_s() if at_s is None else at_s
        self._book.note_act("unsafe", once=False, facts={"rule": rule, "by": "world", **facts}, at_s=when_s)

    def happened(self, what: str, *, by: str = "world", **facts: Any) -> None:
        """Note what nobody ordered."""
        self._book.note_act(what, once=False, facts={**facts, "by": by}, at_s=self._clock.now_s())
