"""Worlds of one instrument: what ``sim:furnace`` starts."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Self

from simulators.instruments.base import Now
from simulators.world import Instrument, WorldFile, claim


class Solo(ABC):
    """A world around one device; a subclass builds the device, with one instrument for each wire that it speaks.

    Args:
        state: The world's own file.
        clock: The time; it must survive a restart.
        seed: Of everything that chance decides.
        options: See the subclass's `DEFAULTS`.

    Raises:
        ValueError: An option is unknown or of another type, or the file belongs to another world.
    """

    name: ClassVar[str]
    DEFAULTS: ClassVar[Mapping[str, Any]] = {}
    """The options and their defaults."""

    def __init__(self, *, state: WorldFile, clock: Now, seed: int, options: Mapping[str, Any]) -> None:
        problems = self.check(options)
        if problems:
            raise ValueError("; ".join(problems))
        claim(state, self.name, seed=seed, options=options, began_s=clock.now_s())
        self._state = state
        self.instruments: dict[str, Instrument] = self.build(
            state=state, clock=clock, seed=seed, options={**self.DEFAULTS, **options}
        )

    @abstractmethod
    def build(self, *, state: WorldFile, clock: Now, seed: int, options: Mapping[str, Any]) -> dict[str, Instrument]:
        """Return the instruments by name; those of one device share its state."""

    @classmethod
    def open(cls, path: Path, *, clock: Now, seed: int, options: Mapping[str, Any]) -> Self:
        """Construct the world on its state file; arguments and errors as in the constructor."""
        return cls(state=WorldFile(path), clock=clock, seed=seed, options=options)

    @classmethod
    def check(cls, options: Mapping[str, Any]) -> list[str]:
        """Return what is wrong with options, as sentences."""
        problems = []
        for key, value in options.items():
            if key not in cls.DEFAULTS:
                problems.append(f"{cls.name} has no option {key!r}; it has {', '.join(cls.DEFAULTS) or 'none'}")
            elif not _is_like(value, cls.DEFAULTS[key]):
                problems.append(f"option {key!r} of {cls.name} is like {cls.DEFAULTS[key]!r}, not {value!r}")
        return problems

    @classmethod
    def pool(cls, options: Mapping[str, Any]) -> list[dict[str, Any]] | None:
        """Return None: nothing limits what may be asked of it."""
        return None

    @property
    def latest_s(self) -> float:
        """When an instrument last did something."""
        return self._state.latest_s

    def close(self) -> None:
        """Release the world's file."""
        self._state.close()


def _is_like(value: Any, default: Any) -> bool:
    if isinstance(default, float):
        return isinstance(value, int | float) and not isinstance(value, bool)
    return isinstance(value, type(default)) and isinstance(value, bool) == isinstance(default, bool)
