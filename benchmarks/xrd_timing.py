"""What benchmarks of powder patterns share: seconds of a call, patterns of one phase, the names of machines."""

from __future__ import annotations

import platform
import statistics
import time
from collections.abc import Callable
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor

from surrogate.xrd.atlas import N_TEXTURE, Atlas
from surrogate.xrd.fit import start
from surrogate.xrd.generate import Draws
from surrogate.xrd.model import Parameters

HIGHEST_DEG = 83.0
"""Of reflection tables for patterns from 10 to 80 degrees."""
T = TypeVar("T")


def seconds(call: Callable[[], object], device: torch.device) -> float:
    """Return the time of a call: of the process on a CPU, by the clock on a GPU."""
    if device.type == "cpu":
        begin = time.process_time()
        call()
        return time.process_time() - begin
    torch.cuda.synchronize(device)
    begin = time.perf_counter()
    call()
    torch.cuda.synchronize(device)
    return time.perf_counter() - begin


def median_seconds(call: Callable[[], object], device: torch.device, rounds: int) -> float:
    """Return the median time of a call, after one that is not counted."""
    seconds(call, device)
    return statistics.median(seconds(call, device) for _ in range(rounds))


def singles(atlas: Atlas, phase: Tensor, generator: torch.Generator) -> Parameters:
    """Return parameters of patterns of one phase each, of ``n`` indices into the atlas."""
    draw = Draws(generator)
    n = len(phase)
    row = torch.arange(n, device=generator.device)
    begin = start(atlas, phase, row, width_deg=torch.exp(draw.log_uniform((0.04, 0.1), n)))
    begin.shared[:, :2] = draw.uniform(-0.03, 0.03, n, 2)
    return begin.with_(
        strain=draw.uniform(-0.006, 0.006, n, 1) * atlas.isotropic[phase],
        texture=draw.normal(n, N_TEXTURE) * 0.3 * atlas.texture_sd[phase],
        log_size_nm=draw.log_uniform((30.0, 100.0), n),
    )


def moved(values: T, device: torch.device) -> T:
    """Return a dataclass with all its tensors, also those of dataclasses in it, on a device."""
    changes: dict[str, Any] = {}
    for one in fields(values):  # type: ignore[arg-type]
        value = getattr(values, one.name)
        if isinstance(value, Tensor):
            changes[one.name] = value.to(device)
        elif is_dataclass(value):
            changes[one.name] = moved(value, device)
    return replace(values, **changes)  # type: ignore[type-var]


def cpu_name() -> str:
    """Return what the machine calls its processor."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.machine())


def device_name(device: torch.device) -> str:
    """Return what a device calls itself."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else f"{cpu_name()}, one thread"
