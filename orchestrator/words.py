"""Numbers, durations and units as people read them."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

UNIT_SIGNS: Mapping[str, str] = {
    "degC": "°C",
    "Cel": "°C",
    "delta_degC": "K",
    "us": "µs",
    "um": "µm",
    "umol": "µmol",
    "uL": "µL",
    "ug": "µg",
    "percent": "%",
    "angstrom": "Å",
    "ohm": "Ω",
}


def unit_sign(unit: Any) -> str:
    """Return how a unit is printed; dimensionless is nothing."""
    text = "" if unit in (None, "1") else str(unit)
    return re.sub(r"[A-Za-z_]+", lambda part: UNIT_SIGNS.get(part[0], part[0]), text)


def number(value: Any, digits: int = 4) -> str:
    """Print a value with a sensible number of digits; text stays as it is, nothing is a dash."""
    if value is None:
        return "–"
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    if not math.isfinite(value):
        return "–"
    if isinstance(value, int) or (value == int(value) and abs(value) < 1e6):
        return f"{int(value):,}".replace(",", "\u2009") if abs(value) >= 10_000 else str(int(value))
    if 10 ** (digits - 1) <= abs(value) < 1e6:
        return number(round(value))
    return f"{value:.{digits}g}"


def quantity(value: Any, unit: Any, digits: int = 4) -> str:
    """Print a value with its unit, joined by a space that does not break."""
    sign = unit_sign(unit)
    text = number(value, digits)
    return f"{text}\u00a0{sign}" if sign and value is not None else text


def duration(seconds: float | None) -> str:
    """Print a duration in the two largest units that matter."""
    if seconds is None or not math.isfinite(seconds):
        return "–"
    if seconds < 60:
        return f"{seconds:.3g} s"
    minutes = round(seconds / 60)
    if minutes < 60:
        whole, rest = divmod(round(seconds), 60)
        return f"{whole} min {rest} s" if rest and whole < 10 else f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    days, hours = divmod(hours, 24)
    return f"{days} d {hours} h" if hours else f"{days} d"


def moment(utc: str) -> str:
    """Print an ISO instant of UTC to the second."""
    return f"{utc[:19].replace('T', ' ')} UTC" if utc else "–"


def size(count: float) -> str:
    """Print a number of bytes."""
    for unit in ("B", "kB", "MB"):
        if count < 1000:
            return f"{count:.3g} {unit}"
        count /= 1000
    return f"{count:.3g} GB"


def plural(count: int, word: str, many: str | None = None) -> str:
    """Print a count with its noun."""
    return f"{number(count)} {word if count == 1 else many or word + 's'}"


def label(name: str) -> str:
    """Print a name from a file as words."""
    return name.replace("_", " ")
