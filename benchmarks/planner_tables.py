"""Problems of `planners.py` that need labpilot's simulators: emulators of measured tables, the photocatalysis robot.

An emulator answers as `simulators.replay` does in mode emulator, with its mean as the truth and the scatter of the
table's repeats as noise of one standard deviation. Failed rows are left out, and nothing fails.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from planner_problems import CLOSED_FORMS, Problem, continuous, design
from planner_space import Axis, Bound, Point, Space, levels

from simulators.materials.photocatalysis import CAPACITY_ML, VOLUMES, hydrogen_umol, noise_sd_umol
from simulators.replay import ReplayLab, ReplayTruth


def _photocatalysis() -> Problem:
    liquids = dict.fromkeys(VOLUMES, (0.0, CAPACITY_ML)) | {"cysteine": (0.25, CAPACITY_ML)}
    space = Space(
        axes=continuous(p10=(1.0, 5.0), **liquids),
        bounds=(Bound(weights=dict.fromkeys(VOLUMES, 1.0), relation="<=", bound=CAPACITY_ML),),
    )
    return Problem(
        name="photocatalysis",
        space=space,
        evaluate=lambda points: -np.array([hydrogen_umol({n: float(v) for n, v in p.items()}) for p in points]),
        noise_sd=lambda value: noise_sd_umol(-value),
        n_initial=design(space),
        half="held out",
    )


PHOTOCATALYSIS = _photocatalysis()
"""The bounds of examples/photocatalysis; continuous, since not every peer can take a grid of 10^13 recipes."""


@dataclass(frozen=True, kw_only=True)
class TableProblem:
    """How a table becomes a problem."""

    name: str
    table: str
    """Below the data directory."""
    target: str
    maximize: bool
    space: Space
    half: str
    failure: Mapping[str, Any] | None = None

    def problem(self, data: Path) -> Problem:
        """Return the problem; the emulator is fitted when it is first asked.

        Raises:
            TableProblems: The table cannot be read.
        """
        lab = _Emulated(self, data)
        return Problem(
            name=self.name,
            space=self.space,
            evaluate=lab.evaluate,
            noise_sd=lambda _value: lab.noise_sd,
            n_initial=design(self.space),
            half=self.half,
        )


class _Emulated:
    def __init__(self, told: TableProblem, data: Path) -> None:
        self._told = told
        self._options: dict[str, Any] = {
            "mode": "emulator",
            "table": str(data / told.table),
            "parameters": [_parameter(axis) for axis in told.space.axes],
            "objectives": [{"name": told.target, "unit": "1"}],
        }
        if told.failure:
            self._options["failure"] = told.failure

    @cached_property
    def noise_sd(self) -> float:
        return ReplayLab.describe(self._options)["targets"][self._told.target]["noise_sd"]

    @cached_property
    def _truth(self) -> ReplayTruth:
        return ReplayTruth(self._options)

    def evaluate(self, points: Sequence[Point]) -> np.ndarray:
        means = np.array([values[self._told.target] for values in self._truth.values(points)])
        return -means if self._told.maximize else means


def _parameter(axis: Axis) -> dict[str, Any]:
    if axis.kind == "categorical":
        return {"name": axis.name, "kind": "categorical", "unit": "1", "levels": list(axis.levels)}
    told = {"name": axis.name, "kind": "continuous", "unit": "1"}
    return {**told, "levels": list(axis.levels)} if axis.levels else {**told, "low": axis.low, "high": axis.high}


CROSSED_BARREL = TableProblem(
    name="crossed_barrel",
    table="crossed_barrel/crossed_barrel.csv",
    target="toughness",
    maximize=True,
    space=Space(
        axes=(
            levels("n", [6, 8, 10, 12]),
            levels("theta", [0, 25, 50, 75, 100, 125, 150, 175, 200]),
            levels("r", [1.5, 1.6, 1.7, 1.8, 1.9, 2.0, 2.1, 2.2, 2.3, 2.4, 2.5]),
            levels("t", [0.7, 1.05, 1.4]),
        )
    ),
    half="tune",
)
"""A grid of 1,188 designs."""

HPLC = TableProblem(
    name="hplc",
    table="hplc_process/hplc.csv",
    target="peak_area",
    maximize=True,
    space=Space(
        axes=continuous(
            sample_loop=(0.0, 0.08),
            additional_volume=(0.0, 0.06),
            tubing_volume=(0.1, 0.9),
            sample_flow=(0.5, 2.5),
            push_speed=(80.0, 150.0),
            wait_time=(0.5, 10.0),
        )
    ),
    half="tune",
    failure={"column": "peak_area", "equals": 0},
)

_MATERIALS = {"mat_1": (0.0, 1.0), "mat_2": (0.0, 1.0), "mat_3": (0.0, 0.9), "mat_4": (0.0, 1.0)}
PHOTO_WF3 = TableProblem(
    name="photo_wf3",
    table="opv_photo_wf3/photo_wf3.csv",
    target="degradation",
    maximize=False,
    space=Space(
        axes=continuous(**_MATERIALS),
        bounds=(Bound(weights=dict.fromkeys(_MATERIALS, 1.0), relation="==", bound=1.0),),
    ),
    half="held out",
)

SUZUKI = TableProblem(
    name="suzuki",
    table="suzuki_flow_mixed/suzuki_i.csv",
    target="yield",
    maximize=True,
    space=Space(
        axes=(
            Axis(name="ligand", kind="categorical", levels=("L0", "L1", "L2", "L3", "L4", "L5", "L6")),
            *continuous(res_time=(60.0, 600.0), temperature=(30.0, 110.0), catalyst_loading=(0.498, 2.515)),
        )
    ),
    half="held out",
)

TABLES = (CROSSED_BARREL, HPLC, PHOTO_WF3, SUZUKI)

ORDER = (
    "hidden_failure",
    "hartmann6",
    "ternary",
    "branin",
    "crossed_barrel",
    "hplc",
    "photo_wf3",
    "suzuki",
    "photocatalysis",
    "ackley5_mixed",
)
"""Every problem, in the order of measuring."""


def all_problems(data: Path) -> dict[str, Problem]:
    """Return every problem by name, in the order of measuring.

    Args:
        data: Where the measured tables are.
    """
    found = {problem.name: problem for problem in (*CLOSED_FORMS, PHOTOCATALYSIS)}
    found |= {told.name: told.problem(data) for told in TABLES}
    return {name: found[name] for name in ORDER}
