"""Parcels: what a campaign file names beside itself, so that it can be simulated where none of those files are.

Tables, pools of candidates and the journals of earlier campaigns travel as bytes that are named by their SHA-256; where
they are unpacked, the campaign's paths are changed to lead there.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from copy import deepcopy
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from orchestrator.campaign import Campaign
from orchestrator.directory import CampaignDirectory
from orchestrator.energies import TABLE, energies_file
from orchestrator.errors import InputError
from orchestrator.lab import Lab
from orchestrator.measurements import write_durably
from orchestrator.parameters import Categorical
from orchestrator.pool_reading import files_of_pool

Key = tuple[str | int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """A file or folder that the campaign names."""

    at: Key
    """Where in the campaign's data its path stands."""
    name: str
    """Of the file or folder itself."""
    files: Mapping[str, str]
    """SHA-256 by path, from the folder that holds it."""
    is_settled: bool = True
    """Whether equal content has equal hashes. A copy of a journal may differ in bytes; the campaign has its hash."""

    def data(self) -> dict[str, Any]:
        """Return it as plain data that `Need.of` reads."""
        return {**asdict(self), "at": list(self.at)}

    @classmethod
    def of(cls, data: Mapping[str, Any]) -> Need:
        """Read what `data` wrote."""
        return cls(**{**data, "at": tuple(data["at"])})

    @property
    def sha256(self) -> str:
        """Return the hash of the whole of it."""
        return hashlib.sha256(json.dumps([self.name, sorted(self.files.items())]).encode()).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Parcel:
    """A campaign with all that it needs, apart from installed packages."""

    campaign: Mapping[str, Any]
    """Its data, with names in the place of paths."""
    lab: Mapping[str, Any]
    needs: Sequence[Need]
    contents: Mapping[str, bytes]
    """By SHA-256."""


def packed_up(campaign: Campaign, lab: Lab) -> Parcel:
    """Return a campaign and its lab with all the files that they name.

    Raises:
        InputError: Something cannot be sent, or not be read; every such thing is named.
    """
    problems, contents, needs = list[str](), dict[str, bytes](), list[Need]()
    for at, path, files, is_settled in _named(campaign):
        try:
            needs.append(_need(at, path, files, contents, is_settled=is_settled))
        except InputError as error:
            problems.extend(error.problems)
    if problems:
        raise InputError(problems)
    data = campaign.data()
    for need in needs:
        _put(data, need.at, need.name)
    return Parcel(campaign=data, lab=lab.data(), needs=needs, contents=contents)


def unpacked(campaign: Mapping[str, Any], needs: Sequence[Need], contents: Mapping[str, bytes], folder: Path) -> Any:
    """Return a campaign's data whose paths lead to unpacked files.

    Args:
        campaign: As in a parcel.
        needs: As in a parcel.
        contents: Those that are not unpacked yet, by SHA-256.
        folder: Where files are unpacked, each under the hash of what it belongs to.
    """
    data = deepcopy(dict(campaign))
    for need in needs:
        place = folder / need.sha256[:32]
        for name, sha256 in need.files.items():
            _write(_inside(place, name), sha256, contents)
        _put(data, need.at, str(place / need.name))
    return data


def lacking(needs: Sequence[Need], folder: Path) -> list[str]:
    """Return the hashes of what is not unpacked in a folder yet."""
    return sorted(
        {
            sha256
            for need in needs
            for name, sha256 in need.files.items()
            if not (folder / need.sha256[:32] / name).exists()
        }
    )


def _write(path: Path, sha256: str, contents: Mapping[str, bytes]) -> None:
    if path.exists():
        return
    content = contents[sha256]
    if hashlib.sha256(content).hexdigest() != sha256:
        raise InputError(f"{path.name} has changed on its way: its SHA-256 is not {sha256[:12]}...; send it again")
    path.parent.mkdir(parents=True, exist_ok=True)
    write_durably(path, content, fsync=False, fsync_folder=False)


