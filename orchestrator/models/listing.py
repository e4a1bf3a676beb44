"""The versions of a campaign's models, from the journal and from the files beside it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from orchestrator.errors import InputError
from orchestrator.fields import did_you_mean
from orchestrator.history import read_book
from orchestrator.models.book import Version
from orchestrator.models.files import FOLDER
from orchestrator.models.standing import NOTHING, ModelsStatus, models_status
from orchestrator.people.reading import read_state
from orchestrator.reading import open_reading
from surrogate.registry import ledger
from surrogate.registry.errors import NewerRegistry, RegistryError
from surrogate.registry.folder import Registry


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """All versions of a campaign."""

    status: ModelsStatus | None
    versions: Sequence[Version]
    whole: frozenset[str]
    """Those whose files are there and whole."""
    problems: Sequence[str]
    """What is wrong with files, and what to do."""

    def as_json(self) -> dict[str, Any]:
        """Return plain values for `json.dumps`."""
        return {
            "status": None if self.status is None else self.status.as_json(),
            "versions": [{**asdict(one), "is_on_disk": one.name in self.whole} for one in self.versions],
            "problems": list(self.problems),
        }


def listed(path: Path) -> Listed:
    """List the versions of the campaign in a directory.

    Raises:
        InputError, NewerVersion, StorageError: As `open_reading`.
    """
    with open_reading(path) as reading:
        book = read_book(reading.connection)
        status = models_status(book, read_state(reading.connection).planned_with)
    registry = Registry(path / FOLDER)
    found = registry.versions()
    keys = {version.name: version.key for version in book.versions.values()}
    whole = frozenset(one.version for one in found.manifests if keys.get(one.version) == one.key)
    problems = [*found.refused.values(), *_of_folder(registry)]
    return Listed(status=status, versions=list(book.versions.values()), whole=whole, problems=problems)


def _of_folder(registry: Registry) -> list[str]:
    problems: list[str] = []
    for look in (registry.refuse_newer, lambda: problems.extend(ledger.read(registry.ledger).problems)):
        try:
            look()
        except NewerRegistry as error:
            problems.append(str(error))
        except OSError as error:
            problems.append(f"{registry.ledger} cannot be read: {error.strerror}")
    return problems


def described(path: Path, name: str) -> tuple[Version, Mapping[str, Any]]:
    """Return a version as the journal has it, and what its file says besides.

    Raises:
        InputError: There is no such version.
    """
    with open_reading(path) as reading:
        book = read_book(reading.connection)
    if not book.versions:
        raise InputError(f"there is no version {name!r}: {NOTHING}")
    if name not in book.versions:
        raise InputError(f"there is no version {name!r}{did_you_mean(name, list(book.versions))}")
    registry, version = Registry(path / FOLDER), book.versions[name]
    try:
        manifest, arrays = registry.read(name)
    except FileNotFoundError:
        return version, {"file": None, "problem": f"it has no file; {RESUME}"}
    except RegistryError as error:
        return version, {"file": None, "problem": str(error)}
    if manifest.key != version.key:
        return version, {"file": None, "problem": "its file is another model than the journal's"}
    shapes = {key: list(array.shape) for key, array in arrays.items()}
    return version, {"file": str(registry.folder / f"{name}.npz"), "sha256": manifest.arrays_sha256, "arrays": shapes}


RESUME = "`labpilot resume` makes it again where it can be"
