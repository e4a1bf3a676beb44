"""What a card could do at best with powder patterns, and where a call's time goes: for `benchmarks/xrd_gpu.py`.

The roofline of Williams, Waterman and Patterson, Commun. ACM 52, 65 (2009), doi:10.1145/1498765.1498785: no call is
faster than its fewest bytes over the bandwidth, nor than its fewest operations over their rate. Both rates are measured
here. The fewest bytes of a drawn pattern are its points, written once, and four numbers for each peak, read once; the
fewest operations are those of each point within each peak's window.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.profiler import ProfilerActivity, profile
from xrd_timing import median_seconds, seconds

from surrogate.xrd.atlas import Atlas
from surrogate.xrd.drawing import half_windows, pseudo_voigt_shape
from surrogate.xrd.grid import Grid
from surrogate.xrd.model import Parameters, peaks_of

OPERATIONS = 12
"""For each point of each window: distance (2), square, bound, power of two, times height, one more, reciprocal, times
height, both parts' sum, sum of peaks (2 with its address). Powers and reciprocals cost several of the others."""
PEAK_BYTES = 4 * 4
POINT_BYTES = 4
LOOPS = 256
POINTS = f"""
template <typename T> T points(T at, T step, T lorentz, T gauss) {{
  T sum = 0;
  for (int i = 0; i < {LOOPS}; ++i) {{
    T squared = at * at;
    sum += __fdividef(lorentz, 1.0f + squared) + gauss * exp2f(-fminf(squared, 60.0f));
    at += step;
  }}
  return sum;
}}
"""
"""The arithmetic of a window without moving anything: no faster way to draw points one by one is known to us."""
MULTIPLIED = f"""
template <typename T> T multiplied(T x, T by, T more) {{
  for (int i = 0; i < {LOOPS}; ++i) x = x * by + more;
  return x;
}}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ceilings:
    """Measured rates of a device, per second."""

    copied_bytes: float
    """Read and written ones counted."""
    added_float32: float
    """Operations of one elementwise sum of arrays that are too large for caches."""
    added_float64: float
    product_float32: float
    """Operations of a matrix product in full single precision."""
    product_float64: float
    multiplied_float32: float | None = None
    """Operations of a multiply-add of a kernel that moves next to nothing; None on a CPU."""
    multiplied_float64: float | None = None
    points: float | None = None
    """Points of peaks, of such a kernel."""


def ceilings(device: torch.device, rounds: int) -> Ceilings:
    """Measure the rates."""
    is_gpu = device.type == "cuda"
    n, side = (1 << 29, 8192) if is_gpu else (1 << 22, 768)
    single, double = (torch.float32, n), (torch.float64, n // 2)
    return Ceilings(
        copied_bytes=8.0 * n / _elementwise_s(device, *single, rounds, copies=True),
        added_float32=n / _elementwise_s(device, *single, rounds),
        added_float64=n / 2 / _elementwise_s(device, *double, rounds),
        product_float32=2.0 * side**3 / _product_s(device, side, torch.float32, rounds),
        product_float64=2.0 * side**3 / _product_s(device, side, torch.float64, rounds),
        **(_arithmetic_if_compiled(device, rounds) if is_gpu else {}),
    )


def _elementwise_s(device: torch.device, dtype: torch.dtype, n: int, rounds: int, *, copies: bool = False) -> float:
    """Return the seconds of a copy of ``n`` numbers, or of their sum with themselves."""
    source = torch.rand(n, device=device, dtype=dtype)
    target = torch.empty_like(source)
    call = partial(target.copy_, source) if copies else partial(torch.add, source, source, out=target)
    return median_seconds(call, device, rounds)


def _product_s(device: torch.device, side: int, dtype: torch.dtype, rounds: int) -> float:
    left, right = (torch.rand(side, side, device=device, dtype=dtype) for _ in range(2))
    out = torch.empty_like(left)
    return median_seconds(partial(torch.mm, left, right, out=out), device, rounds)


def _arithmetic_if_compiled(device: torch.device, rounds: int) -> dict[str, float]:
    try:
        return _arithmetic(device, rounds)
    except RuntimeError as error:
        print(f"no kernel could be compiled here, so operations are held against matrix products: {error}")
        return {}


def _arithmetic(device: torch.device, rounds: int) -> dict[str, float]:
    """Return rates of kernels that compute in registers, compiled on the machine."""
    # no public name yet: torch's one way to compile a kernel at hand without a compiler on the machine
    compiled = torch.cuda.jiterator._create_jit_fn
    points, multiplied = compiled(POINTS, step=0.0, lorentz=0.0, gauss=0.0), compiled(MULTIPLIED, by=0.0, more=0.0)
    n = 1 << 24
    at = torch.rand(n, device=device) - 4.0
    double = at.double()
    drawing = median_seconds(partial(points, at, step=0.03, lorentz=0.6, gauss=0.9), device, rounds)
    single = median_seconds(partial(multiplied, at, by=0.999, more=0.1), device, rounds)
    in_double = median_seconds(partial(multiplied, double, by=0.999, more=0.1), device, rounds)
    return {
        "points": LOOPS * n / drawing,
        "multiplied_float32": 2.0 * LOOPS * n / single,
        "multiplied_float64": 2.0 * LOOPS * n / in_double,
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """The least that drawing one pattern takes, on average."""

    peaks: float
    points: float
    """Of all windows, cut at the grid's ends."""
    grid_points: int

    @property
    def bytes(self) -> float:
        """Return the fewest bytes."""
        return PEAK_BYTES * self.peaks + POINT_BYTES * self.grid_points

    @property
    def operations(self) -> float:
        """Return the fewest operations."""
        return OPERATIONS * self.points

    def floor_s(self, found: Ceilings) -> dict[str, float]:
        """Return the seconds that a pattern takes at least, by each ceiling."""
        by = {"bytes": self.bytes / found.copied_bytes}
        rate = found.multiplied_float32 or found.product_float32
        by["operations"] = self.operations / rate
        return by if found.points is None else {**by, "points": self.points / found.points}


