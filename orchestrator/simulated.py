"""Simulated worlds: which a lab uses, what each is told, and whether it can be."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from drivers.links.url import BadURL, SimAddress, parse_url
from orchestrator.campaign import Campaign
from orchestrator.errors import InputError
from orchestrator.fields import did_you_mean
from orchestrator.lab import Lab
from orchestrator.parameters import AnyParameter, Fidelity
from orchestrator.subject import Subject
from orchestrator.worlds import WORLDS, load
from orchestrator.yaml_source import Path_, Problem

REPLAY = "replay"
"""The world that plays a measured table; its options are the campaign's `replay` section."""


def world_options(campaign: Campaign, lab: Lab) -> dict[str, dict[str, Any]]:
    """Return what each simulated world of the lab is told."""
    options = {world: dict(lab.simulation.get(world, {})) for world in worlds_of(lab)}
    if REPLAY in options and campaign.replay is not None:
        options[REPLAY] |= _replay_options(campaign, lab)
    return options


def worlds_of(lab: Lab) -> list[str]:
    """Return the simulated worlds that devices of the lab are in."""
    found = dict.fromkeys(address.world for address in _addresses(lab).values() if isinstance(address, SimAddress))
    return list(found)


def _addresses(lab: Lab) -> dict[str, Any]:
    found = {}
    for name, device in lab.devices.items():
        try:
            found[name] = parse_url(device.url)
        except BadURL:
            continue  # said by _urls
    return found


def _replay_options(campaign: Campaign, lab: Lab) -> dict[str, Any]:
    replay = campaign.replay
    if replay is None:
        return {}
    capacity = min(
        (device.capacity for device in lab.devices.values() if device.url.startswith("sim:replay/")), default=1
    )
    return {
        "table": replay.table,
        "mode": replay.mode,
        "columns": {name: column.model_dump(exclude_none=True) for name, column in replay.columns.items()},
        "parameters": [_axis(parameter) for parameter in campaign.parameters],
        "objectives": [{"name": objective.name, "unit": objective.unit} for objective in campaign.objectives],
        "failure": replay.failure.model_dump() if replay.failure else None,
        "duration_s": replay.duration_s,
        "capacity": capacity,
    }


def _axis(parameter: AnyParameter) -> dict[str, Any]:
    if isinstance(parameter, Fidelity):  # a table holds its levels as words
        return {"kind": "categorical", "name": parameter.name, "levels": list(parameter.levels)}
    return parameter.model_dump(mode="json", exclude_none=True)


def urls(subject: Subject) -> Iterator[Problem]:
    """Find addresses that cannot be opened."""
    for name, device in subject.lab.devices.items():
        if not subject.lab_source.holds(("devices", name)):
            continue  # it stands in for devices that cannot be read
        try:
            parse_url(device.url)
        except BadURL as error:
            yield subject.lab_source.problem(("devices", name, "url"), str(error))


def worlds(subject: Subject) -> Iterator[Problem]:
    """Find worlds that are not installed, and options that they refuse."""
    known = worlds_of(subject.lab)
    for name in subject.lab.simulation:
        if name not in known:
            message = f"no device of this lab is in the world {name!r}{did_you_mean(name, known)}"
            yield subject.lab_source.problem(("simulation", name), message, of_key=True)
    options = world_options(subject.campaign, subject.lab)
    for name in known:
        try:
            found = load(WORLDS, name).check(options[name])
        except InputError as error:
            yield subject.lab_source.problem(_first_url(subject.lab, name), str(error))
            continue
        for message in found:
            yield _world_problem(subject, name, message)


def _world_problem(subject: Subject, world: str, message: str) -> Problem:
    if world == REPLAY:
        path = ("replay", "table") if "table" in (subject.campaign_source.data.get("replay") or {}) else ("replay",)
        return subject.campaign_source.problem(path, message)
    return subject.lab_source.problem(("simulation", world), message)


def _first_url(lab: Lab, world: str) -> Path_:
    for name, address in _addresses(lab).items():
        if isinstance(address, SimAddress) and address.world == world:
            return "devices", name, "url"
    return ("devices",)


def replay_and_world(subject: Subject) -> Iterator[Problem]:
    """Find a replay section without a lab that replays, and the other way round."""
    is_replayed = REPLAY in worlds_of(subject.lab)
    if is_replayed and subject.campaign.replay is None:
        yield subject.campaign_source.problem((), "the lab replays a table; add a 'replay' section that describes it")
    if subject.campaign.replay is not None and not is_replayed:
        message = f"no device of the lab {subject.lab.name!r} replays a table (url: sim:replay/robot)"
        yield subject.campaign_source.problem(("replay",), message, of_key=True)
