"""The files of a campaign's models: a projection of the journal into ``models/`` of the campaign directory.

What is missing there after a kill is written at the next start; nothing is ever read back from it to go on with.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.models.book import Book, Version, key_of_model
from surrogate.registry import ledger
from surrogate.registry.errors import BrokenVersion, RegistryError
from surrogate.registry.folder import Pointer, Registry
from surrogate.registry.manifest import Manifest

if TYPE_CHECKING:
    from planner.live import LiveModel

log = logging.getLogger(__name__)

FOLDER = "models"


class ModelFiles:
    """Keeps the files where the journal is.

    Args:
        directory: The campaign directory.
        fsync: Whether they reach the disk at once.
        report: Told once why files could not be written; the campaign goes on, as the journal has everything.
    """

    def __init__(self, directory: Path, *, fsync: bool = True, report: Callable[[str], None] | None = None) -> None:
        self.registry = Registry(directory / FOLDER, fsync=fsync)
        self._fsync, self._report, self._told = fsync, report or log.warning, set[str]()
        self._unwritten: list[ledger.Line] = []
        """Of the ledger, since a disk was full: written with what comes next."""

    def caught_up(self, book: Book) -> None:
        """Bring the ledger to where the journal is."""
        if book.ledger.lines:
            self._supervised(lambda: self._catch_up(book.ledger.lines))

    def _catch_up(self, lines: Sequence[ledger.Line]) -> None:
        self.registry.refuse_newer()
        path = self.registry.ledger
        found = ledger.read(path)
        n = len(found.lines)
        if not found.problems and n and list(found.lines) == list(lines[:n]):
            ledger.append(path, lines[n:], fsync=self._fsync)
            return
        self.registry.folder.mkdir(parents=True, exist_ok=True)
        ledger.replace(path, lines, fsync=self._fsync)

    def add(self, lines: Iterable[ledger.Line]) -> None:
        """Append to the ledger what the journal has by now."""
        self._unwritten += lines
        if self._unwritten:
            self._supervised(self._append)

    def _append(self) -> None:
        self.registry.refuse_newer()
        self.registry.folder.mkdir(parents=True, exist_ok=True)
        ledger.append(self.registry.ledger, self._unwritten, fsync=self._fsync)
        self._unwritten.clear()

    def missing(self, book: Book) -> list[Version]:
        """Return the versions of the journal whose files are not there, or not whole."""
        return [version for version in book.versions.values() if not self._is_there(version)]

    def _is_there(self, version: Version) -> bool:
        try:
            return self.registry.read(version.name)[0].key == version.key
        except (FileNotFoundError, RegistryError):
            return False
        except OSError:
            return True  # it cannot be read now, and could not be written either

    def keep(self, versions: Iterable[Version], live: Mapping[str, LiveModel]) -> None:
        """Write versions, made of the models as they are at this moment; others are refused by their keys."""
        for version in versions:
            if version.model in live:
                self._supervised(lambda version=version: self._keep(version, live[version.model]))

    def _keep(self, version: Version, model: LiveModel) -> None:
        if key_of_model(model, version.said["seed"]) != version.key:
            raise BrokenVersion(
                f"{version.name} was lost and cannot be made again: what makes models has changed since "
                f"({version.said['code']}, now {model.code})"
            )
        self.registry.write(manifest_of(version, model.layout), model.arrays)

    def point(self, book: Book, *, pinned: str | None = None, why: str = "") -> None:
        """Say in the registry which version leads."""
        newest = None if book.champion is None else book.newest(book.champion)
        if newest is not None:
            self._supervised(lambda: self.registry.point(Pointer(champion=newest.name, pinned=pinned, why=why)))

    def _supervised(self, work: Callable[[], object]) -> None:
        try:
            work()
        except (OSError, RegistryError) as error:
            text = f"the files of the models could not be written, the journal has what they say: {error}"
            if text not in self._told:
                self._told.add(text)
                self._report(text)


def manifest_of(version: Version, layout: Mapping[str, object]) -> Manifest:
    """Return the manifest of a version that the journal has."""
    return Manifest(
        version=version.name,
        model=version.model,
        key=version.key,
        created_utc=version.created_utc,
        layout=dict(layout),
        **version.said,
    )
