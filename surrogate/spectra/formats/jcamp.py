"""JCAMP-DX 4.24 and 5.0: infrared, Raman, UV-vis, NMR and mass spectra of most makes.

After McDonald and Wilks, doi:10.1366/0003702884428734 (4.24), and Davies and Lampen, doi:10.1366/0003702934067874
(5.0). Ordinate and abscissa checks that fail refuse the file and name the line.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from surrogate.formats.errors import NotUnderstood
from surrogate.formats.record import Content, Scan
from surrogate.spectra.formats import jcamp_ntuples
from surrogate.spectra.formats.jcamp_curve import curve
from surrogate.spectra.formats.jcamp_records import Block, blocks, decode, header

LARGEST_POINTS = 1 << 22
_POINTS_PER_BYTE = 256
"""More than a table of repeats has: a few bytes may stand for many points, but not for gigabytes."""
_MOST_LABELLED = 10_000_000
_BEGIN = re.compile(r"(?:\s|\$\$[^\r\n]*)*+##\s*(?:TITLE|JCAMP[-_ ]?DX)\s*=", re.IGNORECASE)


def recognises(data: bytes) -> bool:
    """Say whether the first record of a file is a JCAMP-DX title."""
    return _BEGIN.match(decode(data[:4096])) is not None


def read(data: bytes) -> Content:
    """Read all curves of a JCAMP-DX file, those of compound files in their order.

    Raises:
        NotUnderstood: A table is broken or of a form that is not read, a check fails, or there is no table.
    """
    found = blocks(data)
    scans: list[Scan] = []
    warnings = list(_missing(found))
    limit = min(LARGEST_POINTS, 65_536 + _POINTS_PER_BYTE * len(data))
    for place, block in enumerate(found, start=1):
        new, said = _scans(block, limit)
        scans += new
        limit -= sum(len(scan.values) for scan in new)
        where = f"block {place}: " if len(found) > 1 else ""
        warnings += (where + sentence for sentence in said)
    if not scans:
        raise NotUnderstood("it holds no table of a spectrum")
    return Content(format=_format(found), header=header(data), scans=tuple(scans), warnings=tuple(warnings))


def _scans(block: Block, limit: int) -> tuple[list[Scan], Sequence[str]]:
    texts, tables = block.texts(), block.tables()
    if len(texts) * len(tables) > _MOST_LABELLED:
        raise NotUnderstood(f"{len(tables)} tables and {len(texts)} labels in one block")
    if texts.get("NTUPLES") or texts.get("DATACLASS", "").upper() == "NTUPLES":
        return jcamp_ntuples.pages(block, limit=limit)
    scans: list[Scan] = []
    warnings: list[str] = []
    for table in tables:
        scan, said = curve(texts, table, limit=limit)
        limit -= len(scan.values)
        scans.append(scan)
        warnings += said
    return scans, warnings


def _missing(found: list[Block]) -> Iterator[str]:
    """Yield what a file lacks that may have been cut short."""
    if any(not block.ended for block in found):
        yield "it ends without ##END=; it may be cut short"
    for block in found:
        declared = block.text("BLOCKS").strip()
        if declared.isdecimal() and len(declared) < 9 and int(declared) != len(found) - 1:
            yield f"##BLOCKS={declared}, and it holds {len(found) - 1}"
        if not block.tables() and block.text("DATATYPE").upper() != "LINK":
            yield f"the block {block.text('TITLE')[:60]!r} holds no table"


def _format(found: list[Block]) -> str:
    version = next(filter(None, (block.text("JCAMPDX") for block in found)), "").split("\n")[0].strip()
    compound = ", compound" if len(found) > 1 else ""
    return f"JCAMP-DX {version}".strip() + compound
