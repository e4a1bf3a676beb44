"""Reading the options of a policy from a mapping, with sentences for what is wrong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, TypeVar

from planner.errors import BadOption, did_you_mean

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Range:
    """The values that an option may have."""

    low: float
    high: float
    is_whole: bool = False

    def problem(self, value: Any) -> str | None:
        """Say what is wrong with a value."""
        kinds = int if self.is_whole else (int, float)
        if isinstance(value, bool) or not isinstance(value, kinds) or not self.low <= value <= self.high:
            kind = "an integer" if self.is_whole else "a number"
            return f"must be {kind} from {self.low:g} to {self.high:g}, not {value!r}"
        return None


@dataclass(frozen=True, slots=True)
class Choice:
    """One of some words, or yes and no."""

    words: tuple[str | bool, ...]

    def problem(self, value: Any) -> str | None:
        """Say what is wrong with a value."""
        if value in self.words and isinstance(value, str | bool):
            return None
        return f"must be one of {', '.join(repr(word) for word in self.words)}, not {value!r}"


@dataclass(frozen=True, slots=True)
class Text:
    """Any text but nothing."""

    def problem(self, value: Any) -> str | None:
        """Say what is wrong with a value."""
        return None if isinstance(value, str) and value.strip() else f"must be text, not {value!r}"


def option(default: Any, rule: Range | Choice | Text) -> Any:
    """Declare a field of an options dataclass, with the values that it may have."""
    return field(default=default, metadata={"rule": rule})


def read_options(into: type[T], options: Mapping[str, Any], policy: str, *, beside: Sequence[str] = ()) -> T:
    """Return the options as a dataclass whose fields are declared by `option`; None stands for the default.

    Args:
        into: The dataclass.
        options: What was given.
        policy: Its name, for what is said of mistakes.
        beside: Options that the policy has besides, and reads itself.

    Raises:
        BadOption: A name or a value is wrong; every mistake is named.
    """
    rules = {item.name: item.metadata["rule"] for item in fields(into)}  # type: ignore[arg-type]
    problems = []
    for name, value in options.items():
        if name not in rules:
            problems.append(f"policy {policy!r} has no option {name!r}{did_you_mean(name, [*rules, *beside])}")
        elif value is not None and (problem := rules[name].problem(value)) is not None:
            problems.append(f"option {name!r} of policy {policy!r} {problem}")
    if problems:
        raise BadOption("; ".join(problems))
    return into(**{name: value for name, value in options.items() if value is not None})
