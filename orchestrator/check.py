"""Checks a campaign and its lab whole, before anything moves, and says what the campaign would do.

Files are read and located first, then each is checked by itself, then one against the other. A mistake in one section
does not hide those in the others.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from orchestrator.ahead.fields import Durations
from orchestrator.around import around
from orchestrator.campaign import Campaign
from orchestrator.casting import Casting, CastingError, Player, load_player
from orchestrator.cross_checks import CHECKS
from orchestrator.energies import energies_file, with_energies
from orchestrator.errors import InputError
from orchestrator.estimate import Summary, summarise
from orchestrator.lab import Lab, check_format
from orchestrator.mistakes import validated
from orchestrator.overrides import Override, overridden, read_override, split_overrides
from orchestrator.pools import settled
from orchestrator.simulated import world_options
from orchestrator.source_fields import SourceTable
from orchestrator.sources import digest_of_source
from orchestrator.subject import SiteLimits, Subject, site_limits
from orchestrator.tables import digest_of
from orchestrator.yaml_source import InvalidSource, Path_, Place, Problem, Source, read_source

_PLACEHOLDERS: Mapping[str, Any] = {
    "labpilot": 1,
    "name": "?",
    "parameters": [{"name": "?", "kind": "categorical", "levels": ["a", "b"]}],
    "objectives": [{"name": "?", "direction": "learn"}],
    "recipe": [{"wait": {"duration": "0 s"}}],
    "analysis": {"kind": "?"},
    "planner": {"policy": "?"},
    "budget": {"trials": 1},
    "devices": {"?": {"driver": "?", "url": "sim:-/-"}},
}
"""What stands in for a required section that is wrong, so that the others can still be checked."""

_UNREAD_LAB = Source("", {key: _PLACEHOLDERS[key] for key in ("labpilot", "name", "devices")})
"""What stands in for a lab file that cannot be read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """What a check found."""

    problems: tuple[Problem, ...]
    """Every mistake, in the order of the files."""
    campaign: Campaign | None = None
    """None if there is any mistake in the campaign file. Paths in it are absolute."""
    lab: Lab | None = None
    """None if there is any mistake in the lab file. Paths in it are absolute."""
    casting: Casting | None = None
    summary: Summary | None = None
    """What the campaign would do; None if there is any mistake at all."""

    def require(self) -> Ready:
        """Return what an execution needs.

        Raises:
            InputError: There is a mistake; lists them all.
        """
        if self.problems or self.campaign is None or self.lab is None or self.casting is None:
            raise InputError([str(problem) for problem in self.problems])
        return Ready(campaign=self.campaign, lab=self.lab, casting=self.casting)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ready:
    """A campaign and a lab that fit each other."""

    campaign: Campaign
    lab: Lab
    casting: Casting
    limits: SiteLimits = field(init=False)
    """Limits of lab and campaign, intersected."""
    worlds: Mapping[str, Mapping[str, Any]] = field(init=False)
    """Options of each simulated world, by name."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "limits", site_limits(self.campaign, self.lab, self.casting))
        object.__setattr__(self, "worlds", world_options(self.campaign, self.lab))

    @classmethod
    def from_data(cls, campaign: Mapping[str, Any], lab: Mapping[str, Any]) -> Ready:
        """Return what `campaign.data()` and `lab.data()` recorded.

        Raises:
            InputError: A driver is no longer installed, or the data is damaged.
            NewerVersion: It was recorded by a later labpilot.
        """
        read_lab = Lab.from_data(lab)
        return cls(campaign=Campaign.from_data(campaign), lab=read_lab, casting=Casting.of(read_lab))


def check_campaign(path: Path | str, lab_path: Path | str | None = None, overrides: Sequence[str] = ()) -> Checked:
    """Check a campaign file and the lab file that it names.

    Args:
        path: The campaign file; messages show it as given.
        lab_path: The lab file; by default what `lab:` says, relative to the campaign file.
        overrides: ``key=value`` each, as after `--set`.

    Raises:
        NewerVersion: A file is for a later labpilot.
    """
    problems: list[Problem] = []
    for_campaign, for_lab = _overrides(overrides, problems)
    campaign_source = _source(path, for_campaign, problems)
    if campaign_source is None:
        return Checked(problems=tuple(problems))
    lab_source = _lab_source(campaign_source, lab_path, for_lab, problems)
    return _compare(campaign_source, lab_source, problems)


def _compare(campaign_source: Source, lab_source: Source | None, problems: list[Problem]) -> Checked:
    campaign, wrong = _salvaged(Campaign, campaign_source, problems)
    if campaign is not None:
        campaign, of_pools = settled(_with_tables(campaign, campaign_source), campaign_source)
        problems.extend(of_pools)
        wrong |= {"parameters"} if of_pools else set()
    lab, wrong_in_lab = _read_lab(lab_source, problems)
    wrong |= wrong_in_lab
    known_source = lab_source or _UNREAD_LAB
    casting = _casting(lab, known_source, wrong, problems)
    if campaign is not None:
        subject = Subject(campaign, lab, casting, campaign_source, known_source)
        for check in CHECKS:
            if not check.needs & wrong:
                problems.extend(check.run(subject))
    order = [campaign_source.shown, lab_source.shown if lab_source else ""]
    problems.sort(key=lambda problem: _rank(problem.place, order))
    if problems or campaign is None:
        is_sound = not any(section for section in wrong if not section.startswith("lab."))
        return Checked(problems=tuple(problems), campaign=campaign if is_sound else None)
    summary = summarise(campaign, lab, casting)
    if lab.closed or campaign.closed or campaign.duration:
        from orchestrator.hours.summary import hours_of  # it loads the journal, which others need not wait for

        summary = replace(summary, hours=hours_of(campaign, lab, casting))
    return Checked(problems=(), campaign=campaign, lab=lab, casting=casting, summary=summary)


def _read_lab(source: Source | None, problems: list[Problem]) -> tuple[Lab, set[str]]:
    """Return as much of the lab as can be read, and the sections that cannot, as ``lab.section``."""
    lab, wrong = (None, set[str]()) if source is None else _salvaged(Lab, source, problems)
    if source is None or lab is None:
        return Lab.from_source(_UNREAD_LAB), {f"lab.{section}" for section in Lab.model_fields}
    return _with_drivers(lab, source), {f"lab.{section}" for section in wrong}


def _overrides(texts: Sequence[str], problems: list[Problem]) -> tuple[list[Override], list[Override]]:
    read: list[Override] = []
    for text in texts:
        try:
            read.append(read_override(text))
        except InvalidSource as error:
            problems.extend(error.mistakes)
    return split_overrides(read)


def _source(path: Path | str, overrides: Sequence[Override], problems: list[Problem]) -> Source | None:
    try:
        source = read_source(path)
        check_format(source)
        return overridden(source, overrides)
    except InvalidSource as error:
        problems.extend(error.mistakes)
        return None


def _lab_source(
    campaign: Source, lab_path: Path | str | None, overrides: Sequence[Override], problems: list[Problem]
) -> Source | None:
    if lab_path is not None:
        return _source(lab_path, overrides, problems)
    named = campaign.data.get("lab")
    if named is None:
        problems.append(campaign.problem(("lab",), "no lab is named; add 'lab: lab.yaml', or give --lab FILE"))
        return None
    if not isinstance(named, str) or not named:
        return None  # said by the campaign's own check
    found = _source(_relative(campaign, ("lab",), named), overrides, problems)
    return found


def _relative(source: Source, path: Path_, written: str) -> str:
    """Return a path as seen from here: what a file says counts from its folder, what an option says from here."""
    is_option = source.place(path).line is None
    return os.path.normpath(written if is_option else source.folder / written)


def _salvaged(model: Any, source: Source, problems: list[Problem]) -> tuple[Any, set[str]]:
    """Read a source; where sections are wrong, report them and read the rest with placeholders."""
    data, wrong = dict(source.data), set[str]()
    context = around(source.data)
    current = source
    while True:
        try:
            return validated(model, current, context), wrong
        except InvalidSource as error:
            sections = {mistake.path.partition(".")[0] for mistake in error.mistakes}
            if not wrong:
                problems.extend(error.mistakes)
            if "" in sections or sections <= wrong:
                return None, wrong | sections
            wrong |= sections
            mistakes = error.mistakes
        for section in sections:
            dropped = data.pop(section, None)
            left = _sound_devices(dropped, mistakes) if section == "devices" else None
            if left:
                data[section] = left
            elif section in _PLACEHOLDERS and section in model.model_fields:
                data[section] = _PLACEHOLDERS[section]
        current = Source(source.shown, data, source.keys, source.values)


def _sound_devices(devices: object, mistakes: Sequence[Problem]) -> dict[str, Any]:
    """Return the devices that no mistake is about: their drivers and addresses can still be checked."""
    named = {mistake.path.split(".")[1] for mistake in mistakes if mistake.path.startswith("devices.")}
    if not isinstance(devices, dict) or any(mistake.path == "devices" for mistake in mistakes):
        return {}
    return {name: device for name, device in devices.items() if name not in named}


def _with_tables(campaign: Campaign, source: Source) -> Campaign:
    """Return a campaign whose tables are named by absolute paths, and told apart from changed ones by their hash."""
    changes: dict[str, Any] = {}
    for key in ("replay", "candidates", "known"):
        given = getattr(campaign, key)
        if given is None or given.table is None:
            continue
        path = (key, "table") if isinstance(source.data[key], dict) else (key,)
        table = Path(_relative(source, path, os.path.expanduser(given.table))).absolute()
        found: dict[str, Any] = {"table": str(table)}
        if key != "replay" and given.sha256 is None:
            with suppress(InputError):  # said by the check of this table
                found["sha256"] = digest_of(table)
        changes[key] = given.model_copy(update=found)
    if campaign.durations is not None:
        changes["durations"] = _with_file(campaign.durations, source)
    if campaign.sources:
        changes["sources"] = tuple(_with_place(given, source, index) for index, given in enumerate(campaign.sources))
    if energies := energies_file(campaign.planner):
        at = _relative(source, ("planner", "options", "table"), os.path.expanduser(energies))
        changes["planner"] = with_energies(campaign.planner, Path(at).absolute())
    return campaign.model_copy(update=changes) if changes else campaign


def _with_file(given: Durations, source: Source) -> Durations:
    path = ("durations", "file") if isinstance(source.data["durations"], dict) else ("durations",)
    file = Path(_relative(source, path, os.path.expanduser(given.file))).absolute()
    found: dict[str, Any] = {"file": str(file)}
    if given.sha256 is None:
        with suppress(InputError):  # said by the check of this file
            found["sha256"] = digest_of(file)
    return given.model_copy(update=found)


def _with_place(given: SourceTable, source: Source, index: int) -> SourceTable:
    """Return a source that is named by an absolute path, and told apart from a changed one by its hash."""
    key, written = given.place
    path = Path(_relative(source, ("sources", index, key), os.path.expanduser(written))).absolute()
    found = given.model_copy(update={key: str(path)})
    if given.sha256 is None:
        with suppress(InputError):  # said by the check of sources
            found = found.model_copy(update={"sha256": digest_of_source(found)})
    return found


def _with_drivers(lab: Lab, source: Source) -> Lab:
    devices = {}
    for name, device in lab.devices.items():
        file, colon, driver = device.driver.partition(".py")
        if colon:
            file = str(Path(_relative(source, ("devices", name, "driver"), file + ".py")).absolute())
        devices[name] = device.model_copy(update={"driver": file + driver})
    return lab.model_copy(update={"devices": devices})


def _casting(lab: Lab, source: Source, wrong: set[str], problems: list[Problem]) -> Casting:
    players: dict[str, Player] = {}
    for name, device in lab.devices.items():
        if source is _UNREAD_LAB or not source.holds(("devices", name)):
            continue
        try:
            players[name] = load_player(device.driver, Path())
        except CastingError as error:
            problems.append(source.problem(("devices", name, *error.inner), str(error)))
            wrong.add("lab.drivers")
    return Casting(lab, players)


def _rank(place: Place, order: Sequence[str]) -> tuple[int, int, int]:
    position = order.index(place.shown) if place.shown in order else -1
    return position, place.line or 0, place.column or 0
