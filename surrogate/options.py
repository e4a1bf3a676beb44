"""Options as campaign files give them, checked into sentences."""

from __future__ import annotations

import difflib
import math
from collections.abc import Mapping
from typing import Any


def unknown_keys(options: Mapping[str, Any], known: Mapping[str, Any] | tuple[str, ...], what: str) -> list[str]:
    """Return a sentence for each key that is not known, with the nearest known one."""
    problems = []
    for key in options:
        if key not in known:
            close = difflib.get_close_matches(str(key), list(known), n=1)
            hint = f"did you mean {close[0]!r}?" if close else f"known options: {', '.join(sorted(known)) or 'none'}"
            problems.append(f"{what} has no option {key!r}; {hint}")
    return problems


def is_number(value: object, *, above: float = -math.inf) -> bool:
    """Say whether a value is a finite number above a bound; truth values are none."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value) and value > above
