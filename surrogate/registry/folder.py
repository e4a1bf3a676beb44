"""The files of a registry: versions of models, the ledger, and who leads.

FOLDER/registry.json      the format, and the pointer: who leads, and whether people have pinned it
FOLDER/transfer-3.json    the manifest of a version, with the hash of its arrays; written last
FOLDER/transfer-3.npz     its arrays
FOLDER/ledger.jsonl       what was foretold, and what came

Every file but the ledger is written under another name, synced and renamed, so that it is whole or absent.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from surrogate.model_file import BROKEN, WrongModelFile, sha256_of, store, stored
from surrogate.registry.errors import BrokenVersion, NewerRegistry, RegistryError
from surrogate.registry.manifest import FORMAT, Manifest

HEAD, LEDGER = "registry.json", "ledger.jsonl"
_ARRAYS = "labpilot model"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pointer:
    """Who leads."""

    champion: str
    """A version."""
    pinned: str | None = None
    """The version that people went back to; None: the rule decides."""
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Versions:
    """What a folder holds."""

    manifests: Sequence[Manifest]
    """By model and number."""
    refused: Mapping[str, str]
    """Why, by file: those cannot be used, and the others can."""


class Registry:
    """One folder, which need not exist before something is written.

    Args:
        folder: Where.
        fsync: Whether what is written reaches the disk before anything follows from it.
    """

    def __init__(self, folder: Path, *, fsync: bool = True) -> None:
        self.folder, self._fsync = folder, fsync

    @property
    def ledger(self) -> Path:
        """Return where the ledger is."""
        return self.folder / LEDGER

    def refuse_newer(self) -> None:
        """Do nothing where this labpilot may write.

        Raises:
            NewerRegistry: A later one wrote the folder.
        """
        found = self._head().get("format", FORMAT)
        if not isinstance(found, int) or found > FORMAT:
            raise NewerRegistry(
                f"{self.folder / HEAD} is of format {found!r}, this labpilot writes {FORMAT}: it reads what it "
                "understands and writes nothing there; update labpilot"
            )

    def write(self, manifest: Manifest, arrays: Mapping[str, NDArray[Any]]) -> Manifest:
        """Add a version; one that is there whole is left as it is. Returns its manifest.

        Raises:
            NewerRegistry: A later labpilot wrote the folder.
            BrokenVersion: The name stands for another model.
            OSError: It could not be written.
        """
        self.refuse_newer()
        try:
            known, _ = self.read(manifest.version)
        except FileNotFoundError:
            pass
        except BrokenVersion:
            broken = self.folder / f"{manifest.version}.json"
            os.replace(broken, broken.with_name(f"{broken.name}.broken"))  # it may be another version under this name
        else:
            if known.key == manifest.key:
                return known
            raise BrokenVersion(
                f"{self.folder / manifest.version}.json is another model than the journal's; move {self.folder} away "
                "and resume the campaign, which makes it again"
            )
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / f"{manifest.version}.npz"
        store(dict(arrays), {"format": _ARRAYS, "key": manifest.key}, path, fsync=self._fsync)
        written = replace(manifest, arrays_sha256=sha256_of(path))
        self._write_json(f"{manifest.version}.json", written.data())
        return written

    def read(self, version: str) -> tuple[Manifest, dict[str, NDArray[Any]]]:
        """Return a version.

        Raises:
            FileNotFoundError: There is none of this name.
            BrokenVersion: It is half written, was changed, or is something else.
            NewerRegistry: A later labpilot wrote it.
        """
        manifest = self._manifest(self.folder / f"{version}.json")
        path = self.folder / f"{version}.npz"
        try:
            if sha256_of(path) != manifest.arrays_sha256:
                raise BrokenVersion(f"{path} is not what {version}.json tells of; {_advice(self.folder)}")
            arrays, _ = stored(path, what="arrays of a model")
        except FileNotFoundError as error:
            raise BrokenVersion(f"{path}, the arrays of {version}, is missing; {_advice(self.folder)}") from error
        except WrongModelFile as error:
            raise BrokenVersion(f"{error}; {_advice(self.folder)}") from error
        return manifest, arrays

    def versions(self) -> Versions:
        """Return what the folder holds, file by file: what is broken keeps nothing else from being read."""
        found, refused = list[Manifest](), dict[str, str]()
        names = {path.name for path in self.folder.glob("*.json")} if self.folder.is_dir() else set[str]()
        for name in sorted(names - {HEAD}):
            try:
                found.append(self.read(name.removesuffix(".json"))[0])
            except (RegistryError, OSError) as error:
                refused[name] = str(error)
        for path in sorted(self.folder.glob("*.npz")) if self.folder.is_dir() else []:
            if f"{path.stem}.json" not in names:
                refused[path.name] = f"{path} is half of a version: its manifest is missing; {_advice(self.folder)}"
        return Versions(manifests=sorted(found, key=lambda one: one.model_and_number), refused=refused)

    def pointer(self) -> Pointer | None:
        """Return who leads; None where nobody was said to."""
        told = self._head().get("pointer")
        try:
            return None if told is None else Pointer(**told)
        except TypeError:
            return None

    def point(self, pointer: Pointer) -> None:
        """Move the pointer.

        Raises:
            NewerRegistry: A later labpilot wrote the folder.
            OSError: It could not be written.
        """
        self.refuse_newer()
        if pointer != self.pointer():
            self.folder.mkdir(parents=True, exist_ok=True)
            self._write_json(HEAD, {"format": FORMAT, "pointer": asdict(pointer)})

    def _head(self) -> dict[str, Any]:
        try:
            found = json.loads((self.folder / HEAD).read_bytes())
        except (OSError, ValueError, RecursionError):
            return {}  # absent, or broken: it is a pointer into a journal that has everything
        return found if isinstance(found, dict) else {}

    def _manifest(self, path: Path) -> Manifest:
        try:
            found = json.loads(path.read_bytes())
            if not isinstance(found, dict):
                raise ValueError("it holds no JSON object")
            if isinstance(found.get("format"), int) and found["format"] > FORMAT:
                raise NewerRegistry(f"{path} is of format {found['format']}, this labpilot knows {FORMAT}: update it")
            manifest = Manifest.from_data(found)
        except (FileNotFoundError, NewerRegistry):
            raise
        except (*BROKEN, TypeError) as error:
            raise BrokenVersion(f"{path} holds no version of a model: {error}; {_advice(self.folder)}") from error
        if f"{manifest.version}.json" != path.name:
            raise BrokenVersion(f"{path} holds {manifest.version}; give it its name back")
        return manifest

    def _write_json(self, name: str, data: Mapping[str, Any]) -> None:
        part = self.folder / f".{name}.part"
        with part.open("w", encoding="utf-8") as file:
            json.dump(data, file, indent=1, sort_keys=True, allow_nan=False)
            file.flush()
            if self._fsync:
                os.fsync(file.fileno())
        os.replace(part, self.folder / name)
        if self._fsync:
            _sync_folder(self.folder)


def _advice(folder: Path) -> str:
    return f"it is made again where it can be when the campaign of {folder.parent} is resumed"


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
