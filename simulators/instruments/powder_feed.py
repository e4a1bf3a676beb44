"""A screw that feeds powder onto a load cell: pulses with every turn, slows before the target, never the same twice."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

TURNS_PER_S = 2.0
"""Of the screw at full speed."""
PULSATION = 0.6
"""How much the flow swings within a turn, as a share of its mean."""
SPREAD = 0.02
"""Standard deviation of the mass of a turn, from dose to dose."""
SPIN_UP_S = 0.3
TICK_S = 0.05
"""How often the controller looks at the load cell."""
FALL_S = 0.15
"""How long powder falls."""
FALL_SPREAD = 0.3
LAND_S = 1.0
"""What the controller waits for the last grains, and for the load cell, before it calls a dose done."""
NO_FLOW_S = 3.0
"""After so long without more mass the controller gives up."""

TURN_MG = {"silica": 6.0, "alumina": 12.0, "sodium-chloride": 20.0, "titania": 2.0}
"""Mass of a turn of the screw, by powder."""
OTHER_TURN_MG = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Feed:
    """One dose, all of it known once it begins."""

    turn_mg: float
    """Of this dose."""
    fast_s: float
    slow_s: float
    slowness: float
    """Speed of the end game, as a share of full speed."""
    falling_mg: float
    """What lands after the screw has stopped."""
    most_mg: float
    """The hopper holds no more, or the screw clogs there."""
    outcome: str
    """``done``, ``clogged`` or ``empty``."""

    @property
    def lasts_s(self) -> float:
        """How long the dose takes."""
        return SPIN_UP_S + self.fast_s + self.slow_s + (LAND_S if self.outcome == "done" else NO_FLOW_S)

    def delivered_mg(self, elapsed_s: float) -> float:
        """Return what lies on the load cell so long after the dose began."""
        turning_s = max(0.0, elapsed_s - SPIN_UP_S)
        slow_s = min(max(0.0, turning_s - self.fast_s), self.slow_s)
        mass_mg = self._fed_mg(min(turning_s, self.fast_s) + self.slowness * slow_s)
        has_landed = self.outcome == "done" and turning_s >= self.fast_s + self.slow_s + FALL_S
        return min(self.most_mg, mass_mg + (self.falling_mg if has_landed else 0.0))

    def _fed_mg(self, full_speed_s: float) -> float:
        return fed_mg(self.turn_mg, full_speed_s)


def fed_mg(turn_mg: float, full_speed_s: float) -> float:
    """Return what a screw has fed after so many seconds of full speed."""
    angle = 2.0 * math.pi * TURNS_PER_S * full_speed_s
    return turn_mg / (2.0 * math.pi) * (angle + PULSATION * (1.0 - math.cos(angle)))


def plan_feed(
    *, material: str, target_mg: float, tolerance_mg: float, hopper_mg: float, clogs_at: float, rng: np.random.Generator
) -> Feed:
    """Work out a dose as the controller will run it.

    Args:
        material: What is in the cartridge.
        target_mg: What is asked for.
        tolerance_mg: How far off it may be; the smaller, the slower the end game.
        hopper_mg: What is left.
        clogs_at: The share of the target at which the screw clogs; 1 or more where it does not.
        rng: The chance of this dose.
    """
    nominal_mg = TURN_MG.get(material, OTHER_TURN_MG)
    turn_mg = nominal_mg * (1.0 + SPREAD * float(rng.standard_normal()))
    slow_mg_s = min(0.1 * nominal_mg * TURNS_PER_S, 5.0 * tolerance_mg)
    slowness = slow_mg_s / (nominal_mg * TURNS_PER_S)
    expected_mg = slow_mg_s * FALL_S
    most_mg = min(hopper_mg, clogs_at * target_mg if clogs_at < 1.0 else math.inf)
    fast_s = _ticks_s(turn_mg, min(most_mg, max(0.0, target_mg - max(2.0 * nominal_mg, 0.05 * target_mg))), 0.0, 1.0)
    slow_s = _ticks_s(turn_mg, min(most_mg, target_mg - expected_mg), fast_s, slowness)
    falling_mg = expected_mg * max(0.0, 1.0 + FALL_SPREAD * float(rng.standard_normal()))
    outcome = "done"
    if most_mg < target_mg - expected_mg:
        outcome = "empty" if hopper_mg <= most_mg else "clogged"
    return Feed(
        turn_mg=turn_mg,
        fast_s=fast_s,
        slow_s=slow_s,
        slowness=slowness,
        falling_mg=falling_mg,
        most_mg=min(most_mg, hopper_mg),
        outcome=outcome,
    )


def _ticks_s(turn_mg: float, until_mg: float, before_s: float, speed: float) -> float:
    """Return after how many seconds at a speed the controller sees a mass on the load cell."""
    n = 0
    while fed_mg(turn_mg, before_s + speed * n * TICK_S) < until_mg:
        n += 1
    return n * TICK_S
