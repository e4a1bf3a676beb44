"""What computing costs in virtual time: what it took, what the campaign says, or what was recorded elsewhere.

A duration that was recorded is drawn by the campaign's seed and by what it is of, so that equal seeds charge alike,
also after a restart.
"""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from orchestrator.errors import InputError
from surrogate.compute.costs import CostModel
from surrogate.compute.errors import WrongCosts
from surrogate.compute.jobs import Job, JobClass

if TYPE_CHECKING:
    from orchestrator.campaign import Campaign

_ASK, _CHOICE, _ANALYSIS, _LIST = 1, 2, 3, 4
"""What a draw is for."""


def ask_job(policy: str, known: int) -> Job:
    """Return what durations of asks are learnt by; known: how many observations the planner has."""
    return Job(job_class=JobClass.PLAN, function=f"planner.ask:{_word(policy)}", size=float(max(1, known)))


def choice_job(policy: str, known: int) -> Job:
    """Return what durations of choices from short lists are learnt by."""
    return Job(job_class=JobClass.PLAN, function=f"planner.choose:{_word(policy)}", size=float(max(1, known)))


def list_job(policy: str, known: int) -> Job:
    """Return what durations of short lists are learnt by."""
    return Job(job_class=JobClass.SPECULATE, function=f"planner.list:{_word(policy)}", size=float(max(1, known)))


def analysis_job(kind: str) -> Job:
    """Return what durations of analyses are learnt by."""
    return Job(job_class=JobClass.ANALYSE, function=f"surrogate.analyse:{_word(kind)}")


def _word(name: str) -> str:
    return re.sub(r"\W", "_", name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Charges:
    """Charges of one campaign."""

    planner: float | str
    choice: float | str | None
    analysis: float | str
    policy: str
    analysis_kind: str
    seed: int
    costs: CostModel = field(default_factory=CostModel)

    @classmethod
    def of(cls, campaign: Campaign) -> Charges:
        """Return what a campaign file says.

        Raises:
            InputError: Its file of durations cannot be read, or lacks some.
        """
        found = cls(
            planner=campaign.planner.charge_s,
            choice=campaign.choice_charge_s,
            analysis=campaign.analysis.charge_s,
            policy=campaign.planner.policy,
            analysis_kind=campaign.analysis.kind,
            seed=campaign.seed,
            costs=CostModel() if campaign.durations is None else read_costs(Path(campaign.durations.file)),
        )
        lacking = found.lacking(is_ahead=campaign.is_ahead)
        if lacking:
            raise InputError(f"durations: {lacking}")
        return found

    def lacking(self, *, is_ahead: bool) -> str:
        """Say which durations are to be charged and were never recorded; empty: none."""
        wanted: dict[str, tuple[float | str | None, Job]] = {
            f"asks of policy {self.policy!r}": (self.planner, ask_job(self.policy, 1)),
            f"analyses {self.analysis_kind!r}": (self.analysis, analysis_job(self.analysis_kind)),
        }
        if is_ahead:
            wanted[f"choices of policy {self.policy!r} from short lists"] = (self.choice, choice_job(self.policy, 1))
        missing = [
            what
            for what, (charge, job) in wanted.items()
            if charge == "recorded" and self.costs.quantile(job, "cpu", 0.5) is None
        ]
        if not missing:
            return ""
        return (
            f"the file holds none of {' and none of '.join(missing)}; record one from a campaign with the same, or "
            "charge these otherwise"
        )

    def of_ask(self, wall_s: float, *, known: int, key: tuple[int, ...]) -> float:
        """Return what an ask costs that took so long; key: which one it is."""
        return self._of(self.planner, ask_job(self.policy, known), wall_s, (_ASK, *key))

    def of_choice(self, wall_s: float, *, known: int, key: tuple[int, ...]) -> float:
        """Return what a choice from short lists costs that took so long."""
        return self._of(self.choice, choice_job(self.policy, known), wall_s, (_CHOICE, *key))

    def of_analysis(self, wall_s: float, parameters: Mapping[str, Any]) -> float:
        """Return what the analysis of a trial with some parameters costs that took so long."""
        key = zlib.crc32(json.dumps(parameters, sort_keys=True, default=str).encode())
        return self._of(self.analysis, analysis_job(self.analysis_kind), wall_s, (_ANALYSIS, key))

    def of_list(self, *, known: int, key: tuple[int, ...]) -> float | None:
        """Return what a short list costs: as much as an ask, where no lists were recorded; None: what it takes."""
        if self.planner == "measured":
            return None
        job = list_job(self.policy, known)
        was_recorded = self.costs.quantile(job, "cpu", 0.5) is not None
        return self._of(self.planner, job if was_recorded else ask_job(self.policy, known), 0.0, (_LIST, *key))

    def _of(self, charge: float | str | None, job: Job, wall_s: float, key: tuple[int, ...]) -> float:
        if charge is None or charge == "measured":
            return wall_s
        if charge == "recorded":
            drawn_s = self.costs.draw(job, "cpu", np.random.default_rng([self.seed, *key]))
            return wall_s if drawn_s is None else drawn_s
        return float(charge)


def read_costs(path: Path) -> CostModel:
    """Read a file of durations.

    Raises:
        InputError: There is none, or it holds something else.
    """
    try:
        return CostModel.load(path)
    except OSError as error:
        raise InputError(f"durations: {path} cannot be read: {error.strerror or error}") from None
    except WrongCosts as error:
        what, _, _ = str(error).partition("; ")
        raise InputError(f"durations: {what}; name a file that `labpilot compute DIR --durations FILE` wrote") from None
