"""Plans: what a recipe means in this lab, as data.

A plan is a sequence of nodes compiled from a recipe and one trial's parameters. Leaves are `Act`s: one command to one
device. Compound nodes (a reference that may be fresh enough, a scan that decides where to go on) say how to make acts.
Paths are stable, so that a command id names the same act before and after a crash.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """What to keep of an act's result."""

    kind: Literal["spectrum", "image", "result", "reading", "diffractogram"]
    role: str
    """``film``, ``mirror``, ``blank``, ``picture`` or ``result``."""
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Expect:
    """What an act's result must say for the trial to go on."""

    name: str
    low: float
    high: float
    otherwise: str
    """Why the trial is lost if the value lies outside."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """One command to one device."""

    path: str
    label: str
    device: str
    command: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    is_tagged: bool = False
    """Whether the command takes the act's command id as its ``tag``."""
    measure: Measure | None = None
    expect: Expect | None = None
    repeats: int = 0
    """How often it may be done again after it broke off: more of it does the sample no harm."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """Let time pass."""

    path: str
    label: str
    duration_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """Acts that are left out while the last reference is young enough."""

    path: str
    label: str
    max_age_s: float
    acts: tuple[Act, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class AdaptiveScan:
    """Spectra along a stripe, each place chosen from those before."""

    path: str
    label: str
    stage: str
    spectrometer: str
    x_mm: float
    y_mm: float
    policy: str
    half_range_mm: float
    points: int
    exposure_s: float
    averages: int

    def point(self, index: int, offset_mm: float) -> tuple[Act, Act]:
        """Return the move and the acquisition of one place."""
        move = move_act(
            f"{self.path}.{index}.0", self.stage, self.x_mm + offset_mm, self.y_mm, f"to {offset_mm:+.3f} mm"
        )
        acquire = acquire_act(
            f"{self.path}.{index}.1",
            self.spectrometer,
            exposure_s=self.exposure_s,
            averages=self.averages,
            role="film",
            offset_mm=offset_mm,
        )
        return move, acquire


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """One place where a visit's work can be done."""

    station: str
    place: str
    acts: tuple[Act, ...]

    @property
    def devices(self) -> frozenset[str]:
        """Return the devices that do it."""
        return frozenset(act.device for act in self.acts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """Work on a sample at a station, wherever there is room for it."""

    path: str
    label: str
    ways: tuple[Way, ...]
    work_s: float
    """How long the work takes, about."""
    within_s: float | None = None
    """How long after the end of the node before it must begin."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Furnace:
    """A furnace that could carry out a firing."""

    station: str
    places: tuple[str, ...]
    heater: str
    door: str | None
    devices: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Firing:
    """A run of a furnace, shared with other samples that agree on its program."""

    path: str
    label: str
    key: str
    """What samples that share a run agree on."""
    furnaces: tuple[Furnace, ...]
    segments: tuple[Mapping[str, float], ...]
    """``target_c``, ``rate_k_per_min``, ``hold_s`` of each."""
    unload_below_c: float
    work_s: float
    longest_wait_s: float | None = None
    within_s: float | None = None


Node = Act | Wait | Reference | AdaptiveScan | Visit | Firing


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The whole of what one trial does."""

    nodes: tuple[Node, ...]
    devices: tuple[str, ...]
    """Claimed together for as long as the plan runs."""


def move_act(path: str, stage: str, x_mm: float, y_mm: float, label: str) -> Act:
    """Return a move of an XY stage; positions are rounded to the micrometre that a stage resolves."""
    arguments = {"x_mm": round(x_mm, 3), "y_mm": round(y_mm, 3)}
    return Act(path=path, label=label, device=stage, command="move", arguments=arguments)


def acquire_act(
    path: str, spectrometer: str, *, exposure_s: float, averages: int, role: str, offset_mm: float = 0.0
) -> Act:
    """Return the acquisition of one spectrum."""
    return Act(
        path=path,
        label=f"{role} spectrum",
        device=spectrometer,
        command="acquire",
        arguments={"exposure_s": exposure_s, "averages": averages},
        is_tagged=True,
        measure=Measure(kind="spectrum", role=role, facts={"offset_mm": offset_mm}),
    )
