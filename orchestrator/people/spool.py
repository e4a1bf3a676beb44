"""The spool: orders on their way from the command line to the controller, as files that survive both.

CAMPAIGN/orders/ID.json        an order that nobody has read yet
CAMPAIGN/orders/done/ID.json   one that the journal has

A file appears whole or not at all (written beside its place, pushed to the disk, renamed). It is moved only after the
journal has the order, so that a kill at any moment leaves it to be read again; the journal then knows its id.
"""

from __future__ import annotations

import os
import pwd
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from orchestrator.errors import StorageError
from orchestrator.measurements import make_folder, sync_folder
from orchestrator.people.orders import MOST_BYTES, BadOrder, Order


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivered:
    """A file of the spool as it was found."""

    path: Path
    user: str
    """The operating-system user who owns the file."""
    uid: int
    order: Order | None
    problem: str = ""
    """Why it is no order."""

    @property
    def id(self) -> str:
        """The order's id; for what is no order, one that stands for the file."""
        return self.order.id if self.order is not None else f"file {self.name}"

    @property
    def name(self) -> str:
        """The file's name in plain ASCII, whatever it is made of."""
        return self.path.name.encode("ascii", "backslashreplace").decode()


class Spool:
    """The folder of orders of one campaign directory."""

    def __init__(self, campaign: Path) -> None:
        self.folder = campaign / "orders"
        self.done = self.folder / "done"

    def put(self, order: Order) -> Path:
        """Write an order so that it is on the disk whole when this returns.

        Raises:
            StorageError: It could not be written; there is no order then.
        """
        place = self.folder / f"{order.id}.json"
        partial = self.folder / f".{order.id}.partial"
        try:
            make_folder(self.folder)
            _write(partial, order.encoded())
            os.replace(partial, place)
            sync_folder(self.folder)
        except OSError as error:
            partial.unlink(missing_ok=True)
            raise StorageError(
                f"cannot write the order into {self.folder}: {error.strerror}; it was not given"
            ) from error
        return place

    def waiting(self) -> list[Path]:
        """Return the files that were not moved yet, oldest first by their names."""
        try:
            return sorted(entry for entry in self.folder.iterdir() if entry.suffix == ".json")
        except FileNotFoundError:
            return []

    def delivered(self) -> Iterator[Delivered]:
        """Read every file that was not moved yet.

        Raises:
            OSError: The folder cannot be read.
        """
        for path in self.waiting():
            try:
                yield _read(path)
            except FileNotFoundError:
                continue  # whoever put it there took it back

    def move(self, delivered: Delivered) -> None:
        """Put a file aside that the journal has.

        Raises:
            OSError: It stays where it is, and is read again.
        """
        make_folder(self.done)
        os.replace(delivered.path, self.done / delivered.path.name)
        sync_folder(self.folder)


def user_name(uid: int) -> str:
    """Return the name of an operating-system user; ``uid 1234`` for one without a name."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"uid {uid}"


def _write(path: Path, data: bytes) -> None:
    with path.open("xb") as file:
        os.fchmod(file.fileno(), 0o644)  # the controller may run as another user
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _read(path: Path) -> Delivered:
    """Read one file: the owner and the text of the same file, never of what a link points to."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except FileNotFoundError:
        raise
    except OSError as error:
        return _no_order(path, path.lstat().st_uid, f"cannot be read: {error.strerror}")
    with os.fdopen(descriptor, "rb") as file:
        found = os.fstat(file.fileno())
        if not stat.S_ISREG(found.st_mode):
            return _no_order(path, found.st_uid, "no ordinary file")
        try:
            order = Order.decoded(file.read(MOST_BYTES + 1))
        except BadOrder as error:
            return _no_order(path, found.st_uid, str(error))
    return Delivered(path=path, user=user_name(found.st_uid), uid=found.st_uid, order=order)


def _no_order(path: Path, uid: int, problem: str) -> Delivered:
    return Delivered(path=path, user=user_name(uid), uid=uid, order=None, problem=problem)
