"""Readers by name. A reader is a module: whether bytes are its own, and what they hold.

A reader's module has `recognises(data)`, cheap and by content (magic bytes, first lines, members of an archive), and
`read(data)`, which returns `Content` or raises `NotUnderstood` with the reason. Where several recognise a file, all
that do must agree. A reader with `checks` set is only asked as a second opinion on files of the readers it names; where
it cannot read them it has no opinion.
Plug-ins (of another licence, say) come by the entry point ``labpilot.readers``, each a `Reader`.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from importlib.metadata import entry_points

from surrogate.formats.errors import NotUnderstood
from surrogate.formats.record import Content

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader:
    """A reader by name; its module is imported when it is first asked."""

    name: str
    version: str
    module: str
    """Holds ``recognises(data: bytes) -> bool`` and ``read(data: bytes) -> Content``."""
    checks: tuple[str, ...] = ()
    """Readers whose files this one reads a second time, to compare."""

    def recognises(self, data: bytes) -> bool:
        """Say by a file's bytes whether it is for this reader."""
        try:
            return import_module(self.module).recognises(data)
        except Exception as error:  # the supervisor of readers: bytes of any kind may come
            _log.debug("reader_failed reader=%s error=%r", self.name, error)
            return False

    def read(self, data: bytes) -> Content:
        """Read a file's bytes.

        Raises:
            NotUnderstood: It is broken, or of a kind that the reader does not know.
        """
        try:
            return import_module(self.module).read(data)
        except NotUnderstood:
            raise
        except Exception as error:  # the supervisor of readers, ours and foreign ones: a broken file fails anyhow
            raise NotUnderstood(f"it is broken ({type(error).__name__}: {error})") from error


XRD = "surrogate.xrd.formats"
SPECTRA = "surrogate.spectra.formats"
READERS: tuple[Reader, ...] = ()


@cache
def readers() -> tuple[Reader, ...]:
    """Return all readers, those of installed plug-ins last."""
    plugged: Iterable[Reader] = (entry.load() for entry in entry_points(group="labpilot.readers"))
    return (*READERS, *plugged)
