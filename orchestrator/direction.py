"""Direction: what people have ordered at the desk, carried out in a running campaign.

`Direction.follow` brings the campaign in line with everything that the journal says people want. It is called after
each order and after a start, and may be called at any time: it works from what stands, not from what has just come.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from drivers.command import Quantity
from drivers.errors import OutOfLimits, Rejected
from orchestrator.attention import Attention
from orchestrator.casting import Casting
from orchestrator.check import Ready
from orchestrator.lab import Approval, Limit
from orchestrator.laboratory import Laboratory
from orchestrator.outcomes import NOT_APPROVED, StopSwitch, TrialLost
from orchestrator.people.desk import Desk
from orchestrator.people.intent import Intent
from orchestrator.people.judging import narrowed
from orchestrator.people.questions import APPROVE, About, Question, approval
from orchestrator.people.reading import limits_of
from orchestrator.permission import Permission
from orchestrator.plan import Act
from orchestrator.records import TrialRecord
from orchestrator.subject import SiteLimits, site_limits

FIRE = "fire"
"""The kind of the step that batches belong to."""


@dataclass(slots=True, kw_only=True)
class Direction:
    """Carries orders out."""

    desk: Desk
    task: Ready
    stop: StopSwitch
    laboratory: Laboratory
    trials: Sequence[TrialRecord]
    """All trials of the campaign, as they stand."""
    abort: Callable[[str], None]
    """Makes the laboratory safe and ends the campaign now, for a reason."""
    wake: Callable[[], None] = lambda: None
    """Lets the loop look again at what may be asked for."""
    attention: Attention | None = None
    permission: Permission = field(init=False)
    _kinds: Sequence[str] = field(init=False)
    _skipped: set[int] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.permission = Permission(self.refusal, self.approved)
        self._kinds = [step.kind for step in self.task.campaign.recipe]

    def follow(self) -> None:
        """Bring the campaign in line with what people want."""
        desk = self.desk
        if desk.intent is Intent.ABORT:
            self.abort(f"aborted {desk.state.intent_by}")
        elif desk.intent is Intent.STOP:
            self.stop.set(f"stopped {desk.state.intent_by}")
        self.laboratory.limits = self._limits()
        self._skip()
        if self.attention is not None:
            self._override(self.attention)
        self.permission.changed()
        self.wake()

    def refusal(self, device: str, path: str) -> str:
        """Say why no step may begin with a device that a path of a plan belongs to; empty: it may."""
        if self.desk.intent is Intent.PAUSE:
            return f"the campaign is paused {self.desk.state.intent_by}"
        kind = self._kind(path)
        return f"{device or kind} is held" if self.desk.is_held(device=device, step_kind=kind) else ""

    def _kind(self, path: str) -> str:
        head = path.partition(".")[0]
        if head.isdigit() and int(head) < len(self._kinds):
            return self._kinds[int(head)]
        return FIRE if head.startswith("batch-") else ""

    async def approved(self, trial: int, act: Act, command_id: str) -> None:
        """Have a person approve an act where the lab file wants it.

        Raises:
            TrialLost: It was refused, or nobody answered in time.
            StopRequested: The operator asked to stop.
        """
        rule = self.task.lab.approvals.get(f"{act.device}.{act.command}")
        if rule is None or not self._is_hazardous(rule, act):
            return
        answer = await self.stop.unless_set(self.desk.ask(_question(rule, trial, act, command_id)))
        if answer.choice != APPROVE:
            text = f"{act.label} ({act.device}.{act.command}) was not approved: {answer}"
            raise TrialLost(text, device=act.device, is_fault=False, code=NOT_APPROVED)

    def _is_hazardous(self, rule: Approval, act: Act) -> bool:
        if not rule.unless:
            return True
        spec = self.laboratory.stations[act.device].specs[act.command]
        within = self.task.casting.limits(f"{act.device}.{act.command}", rule.unless)
        try:
            spec.check_limits(act.arguments, site=within, device=act.device)
        except (OutOfLimits, Rejected):
            return True
        return False

    def _skip(self) -> None:
        for trial in self.trials:
            given = self.desk.state.skipped.get(trial.number)
            if given is not None and trial.is_open and trial.number not in self._skipped:
                self._skipped.add(trial.number)
                self.stop.skip(trial.number, f"given up {given}")

    def _override(self, attention: Attention) -> None:
        for (kind, name), given in self.desk.state.overrides.items():
            if kind != "quarantine":
                continue
            for doubt in attention.override(name, f"overridden {given}", given_s=given.at_s):
                self.desk.withdraw_about(doubt, f"overridden {given}")

    def _limits(self) -> SiteLimits:
        """Return the limits of the files, narrowed and overridden as people have said since."""
        task, state = self.task, self.desk.state
        of_files = limits_of(task.lab.data().get("limits", {}), task.campaign.data().get("limits", {}))
        limits = site_limits(task.campaign, task.lab, task.casting)
        for name, said in state.limits.items():
            kept, converted = _found(limits, task.casting, name, narrowed(of_files[name], said))
            for full, quantity in converted.items():
                kept[full] = kept[full].narrowed(quantity.low, quantity.high) if full in kept else quantity
        for kind, name in state.overrides:
            if kind == "limit":
                kept, converted = _found(limits, task.casting, name, of_files[name])
                for full in converted:
                    kept.pop(full, None)
        return limits


def _found(
    limits: dict[str, dict[str, dict[str, Quantity]]], casting: Casting, name: str, limit: Limit
) -> tuple[dict[str, Quantity], dict[str, Quantity]]:
    """Return the limits of a command so far, and one of device.command.argument in the driver's units."""
    device, command, argument = name.split(".", 2)
    kept = limits.setdefault(device, {}).setdefault(command, {})
    return kept, casting.limits(f"{device}.{command}", {argument: limit})


def _question(rule: Approval, trial: int, act: Act, command_id: str) -> Question:
    return approval(
        f"approve-{command_id}",
        f"may {act.device} do this: {act.label} ({command_id})? It needs a person's approval: {rule.why}",
        deadline_s=rule.deadline_s,
        escalate_s=rule.deadline_s / 2.0,
        about=About(trial=trial, device=act.device),
        facts={"command": act.command, "arguments": dict(act.arguments)},
    )
