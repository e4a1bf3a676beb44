"""Compiling steps of laboratories with racks: each becomes a visit to one of the stations that can do it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from orchestrator.casting import Casting, CastingError
from orchestrator.plan import Act, Firing, Furnace, Measure, Node, Visit, Way
from orchestrator.recipe_racks import Diffract, Dose, Fire, Heating, Mill, StationStep, Weigh
from orchestrator.samples import Racks

DOSE_S = 60.0
WEIGH_S = 15.0
REPEATS = 2
"""Of milling, or of a diffractogram, that broke off."""
CHANGE_S = 30.0
"""To take a sample into a diffractometer's measuring position and back."""
COLD_C = 30.0
"""Where a program ends: a controller holds its last target, so a program that does not end cold never ends."""
SLOW_COOLING = 2.0
"""How much longer than its program a furnace takes to cool, about: for estimates only."""


def visit_node(step: StationStep, path: str, casting: Casting, parameters: Mapping[str, Any]) -> Node:
    """Compile one step.

    Raises:
        CastingError: The lab cannot do it.
    """
    return _COMPILE[type(step)](step, path, casting, parameters)


def _racks(casting: Casting) -> Racks:
    racks = casting.lab.samples
    if not isinstance(racks, Racks):
        raise CastingError(f"the lab {casting.lab.name!r} has no racks")
    return racks


def _ways(
    step: StationStep, casting: Casting, acts: Callable[[Sequence[str], str], tuple[Act, ...]]
) -> tuple[Way, ...]:
    """Return a way for each place of each station; acts: what devices do with what stands at a place."""
    racks = _racks(casting)
    return tuple(
        Way(station=station, place=place, acts=acts(devices, place))
        for station, devices in casting.stations(step).items()
        for place in racks.stations[station].places
    )


def _dose(step: Dose, path: str, casting: Casting, parameters: Mapping[str, Any]) -> Node:
    powders = step.powders(parameters)
    materials = _racks(casting).materials

    def acts(devices: Sequence[str], _place: str) -> tuple[Act, ...]:
        holders = {materials[device]: device for device in devices if device in materials}
        missing = [powder for powder in powders if powder not in holders]
        if missing:
            raise CastingError(f"no dispenser holds {missing[0]!r}; the lab has {', '.join(sorted(holders)) or 'none'}")
        return tuple(
            Act(
                path=f"{path}.{index}",
                label=f"dose {amount_mg:g} mg of {powder}",
                device=holders[powder],
                command="dispense",
                arguments={"material": powder, "amount_mg": amount_mg, "tolerance_mg": step.tolerance_mg},
                is_tagged=True,
                measure=Measure(kind="reading", role=f"dose.{powder}"),
            )
            for index, (powder, amount_mg) in enumerate(powders.items())
        )

    label = "dose " + ", ".join(powders)
    return Visit(
        path=path, label=label, ways=_ways(step, casting, acts), work_s=DOSE_S * len(powders), within_s=step.within_s
    )


def _weigh(step: Weigh, path: str, casting: Casting, _parameters: Mapping[str, Any]) -> Node:
    def acts(devices: Sequence[str], _place: str) -> tuple[Act, ...]:
        measure = Measure(kind="reading", role="weight")
        return (Act(path=f"{path}.0", label="weigh", device=devices[0], command="weigh", measure=measure),)

    return Visit(path=path, label="weigh", ways=_ways(step, casting, acts), work_s=WEIGH_S, within_s=step.within_s)


def _mill(step: Mill, path: str, casting: Casting, parameters: Mapping[str, Any]) -> Node:
    duration_s = float(step.duration.at(parameters))
    arguments = {"duration_s": duration_s, "frequency_hz": step.frequency.at(parameters)}

    def acts(devices: Sequence[str], _place: str) -> tuple[Act, ...]:
        label = f"mill for {duration_s:g} s"
        return (
            Act(
                path=f"{path}.0",
                label=label,
                device=devices[0],
                command="run",
                arguments=arguments,
                is_tagged=True,
                repeats=REPEATS,
            ),
        )

    ways = _ways(step, casting, acts)
    return Visit(path=path, label="mill", ways=ways, work_s=duration_s, within_s=step.within_s)


