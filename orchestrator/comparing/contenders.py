"""Who is compared: a policy by name, or with options of its own, such as ``logei:caution=1.0``."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from orchestrator.check import Ready, check_campaign
from orchestrator.errors import InputError
from planner.policies.base import WITH_SOURCES

_HELP = "give names with commas, as in --planners logei,random or --planners logei,logei:caution=1.0"


@dataclass(frozen=True, slots=True, kw_only=True)
class Contender:
    """A policy with its options."""

    label: str
    """As it was written; the name in tables and pictures."""
    policy: str
    options: tuple[str, ...] = field(default=())
    """``name=value`` each; the value is YAML."""

    @property
    def slug(self) -> str:
        """The label as the name of a directory."""
        return re.sub(r"[^\w.=-]+", "-", self.label)

    def overrides(self, own_policy: str, *, has_sources: bool = False) -> list[str]:
        """Return the changes to the campaign file that make it this planner's.

        own_policy: which the campaign names; its options are this policy's, and no other's.
        has_sources: whether the campaign names results from elsewhere, which only some policies take.
        """
        if self.policy == own_policy and not self.options:
            return []
        changes = [f"planner.policy={self.policy}"]
        if self.policy != own_policy:
            changes.append("planner.options={}")
            changes += ["sources=[]"] if has_sources and self.policy not in WITH_SOURCES else []
        return changes + [f"planner.options.{option}" for option in self.options]


def read_contenders(text: str) -> list[Contender]:
    """Read what ``--planners`` says.

    Raises:
        InputError: It names nobody, somebody twice, or an option without a value.
    """
    found = [_contender(part.strip()) for part in text.split(",") if part.strip()]
    if not found:
        raise InputError(f"--planners {text!r} names no planner; {_HELP}")
    labels = [one.label for one in found]
    twice = [label for label in labels if labels.count(label) > 1]
    if twice:
        raise InputError(f"--planners names {twice[0]!r} twice; a comparison with itself says nothing")
    return found


def _contender(label: str) -> Contender:
    policy, *options = label.split(":")
    for option in options:
        name, equals, value = option.partition("=")
        if not (name.strip() and equals and value.strip()):
            raise InputError(f"--planners: {option!r} of {label!r} is no option; write name=value, as in {policy}:a=1")
    if not policy:
        raise InputError(f"--planners: {label!r} begins without a policy; {_HELP}")
    return Contender(label=label, policy=policy, options=tuple(options))


def _as_written(problem: str, contender: Contender, changes: Sequence[str]) -> str:
    """Return a problem of a planner at the option that named it, and not at what that was translated into."""
    for change in changes:
        if problem.startswith(f"--set {change}: "):
            said = problem.removeprefix(f"--set {change}: ").partition(": ")[2]
            return f"--planners {contender.label}: {said}"
    return problem


def checked(
    campaign: Path, lab: Path | None, overrides: Sequence[str], contenders: Sequence[Contender]
) -> dict[str, Ready]:
    """Check the campaign with each planner; nothing is run while one of them would be refused.

    Returns:
        What to execute, by label.

    Raises:
        InputError: Something is wrong; every mistake is named once.
    """
    found = check_campaign(campaign, lab, overrides)
    own_policy = found.campaign.planner.policy if found.campaign is not None else ""
    has_sources = found.campaign is not None and bool(found.campaign.sources)
    problems: dict[str, None] = {}
    ready: dict[str, Ready] = {}
    for contender in contenders:
        changes = contender.overrides(own_policy, has_sources=has_sources)
        try:
            ready[contender.label] = check_campaign(campaign, lab, [*overrides, *changes]).require()
        except InputError as error:
            problems.update(dict.fromkeys(_as_written(text, contender, changes) for text in error.problems))
    if problems:
        raise InputError(list(problems))
    return ready
