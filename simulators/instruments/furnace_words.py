"""How a 2400 series controller puts values into registers: scaled integers, and 32 bits in a range of their own."""

from __future__ import annotations

import struct
from dataclasses import dataclass

TEMPERATURE, RATE, TIME, PERCENT, NUMBER = "temperature", "rate", "time", "percent", "number"
"""Kinds of values, inside in degC, K/min, ms, per cent and as they are."""
REAL = frozenset({TEMPERATURE, RATE, PERCENT})
TEMPERATURES = frozenset({1, 2, 5, 13, 24, 111, 112, 160, 163})
READ_ONLY = frozenset({1, 4, 5, 29, 36, 56, 58, 75, 107, 111, 112, 121, 122, 160, 163, 211, 258})
WIDE = 0x8000
"""Register n appears in 32 bits at ``WIDE + 2 n``."""


def kind_of(register: int) -> str:
    """Return what kind of value a register holds."""
    if register in TEMPERATURES:
        return TEMPERATURE
    return {35: RATE, 3: PERCENT, 4: PERCENT, 36: TIME, 58: TIME}.get(register, NUMBER)


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """How this controller is configured."""

    decimals: int
    is_integer: bool
    """Whether 16-bit values carry no decimals, whatever the display shows."""
    is_fahrenheit: bool

    def word(self, kind: str, value: float) -> int:
        """Return a value in 16 bits, two's complement."""
        if kind == TIME:
            return min(32_767, round(value / 1000))
        return round(self._shown(kind, value) * self._counts(kind)) & 0xFFFF

    def of_word(self, kind: str, word: int) -> float:
        """Return the value of 16 bits."""
        signed = word - 0x1_0000 if word & 0x8000 else word
        return 1000.0 * word if kind == TIME else self._meant(kind, signed / self._counts(kind))

    def wide(self, kind: str, value: float) -> tuple[int, int]:
        """Return a value in 32 bits, the high half first."""
        data = struct.pack(">f", self._shown(kind, value)) if kind in REAL else struct.pack(">i", round(value))
        high, low = struct.unpack(">HH", data)
        return high, low

    def of_wide(self, kind: str, high: int, low: int) -> float:
        """Return the value of 32 bits."""
        data = struct.pack(">HH", high, low)
        return self._meant(kind, struct.unpack(">f", data)[0]) if kind in REAL else struct.unpack(">i", data)[0]

    def _counts(self, kind: str) -> int:
        if kind not in REAL or self.is_integer:
            return 1
        return 10 if kind == PERCENT else 10**self.decimals

    def _shown(self, kind: str, value: float) -> float:
        if self.is_fahrenheit and kind in (TEMPERATURE, RATE):
            return 1.8 * value + (32.0 if kind == TEMPERATURE else 0.0)
        return value

    def _meant(self, kind: str, value: float) -> float:
        if self.is_fahrenheit and kind in (TEMPERATURE, RATE):
            return (value - (32.0 if kind == TEMPERATURE else 0.0)) / 1.8
        return value
