"""Read text that spectrometers' programs write: Ocean Optics, Avantes, CRAIC, PerkinElmer and Horiba LabSpec."""

from __future__ import annotations

from collections.abc import Sequence
from types import ModuleType

from surrogate.formats.errors import NotUnderstood
from surrogate.formats.record import Content
from surrogate.formats.text import decode, lines_of
from surrogate.spectra.formats import avantes_text, craic_text, labspec_text, ocean_text, perkin_elmer_text

MAKERS: tuple[ModuleType, ...] = (ocean_text, avantes_text, craic_text, perkin_elmer_text, labspec_text)
"""Each has ``recognises(lines)`` and ``read(lines)``."""
_HEAD = 1 << 14


def recognises(data: bytes) -> bool:
    """Say whether bytes are text of one of the makers."""
    try:
        return _maker(lines_of(decode(data[:_HEAD]))) is not None
    except NotUnderstood:
        return False


def read(data: bytes) -> Content:
    """Read a spectrometer's text.

    Raises:
        NotUnderstood: It is of none of the makers, or broken.
    """
    lines = lines_of(decode(data))
    maker = _maker(lines[:400])
    if maker is None:
        raise NotUnderstood("it is text of no spectrometer that is known")
    return maker.read(lines)


def _maker(head: Sequence[str]) -> ModuleType | None:
    return next((maker for maker in MAKERS if maker.recognises(head)), None)
