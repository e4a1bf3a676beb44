"""What the shaker is told to remember of a run: ten characters in the place of its name."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace

PLANNED, RUNNING, OVER = "P", "R", "D"

_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_N_DIGEST = 6
_N_TIME = 3
WRAP_S = 36**_N_TIME
"""Times are kept modulo this, 13 hours."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunMark:
    """How far the run of a tag is."""

    stage: str
    """`PLANNED` before the motor is started, `RUNNING` when it is known to run, `OVER` when the time has passed."""
    digest: str
    """Of the tag."""
    began_s: int
    """When it was planned or started, in seconds of UTC modulo `WRAP_S`."""

    @classmethod
    def of(cls, tag: str, stage: str, utc_s: float) -> RunMark:
        """Return the mark of a tag."""
        number = int.from_bytes(hashlib.sha256(tag.encode()).digest()[:8], "big")
        return cls(stage=stage, digest=_in_digits(number, _N_DIGEST), began_s=int(utc_s) % WRAP_S)

    @classmethod
    def read(cls, name: str) -> RunMark | None:
        """Return the mark that a name is, None where it is another name."""
        is_mark = len(name) == 1 + _N_DIGEST + _N_TIME and name[0] in (PLANNED, RUNNING, OVER)
        if not is_mark or not set(name) <= set(_DIGITS):
            return None
        return cls(stage=name[0], digest=name[1 : 1 + _N_DIGEST], began_s=int(name[1 + _N_DIGEST :], 36))

    def __str__(self) -> str:
        return f"{self.stage}{self.digest}{_in_digits(self.began_s, _N_TIME)}"

    def at(self, stage: str) -> RunMark:
        """Return the mark of the same run at another stage."""
        return replace(self, stage=stage)

    def age_s(self, utc_s: float) -> float:
        """Return how long ago the run began, to a second, if that is less than `WRAP_S`."""
        age_s = (utc_s - self.began_s) % WRAP_S
        return age_s if age_s < WRAP_S - 60.0 else 0.0  # clocks may differ by a little


def _in_digits(number: int, n: int) -> str:
    text = ""
    for _ in range(n):
        number, digit = divmod(number, 36)
        text = _DIGITS[digit] + text
    return text
