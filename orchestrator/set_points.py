"""Set-points: what acts left a device in, and the rest of an open trial relies on.

A device may lose its power while nobody looks: together with the controller, or when its connection drops. What was
set need not hold any more then, and is looked at before anything new relies on it. Only states are looked at: an act
that carries a tag is an event (a shot, an order), which stays done, and one without arguments (a tare) says nothing
that must still hold when others have gone on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from drivers.command import CommandSpec, Effect
from orchestrator.plan import Act


@dataclass(slots=True)
class SetPoints:
    """The last set-point of each device, by trial or batch, and which of them are in doubt."""

    _acts: dict[str, dict[str, Act]] = field(default_factory=dict)
    _doubted: set[tuple[str, str]] = field(default_factory=set)

    def note(self, owner: str, act: Act, spec: CommandSpec, *, is_doubted: bool) -> None:
        """Take note of an act that was done.

        is_doubted: it was done before something that the device may not have survived.
        """
        if spec.effect is Effect.READ:
            return
        held = self._acts.setdefault(owner, {})
        held.pop(act.device, None)
        self._doubted.discard((owner, act.device))
        if spec.effect is Effect.VERIFIABLE and act.arguments and not act.is_tagged and "tag" not in act.arguments:
            held[act.device] = act
            if is_doubted:
                self._doubted.add((owner, act.device))

    def doubt(self, device: str) -> None:
        """Doubt what a device was set to: its connection was lost, and it may have restarted."""
        self._doubted |= {(owner, device) for owner, held in self._acts.items() if device in held}

    def take(self, owner: str, *, but_for: str = "") -> Sequence[Act]:
        """Return an owner's doubted set-points, in the order in which they were set, and doubt them no more.

        but_for: a device that has been told something else since.
        """
        held = self._acts.get(owner, {})
        found = [act for device, act in held.items() if (owner, device) in self._doubted and device != but_for]
        self._doubted = {(one, device) for one, device in self._doubted if one != owner}
        return found

    def forget(self, owner: str) -> None:
        """Forget a trial or a batch that has ended."""
        self._acts.pop(owner, None)
        self._doubted = {(one, device) for one, device in self._doubted if one != owner}
