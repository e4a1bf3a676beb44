"""A step: one act for one owner, under a command id that names it for ever."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from drivers.command import CommandSpec
from orchestrator.plan import Act


def path_of(batch: str, act: Act) -> str:
    """Return where in the recipe an act belongs: a batch's acts have paths of their own."""
    return f"{batch}.{act.path}" if batch else act.path


def owner_of(trial: int) -> str:
    """Return what command ids of a trial begin with."""
    return f"{trial:06d}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """An act that is to be carried out or settled."""

    trial: int
    owner: str
    """Its trial or its batch, as command ids name it."""
    act: Act
    spec: CommandSpec
    was_intended: bool
    """Whether the journal knew of it before this controller started."""

    @property
    def command_id(self) -> str:
        """Return what names it for ever; devices get it as the tag of shots and acquisitions."""
        return f"{self.owner}.{self.act.path}"

    @property
    def arguments(self) -> Mapping[str, Any]:
        """Return what its device is told, the tag included."""
        return {**self.act.arguments, "tag": self.command_id} if self.act.is_tagged else dict(self.act.arguments)

    @property
    def device(self) -> str:
        """Return whom it is for."""
        return self.act.device
