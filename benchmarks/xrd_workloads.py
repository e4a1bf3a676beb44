"""Patterns, fits and training that a device is measured with: for `benchmarks/xrd_gpu.py`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cached_property, partial

import torch
import xrd_cases
from torch import Tensor
from xrd_timing import HIGHEST_DEG, moved, singles

from surrogate.formats.record import Axis, Scan, counted
from surrogate.xrd.atlas import COPPER, Atlas, make_atlas
from surrogate.xrd.fit import fit, start
from surrogate.xrd.generate import LEVELS, generate
from surrogate.xrd.generate_draw import drawn
from surrogate.xrd.grid import Grid
from surrogate.xrd.library import embedded_library
from surrogate.xrd.model import Parameters
from surrogate.xrd.pattern import as_data, make_pattern
from surrogate.xrd.task import Data, Fitted, Task
from surrogate.xrd.training import Student, TrainingJob, new_student
from surrogate.xrd.training_data import lesson, make_world, training_settings

KINDS = ("one phase", *LEVELS)
"""Of patterns: all 119 phases in turn under the K-alpha doublet, or mixtures of a level."""
PHASES_FITTED = 3
FIT_STEP_DEG = 0.05
"""About what is chosen for patterns of L1."""
FIT_STEPS = 8
PER_PATTERN = ("intensity", "weight", "baseline", "width_deg")


class Workloads:
    """The same work on any device."""

    def __init__(self, n_patterns: int) -> None:
        """Gather the phases; fits have so many different patterns."""
        self.n_patterns = n_patterns
        self.atlas = make_atlas(embedded_library().phases, highest_deg=HIGHEST_DEG)

    def patterns(self, device: torch.device, kind: str, batch: int) -> tuple[Atlas, Grid, Parameters, Tensor]:
        """Return what a batch of patterns is drawn from, all with scales of one."""
        atlas, generator = self.atlas.to(device), seeded(device)
        if kind in LEVELS:
            grid, found = LEVELS[kind].grid, generate(atlas, LEVELS[kind], batch, generator).parameters
        else:
            phase = torch.arange(batch, device=device) % atlas.n_phases
            grid, found = LEVELS["L1"].grid, singles(atlas, phase, generator)
        return atlas, grid, found, torch.ones(len(found.phase), dtype=torch.float64, device=device)

    def drawings(self, device: torch.device, batch: int) -> dict[str, Callable[[], object]]:
        """Return the calls that make a batch of patterns."""
        calls: dict[str, Callable[[], object]] = {}
        for kind in KINDS:
            atlas, grid, parameters, scale = self.patterns(device, kind, batch)
            calls[f"{kind} drawn"] = partial(drawn, atlas, grid, parameters, scale)
            if kind in LEVELS:
                call = partial(generate, atlas, LEVELS[kind], batch, seeded(device))
                calls[f"{kind} with background and counts"] = call
        return calls

    def fits(self, device: torch.device, rows: int) -> partial[Fitted]:
        """Return the call that refines so many rows, the patterns over and over, from the priors' medians."""
        atlas, data, phases = self._series
        atlas, data, phases = atlas.to(device), moved(data, device), phases.to(device)
        pattern = torch.arange(rows, device=device) % len(phases)
        none = torch.zeros(1, 0, data.grid.n, dtype=torch.float64, device=device)
        row = torch.arange(rows, device=device).repeat_interleave(PHASES_FITTED)
        begin = start(atlas, phases[pattern].reshape(-1), row, width_deg=data.width_deg[pattern])
        task = Task(data=data, pattern=pattern, frozen=none)
        # no tolerance: all steps are taken
        return partial(fit, atlas, task, begin, steps=FIT_STEPS, tolerance=0.0)

    @cached_property
    def _series(self) -> tuple[Atlas, Data, Tensor]:
        """Return 60 phases, patterns of three of them each, and which: ``p x 3``."""
        atlas = make_atlas(xrd_cases.library().phases, highest_deg=HIGHEST_DEG)
        settings = replace(LEVELS["L1"], n_phases=(PHASES_FITTED, PHASES_FITTED))
        made = generate(atlas, settings, self.n_patterns, seeded(torch.device("cpu")))
        axis = Axis(quantity="two_theta", unit="deg", values=made.grid.two_theta_deg.numpy())
        kept = []
        for counts in made.counts:
            scan = Scan(kind="diffractogram", axis=axis, radiation=COPPER, **counted(counts.double().numpy()))
            kept.append(as_data(make_pattern(scan, step_deg=FIT_STEP_DEG)))
        joined = {name: torch.cat([getattr(one, name) for one in kept]) for name in PER_PATTERN}
        return atlas, replace(kept[0], **joined), made.parameters.phase.reshape(-1, PHASES_FITTED)

    def student(self, device: torch.device, batch: int) -> Student:
        """Return a network for 60 phases at the start of the default job."""
        return new_student(TrainingJob(batch=batch), make_world(xrd_cases.library()), device)


def learn(student: Student, steps: int) -> None:
    """Take steps of training."""
    for _ in range(steps):
        student.learn()


def make_lessons(student: Student, steps: int) -> None:
    """Make the patterns of steps of training, and nothing else."""
    job, world = student.job, student.world
    for step in range(steps):
        level = job.levels[step % len(job.levels)]
        settings = training_settings(level, n_known=world.n_known, has_strangers=job.has_strangers)
        lesson(world, settings, job.batch, student.generator)


def seeded(device: torch.device) -> torch.Generator:
    """Return a generator with seed 0."""
    return torch.Generator(device).manual_seed(0)
