"""Measure powder patterns, fits and training on a GPU: ``python benchmarks/xrd_gpu.py [--json FILE]``.

The CPU (one thread) and the GPU do the same in turn: agreement; patterns per second, of one phase (K-alpha doublet, all
119 phases alike) and mixtures of the levels L0 to L3, drawn alone and with background and counts; rows per second of
fits that refine three known phases in each pattern, eight steps; steps per second of the training of a network for 60
phases. Then the roofline (`xrd_roofline`): what the card could do at best, the share of it that is reached, and the
operations that take the rest. Patterns have 3,501 points from 10 to 80 degrees, those of fits 1,401. Times are medians
of rounds after one that does not count; on a GPU by a synchronised clock, on a CPU of the process. ``--device cpu``
measures the CPU alone.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import traceback
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import torch
from torch import Tensor
from xrd_roofline import Ceilings, ceilings, profiled, work_of
from xrd_timing import device_name, median_seconds, moved
from xrd_workloads import KINDS, PHASES_FITTED, Workloads, learn, make_lessons

from surrogate.xrd.generate_draw import drawn
from surrogate.xrd.model import profiles
from surrogate.xrd.task import Fitted
from surrogate.xrd.training import TrainingJob

CPU = torch.device("cpu")
ON_CPU = {"batches": 256, "rows": 16, "training_batches": TrainingJob().batch}
"""Sizes of the CPU beside a GPU."""
AGREEING = 64
SERIES = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """The parts; each prints what it finds and returns it."""

    work: Workloads
    device: torch.device
    batches: list[int]
    rows: list[int]
    training_batches: list[int]
    training_steps: int
    rounds: int

    @property
    def devices(self) -> list[torch.device]:
        """Return the CPU, and the GPU if there is one."""
        return [CPU] if self.device.type == "cpu" else [CPU, self.device]

    def sizes(self, name: str) -> list[tuple[torch.device, int]]:
        """Return what sizes to measure on which device: beside a GPU, the CPU has only one."""
        here = [(CPU, ON_CPU[name])] if self.device.type != "cpu" else []
        return here + [(self.device, size) for size in getattr(self, name)]

    def agreement(self) -> dict[str, dict[str, float]]:
        """Compare the device with the CPU: profiles, and fits of the same rows."""
        found: dict[str, dict[str, float]] = {}
        for kind in KINDS:
            atlas, grid, here, scale = self.work.patterns(CPU, kind, AGREEING)
            atlas_there, there = atlas.to(self.device), moved(here, self.device)
            one, other = drawn(atlas, grid, here, scale), drawn(atlas_there, grid, there, scale.to(self.device))
            found[f"{kind} drawn"] = apart(one, other.cpu())
            few = here.one(0)
            one, other = profiles(atlas, grid, few), profiles(atlas_there, grid, moved(few, self.device))
            found[f"{kind} with derivatives"] = apart(one.values, other.values.cpu())
        rows = min(32, self.work.n_patterns)
        found["fits"] = compared(self.work.fits(CPU, rows)(), self.work.fits(self.device, rows)())
        for name, values in found.items():
            print(f"{name}: " + ", ".join(f"{key} {value:.2g}" for key, value in values.items()))
        return found

    def patterns(self) -> list[dict[str, Any]]:
        """Return patterns per second."""
        return [
            self._timed(device, name, batch, call)
            for device, batch in self.sizes("batches")
            for name, call in self.work.drawings(device, batch).items()
        ]

    def refinement(self) -> list[dict[str, Any]]:
        """Return refined rows per second."""
        found = []
        for device, rows in self.sizes("rows"):
            if device.type == "cuda":
                torch.cuda.reset_peak_memory_stats(device)
            try:
                row = self._timed(device, f"fits of {PHASES_FITTED} phases", rows, self.work.fits(device, rows))
            except torch.OutOfMemoryError:
                print(f"{device.type:4} fits, {rows} at once: the memory is too small")
                break
            memory = torch.cuda.max_memory_allocated(device) / 2**30 if device.type == "cuda" else None
            print(
                f"    a series of {SERIES:,} patterns: {SERIES / row['per_s']:.1f} s; {memory or 0.0:.1f} GiB of a GPU"
            )
            found.append({**row, "gib": memory})
        return found

    def training(self) -> list[dict[str, Any]]:
        """Return steps of training per second, and the part that making patterns takes."""
        found = []
        for device, batch in self.sizes("training_batches"):
            student = self.work.student(device, batch)
            # rounds of all levels, which come in turn
            steps = max(1, self.training_steps // len(student.job.levels)) * len(student.job.levels)
            row = self._timed(device, f"steps of training with {batch} patterns", steps, partial(learn, student, steps))
            making = median_seconds(partial(make_lessons, student, steps), device, self.rounds) / steps
            print(f"    of each step's {1e3 * row['s'] / steps:.2f} ms its patterns take {1e3 * making:.2f} ms")
            found.append({**row, "batch": batch, "making_s": making})
        return found

    def roofline(self) -> dict[str, Any]:
        """Return ceilings, floors, and what is reached of them."""
        rates = ceilings(self.device, self.rounds)
        print(", ".join(f"{name} {value:.3g}/s" for name, value in asdict(rates).items() if value is not None))
        return {"ceilings": asdict(rates), "floors": [self._floor(kind, self.batches[-1], rates) for kind in KINDS]}

    def profiles(self) -> dict[str, Any]:
        """Return where the time of calls goes."""
        rows, drawings = min(1024, self.rows[-1]), self.work.drawings(self.device, self.batches[-1])
        calls: dict[str, Callable[[], object]] = {
            name: drawings[name] for name in ("L1 drawn", "L1 with background and counts")
        }
        calls[f"{rows} fits"] = self.work.fits(self.device, rows)
        calls["a step of training"] = self.work.student(self.device, TrainingJob().batch).learn
        return {name: told(name, profiled(call, self.device)) for name, call in calls.items()}

    def _timed(self, device: torch.device, name: str, n: int, call: Callable[[], object]) -> dict[str, Any]:
        """Time a call that makes ``n``, and print it."""
        found = median_seconds(call, device, self.rounds)
        print(f"{device.type:4} {name}, {n} at once: {1e3 * found:.2f} ms, {n / found:,.0f} a second", flush=True)
        return {"device": device.type, "name": name, "at_once": n, "s": found, "per_s": n / found}

    def _floor(self, kind: str, batch: int, rates: Ceilings) -> dict[str, Any]:
        atlas, grid, parameters, scale = self.work.patterns(self.device, kind, batch)
        work = work_of(atlas, grid, parameters)
        floor = work.floor_s(rates)
        taken = median_seconds(partial(drawn, atlas, grid, parameters, scale), self.device, self.rounds) / batch
        limit = max(floor, key=lambda one: floor[one])
        print(
            f"{kind}: {work.peaks:.0f} peaks, {work.points:,.0f} points in windows, at least {work.bytes:,.0f} bytes "
            f"and {work.operations:,.0f} operations; "
            + ", ".join(f"{1e9 * value:.1f} ns by {key}" for key, value in floor.items())
            + f": at most {1.0 / floor[limit]:,.0f} patterns a second by {limit}; {1.0 / taken:,.0f} drawn, "
            f"{100.0 * floor[limit] / taken:.2g} %"
        )
        return {"name": kind, "batch": batch, **asdict(work), "floor_s": floor, "drawn_s": taken, "limit": limit}


def apart(one: Tensor, other: Tensor) -> dict[str, float]:
    """Return the largest difference over the highest point of each curve (along dimension 1), and norms over all."""
    highest = one.abs().amax(1, keepdim=True).clamp(min=1e-30)
    return {
        "largest difference over the highest": float(((one - other).abs() / highest).max()),
        "norm of differences over all": float((one - other).norm() / one.norm()),
    }


def compared(one: Fitted, other: Fitted) -> dict[str, float]:
    """Return how far apart two fits of the same rows are."""
    nats = (one.objective - other.objective.cpu()).abs()
    strain = (one.parameters.strain - other.parameters.strain.cpu()).abs().amax(1)
    scales = (one.scales - other.scales.cpu()).abs() / one.scales.abs().clamp(min=1e-3 * float(one.scales.max()))
    apart = {"objective": nats, "strain": strain, "relative scale": scales}
    median = {f"{name} apart, median": float(value.median()) for name, value in apart.items()}
    most = {f"{name} apart, most": float(value.max()) for name, value in apart.items()}
    return {"objective, median": float(one.objective.median()), **median, **most}


def told(name: str, found: dict[str, Any]) -> dict[str, Any]:
    """Print where a call's time goes, and return it."""
    busy = f"{found['launches']} launches, busy {100.0 * found['busy_s'] / found['wall_s']:.0f} %"
    print(f"{name}: {1e3 * found['wall_s']:.2f} ms" + (f", {busy}" if found["kernels"] else ""))
    for kind in ("operations", "kernels"):
        for one in found[kind]:
            print(f"    {1e3 * one['s']:9.3f} ms {one['calls']:6} x {one['name'][:110]}")
    return found


