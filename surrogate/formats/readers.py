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
READERS: tuple[Reader, ...] = (
    Reader(name="xrdml", version="1", module=f"{XRD}.xrdml"),
    Reader(name="brml", version="1", module=f"{XRD}.brml"),
    Reader(name="bruker_raw", version="1", module=f"{XRD}.bruker_raw"),
    Reader(name="ras", version="1", module=f"{XRD}.ras"),
    Reader(name="rasx", version="1", module=f"{XRD}.rasx"),
    Reader(name="gsas", version="1", module=f"{XRD}.gsas"),
    Reader(name="uxd", version="1", module=f"{XRD}.uxd"),
    Reader(name="pdcif", version="1", module=f"{XRD}.pdcif"),
    Reader(name="nexus", version="1", module=f"{XRD}.nxxrd"),
    Reader(name="jcamp", version="1", module=f"{SPECTRA}.jcamp"),
    Reader(name="spc", version="1", module=f"{SPECTRA}.spc"),
    Reader(name="wdf", version="1", module=f"{SPECTRA}.wdf"),
    Reader(name="opus", version="1", module=f"{SPECTRA}.opus"),
    Reader(name="labspec_xml", version="1", module=f"{SPECTRA}.labspec_xml"),
    Reader(name="instrument_text", version="1", module=f"{SPECTRA}.instrument_text"),
    Reader(name="labpilot_csv", version="1", module="surrogate.formats.labpilot_csv"),
    Reader(name="columns", version="1", module="surrogate.formats.columns"),
    Reader(
        name="fairmat-readers-xrd",
        version="0.0.10",
        module=f"{XRD}.fairmat",
        checks=("xrdml", "brml", "bruker_raw", "rasx"),
    ),
    Reader(name="jcamp_library", version="1.3.2", module=f"{SPECTRA}.jcamp_library", checks=("jcamp",)),
    Reader(name="spc_library", version="0.2.1", module=f"{SPECTRA}.spc_library", checks=("spc",)),
    Reader(name="wdf_library", version="0.1.16", module=f"{SPECTRA}.wdf_library", checks=("wdf",)),
    Reader(name="opus_library", version="1.4.3", module=f"{SPECTRA}.opus_library", checks=("opus",)),
)


@cache
def readers() -> tuple[Reader, ...]:
    """Return all readers, those of installed plug-ins last."""
    plugged: Iterable[Reader] = (entry.load() for entry in entry_points(group="labpilot.readers"))
    return (*READERS, *plugged)
