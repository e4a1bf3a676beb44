"""Set-points: what acts from before a restart left a device in, and the rest of an open trial relies on.

A device may have lost its power together with the controller, so what was done need not hold any more. Only states are
looked at: an act that carries a tag is an event (a shot, an order), which stays done, and one without arguments (a
tare) says nothing that must still hold when others have gone on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from drivers.command import CommandSpec, Effect
from orchestrator.plan import Act


@dataclass(slots=True)
class SetPoints:
    """The last set-point of each device, by trial."""

    _acts: dict[int, dict[str, Act]] = field(default_factory=dict)

    def note(self, trial: int, act: Act, spec: CommandSpec) -> None:
        """Take note of an act that was done before the restart."""
        if spec.effect is Effect.READ:
            return
        held = self._acts.setdefault(trial, {})
        held.pop(act.device, None)
        if spec.effect is Effect.VERIFIABLE and act.arguments and not act.is_tagged and "tag" not in act.arguments:
            held[act.device] = act

    def take(self, trial: int, *, but_for: str = "") -> Sequence[Act]:
        """Return a trial's set-points, in the order in which they were set, and forget them.

        but_for: a device that has been told something else since.
        """
        return [act for device, act in self._acts.pop(trial, {}).items() if device != but_for]