def work_of(atlas: Atlas, grid: Grid, parameters: Parameters) -> Work:
    """Count what is drawn of patterns' phases."""
    peaks = peaks_of(atlas, parameters, 0, 0, with_derivatives=False)
    width, _, _ = pseudo_voigt_shape(peaks.gauss, peaks.lorentz)
    half, at = half_windows(peaks.relative, width, grid), (peaks.centre - grid.start_deg) / grid.step_deg
    first, last = torch.ceil(at - half).clamp(min=0.0), torch.floor(at + half).clamp(max=grid.n - 1.0)
    points: Tensor = (last - first + 1.0).clamp(min=0.0)
    n = len(parameters.shared)
    return Work(peaks=float((points > 0.0).sum()) / n, points=float(points.sum()) / n, grid_points=grid.n)


def profiled(call: Callable[[], object], device: torch.device, *, most: int = 8) -> dict[str, Any]:
    """Say where the time of a call goes, after one that is not looked at.

    Returns a table of JSON values: the seconds without a profiler, those in which the device computed (on a CPU: in
    which operations ran), launches, and the ``most`` operations and kernels with the longest times of their own.
    """
    is_gpu = device.type == "cuda"
    seconds(call, device)
    wall = seconds(call, device)
    kinds = [ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if is_gpu else [])]
    with profile(activities=kinds) as seen:
        call()
        if is_gpu:
            torch.cuda.synchronize(device)
    rows = seen.key_averages()
    kernels = [one for one in rows if one.device_type.name == "CUDA"]
    operations = [one for one in rows if one.device_type.name == "CPU" and one.key.startswith("aten::")]
    own = "self_device_time_total" if is_gpu else "self_cpu_time_total"
    busy = kernels if is_gpu else operations
    return {
        "wall_s": wall,
        "busy_s": 1e-6 * sum(getattr(one, own) for one in busy),
        "launches": sum(one.count for one in rows if "LaunchKernel" in one.key),
        "operations": _longest(operations, own, most),
        "kernels": _longest(kernels, own, most),
    }


def _longest(rows: list[Any], own: str, most: int) -> list[dict[str, Any]]:
    ordered = sorted(rows, key=lambda one: -getattr(one, own))[:most]
    return [{"name": one.key, "s": 1e-6 * getattr(one, own), "calls": one.count} for one in ordered]