def _inside(folder: Path, name: str) -> Path:
    if not _is_inside(name):
        raise InputError(f"{name!r} lies outside the folder of what names it")
    return folder / name


def _is_inside(name: str) -> bool:
    path = PurePosixPath(name)
    return not path.is_absolute() and ".." not in path.parts


def _put(data: Any, at: Key, value: str) -> None:
    for key in at[:-1]:
        data = data[key]
    data[at[-1]] = value


def _named(campaign: Campaign) -> Iterator[tuple[Key, Path, Mapping[str, Path] | None, bool]]:
    """Yield where a path stands, what it is, the files below it (None: it is one), and whether bytes tell content."""
    for key in ("replay", "candidates", "known"):
        given = getattr(campaign, key)
        if given is not None and given.table is not None:
            yield (key, "table"), Path(given.table), None, True
    if campaign.durations is not None:
        yield ("durations", "file"), Path(campaign.durations.file), None, True
    if energies := energies_file(campaign.planner):
        yield ("planner", "options", TABLE), Path(energies), None, True
    for index, source in enumerate(campaign.sources):
        key, written = source.place
        files = _journal_of(Path(written)) if key == "campaign" else None
        yield ("sources", index, key), Path(written), files, key == "table"
    for index, item in enumerate(campaign.parameters):
        if isinstance(item, Categorical) and item.pool is not None and item.features is not None:
            key = "folder" if item.pool.folder is not None else "table"
            path = Path(str(item.pool.folder or item.pool.table))
            below = dict(files_of_pool(item.name, item.pool, item.features.takes))
            files = {f"{path.name}/{name}": found for name, found in below.items()} if key == "folder" else below
            yield (
                ("parameters", index, "pool", key),
                path,
                {path.name: path, **files} if key == "table" else files,
                True,
            )


def _need(
    at: Key, path: Path, files: Mapping[str, Path] | None, contents: dict[str, bytes], *, is_settled: bool
) -> Need:
    found: dict[str, str] = {}
    for name, place in (files or {path.name: path}).items():
        if not _is_inside(name):
            raise InputError(
                f"{path} names {name!r}, which lies outside its folder and cannot be sent; move it below {path.parent}"
            )
        content = _journal_copy(place) if place.suffix == ".sqlite" and not is_settled else _content(place)
        found[name] = hashlib.sha256(content).hexdigest()
        contents[found[name]] = content
    return Need(at=at, name=path.name, files=found, is_settled=is_settled)


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from error


def _journal_of(path: Path) -> dict[str, Path]:
    """Return what of an earlier campaign is needed to read its results."""
    directory = CampaignDirectory(path)
    return {f"{path.name}/{file.name}": file for file in (directory.request, directory.journal)}


def _journal_copy(path: Path) -> bytes:
    """Return one moment of a journal that may be written to; the latest of it stands in a file beside it."""
    if not path.exists():
        raise InputError(f"there is no {path}: a campaign whose journal lives in PostgreSQL cannot be sent; export it "
                         f"with `labpilot export`, and name the table")  # fmt: skip
    try:
        source = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)
        with closing(source), closing(sqlite3.connect(":memory:")) as copy:
            source.backup(copy)
            return copy.serialize()
    except sqlite3.Error as error:
        raise InputError(f"{path} cannot be read: {error}") from error


def refuse_drivers(lab: Lab) -> None:
    """Refuse drivers that are files: another machine runs what is installed there, and no code that is sent.

    Raises:
        InputError: Names them.
    """
    problems = [
        f"the driver of {name} is a file ({device.driver}), and only installed packages are run on a cluster: make a "
        "package of it (docs/plug_in_an_instrument.md) and install it on every machine, or leave out --cluster"
        for name, device in lab.devices.items()
        if ".py:" in device.driver
    ]
    if problems:
        raise InputError(problems)