PARTS = ("agreement", "patterns", "refinement", "training", "roofline", "profiles")


def supervised(part: Callable[[], Any]) -> tuple[Any, bool]:
    """Return what a part finds, and whether it ended: one that fails must not cost the others."""
    try:
        return part(), True
    except Exception:
        traceback.print_exc(file=sys.stdout)
        return None, False


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", type=torch.device, default="cuda")
    parser.add_argument("--batches", type=int, nargs="+", default=[256, 1024, 4096, 16384], help="patterns at once")
    parser.add_argument("--rows", type=int, nargs="+", default=[64, 256, 1024, 4096], help="fits at once")
    parser.add_argument("--patterns", type=int, default=128, help="different ones in fits")
    parser.add_argument("--training-batches", type=int, nargs="+", default=[64, 256, 1024])
    parser.add_argument("--training-steps", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--json", type=Path, help="keep all figures")
    given = vars(parser.parse_args())
    parts, file = given.pop("parts"), given.pop("json")
    torch.set_num_threads(1)
    bench = Bench(work=Workloads(given.pop("patterns")), **given)
    names = {device.type: device_name(device) for device in bench.devices}
    kept: dict[str, Any] = {"devices": names, "torch": str(torch.__version__)}
    print(f"torch {torch.__version__}; " + "; ".join(f"{kind}: {name}" for kind, name in names.items()))
    ended = True
    for part in parts:
        print(f"\n{part}", flush=True)
        kept[part], is_done = supervised(getattr(bench, part))
        ended &= is_done
        if file is not None:
            file.write_text(json.dumps(kept, indent=1) + "\n")
    sys.exit(not ended)


if __name__ == "__main__":
    main()
