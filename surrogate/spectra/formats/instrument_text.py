"""Read text that spectrometers' programs write: Ocean Optics, Avantes, CRAIC, PerkinElmer and Horiba LabSpec."""

from __future__ import annotations

from types import ModuleType

from surrogate.formats.errors import NotUnderstood
from surrogate.formats.record import Content
from surrogate.formats.text import decode, lines_of
from surrogate.spectra.formats import avantes_text, craic_text, labspec_text, ocean_text, perkin_elmer_text

MAKERS: tuple[ModuleType, ...] = (ocean_text, avantes_text, craic_text, perkin_elmer_text, labspec_text)
"""Each has its ``NAME``, ``recognises(lines)`` and ``read(lines)``."""
_HEAD = 1 << 14


def recognises(data: bytes) -> bool:
    """Say whether bytes are text of one of the makers."""
    try:
        return bool(_makers(data))
    except NotUnderstood:
        return False


def read(data: bytes) -> Content:
    """Read a spectrometer's text.

    Raises:
        NotUnderstood: It is of none of the makers, or broken.
    """
    makers = _makers(data)
    if len(makers) != 1:
        names = ", ".join(maker.NAME for maker in makers) or "no spectrometer that is known"
        raise NotUnderstood(f"its header is that of {names}; it must be that of one")
    return makers[0].read(lines_of(decode(data)))


def _makers(data: bytes) -> list[ModuleType]:
    head = lines_of(decode(data[:_HEAD]))
    return [maker for maker in MAKERS if maker.recognises(head)]
