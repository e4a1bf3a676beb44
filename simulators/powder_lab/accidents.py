"""Accidents of the powder laboratory: options with which one is bound to happen in a short campaign."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

ACCIDENTS: Mapping[str, Mapping[str, Any]] = {
    "dropped": {"faults": {"dropped_per_transfer": 0.03}},
    "not-gripped": {"faults": {"not_gripped_per_transfer": 0.05}},
    "askew": {"faults": {"misplaced_per_transfer": 0.05}},
    "clogged": {"faults": {"clogged_per_dose": 0.15}},
    "powder-empty": {"stock_mg": 2500.0},
    "magazine-empty": {"crucibles": 2},
    "power-loss": {"faults": {"power_loss_per_run": 0.5}},
    "too-hot": {"faults": {"overshoot_per_run": 1.0, "overshoot_c": 40.0}},
    "wrong-hold": {"faults": {"wrong_hold_per_run": 1.0}},
    "jammed-door": {"faults": {"jammed_per_travel": 0.1}},
    "open-door": {"enclosure_opens": [[300.0, 600.0], [1500.0, 300.0], [50_000.0, 600.0]]},
    "full-racks": {},
    "bad-wires": {"faults": {"wire_per_exchange": 0.01}},
}
"""By the name that a drill has for them."""


def options(name: str) -> Mapping[str, Any] | None:
    """Return the options of the world with which an accident happens; None where it cannot."""
    return ACCIDENTS.get(name)