def _diffract(step: Diffract, path: str, casting: Casting, _parameters: Mapping[str, Any]) -> Node:
    scan = {name: getattr(step, name) for name in ("start_deg", "stop_deg", "step_deg", "count_time_s")}

    def acts(devices: Sequence[str], place: str) -> tuple[Act, ...]:
        position = {"position": _position(place)}
        device = devices[0]
        return (
            Act(
                path=f"{path}.0",
                label=f"take in from {place}",
                device=device,
                command="load_sample",
                arguments=position,
                is_tagged=True,
            ),
            Act(
                path=f"{path}.1",
                label="diffractogram",
                device=device,
                command="scan",
                arguments=scan,
                is_tagged=True,
                repeats=REPEATS,
                measure=Measure(kind="diffractogram", role="product"),
            ),
            Act(
                path=f"{path}.2",
                label=f"put back to {place}",
                device=device,
                command="unload_sample",
                arguments=position,
            ),
        )

    lasts_s = (step.stop_deg - step.start_deg) / step.step_deg * step.count_time_s + CHANGE_S
    return Visit(path=path, label="diffract", ways=_ways(step, casting, acts), work_s=lasts_s, within_s=step.within_s)


def _position(place: str) -> int:
    match = re.search(r"(\d+)$", place)
    if match is None:
        raise CastingError(f"the place {place!r} names no position of the changer; let it end with its number")
    return int(match[1])


def _fire(step: Fire, path: str, casting: Casting, parameters: Mapping[str, Any]) -> Node:
    heating = [_segment(one, parameters) for one in step.program]
    cold = {"target_c": COLD_C, "rate_k_per_min": float(step.cooling.at(parameters)), "hold_s": 0.0}
    segments = (*heating, cold)
    furnaces = tuple(_furnace(casting, station, devices[0]) for station, devices in casting.stations(step).items())
    hottest_c = max(segment["target_c"] for segment in segments)
    return Firing(
        path=path,
        label=f"fire at {hottest_c:g} degC",
        key=json.dumps([segments, step.unload_below_c], sort_keys=True),
        furnaces=furnaces,
        segments=segments,
        unload_below_c=step.unload_below_c,
        work_s=_run_s(segments),
        longest_wait_s=step.longest_wait_s,
        within_s=step.within_s,
    )


def furnaces_of(casting: Casting) -> dict[str, Furnace]:
    """Return every furnace of a lab by its station; none where samples stand in no racks."""
    if not isinstance(casting.lab.samples, Racks):
        return {}
    heaters = {
        name: casting.with_capability(Fire.needs, one.devices) for name, one in casting.lab.samples.stations.items()
    }
    return {name: _furnace(casting, name, devices[0]) for name, devices in heaters.items() if devices}


def _furnace(casting: Casting, station: str, heater: str) -> Furnace:
    found = _racks(casting).stations[station]
    return Furnace(
        station=station,
        places=found.places,
        heater=heater,
        door=next(iter(casting.with_capability("Door", found.devices)), None),
        devices=frozenset(found.devices),
    )


def _segment(heating: Heating, parameters: Mapping[str, Any]) -> dict[str, float]:
    return {
        "target_c": float(heating.target.at(parameters)),
        "rate_k_per_min": float(heating.rate.at(parameters)),
        "hold_s": float(heating.hold.at(parameters)),
    }


def _run_s(segments: Sequence[Mapping[str, float]]) -> float:
    here_c, total_s = COLD_C, 0.0
    for segment in segments:
        ramp_s = 60.0 * abs(segment["target_c"] - here_c) / segment["rate_k_per_min"]
        total_s += ramp_s * (SLOW_COOLING if segment["target_c"] < here_c else 1.0) + segment["hold_s"]
        here_c = segment["target_c"]
    return total_s


_COMPILE: Mapping[type[StationStep], Callable[..., Node]] = {
    Dose: _dose,
    Weigh: _weigh,
    Mill: _mill,
    Fire: _fire,
    Diffract: _diffract,
}
