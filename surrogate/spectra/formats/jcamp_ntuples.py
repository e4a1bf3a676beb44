"""NTUPLES of JCAMP-DX 5.0: pages of tables whose variables are described in columns of the header.

After Davies and Lampen, doi:10.1366/0003702934067874. Read are pages of one ordinate over one abscissa; what is a
matrix of more variables is refused.
"""

from __future__ import annotations

import re

from surrogate.formats.errors import NotUnderstood
from surrogate.formats.record import Scan
from surrogate.spectra.formats.jcamp_curve import Texts, curve, form_of
from surrogate.spectra.formats.jcamp_records import Block

_COLUMNS = ("VARNAME", "SYMBOL", "VARTYPE", "VARFORM", "VARDIM", "UNITS", "FIRST", "LAST", "MIN", "MAX", "FACTOR")
_AS_CURVE = {
    "X": {"FIRST": "FIRSTX", "LAST": "LASTX", "FACTOR": "XFACTOR", "UNITS": "XUNITS", "VARDIM": "NPOINTS"},
    "Y": {"FACTOR": "YFACTOR", "UNITS": "YUNITS", "MIN": "MINY", "MAX": "MAXY"},
}


def pages(block: Block, *, limit: int) -> tuple[list[Scan], tuple[str, ...]]:
    """Return a curve for every page, and what had to be assumed.

    Args:
        limit: Points that all pages together may have.

    Raises:
        NotUnderstood: A page is of a form that is not read, or broken.
    """
    texts = block.texts()
    variables = _variables(texts)
    scans: list[Scan] = []
    warnings: list[str] = []
    page: Texts = {}
    for record in block.records:
        if record.label == "PAGE":
            page = {"PAGE": record.text}
        elif record.label == "NPOINTS" and page:
            page["NPOINTS"] = record.text
        elif record.label == "DATATABLE":
            described = _described(texts, variables, page, form_of(record).ordinate)
            scan, said = curve(described, record, limit=limit)
            limit -= len(scan.values)
            scans.append(scan)
            warnings += (f"page {page.get('PAGE', len(scans))}: {sentence}" for sentence in said)
    if not scans:
        raise NotUnderstood("NTUPLES without a page that holds a table")
    return scans, tuple(warnings)


def _variables(texts: Texts) -> dict[str, Texts]:
    """Return what the header says of each variable, by symbol and column."""
    symbols = [symbol.strip().upper() for symbol in texts.get("SYMBOL", "").split(",")]
    if "X" not in symbols:
        raise NotUnderstood(f"NTUPLES of the symbols {texts.get('SYMBOL', '')!r}, without an X")
    columns = {label: re.split(r"\s*,\s*", texts[label]) for label in _COLUMNS if label in texts}
    return {
        symbol: {label: column[place] for label, column in columns.items() if place < len(column)}
        for place, symbol in enumerate(symbols)
    }


def _described(texts: Texts, variables: dict[str, Texts], page: Texts, ordinate: str) -> Texts:
    """Return the labels of a simple file for one page."""
    if ordinate not in variables:
        raise NotUnderstood(f"a table of {ordinate}, which ##SYMBOL= does not name")
    described = {label: text for label, text in texts.items() if label not in (*_COLUMNS, "NPOINTS")}
    for letter, symbol in (("X", "X"), ("Y", ordinate)):
        described |= {to: variables[symbol].get(label, "").strip() for label, to in _AS_CURVE[letter].items()}
    title = (texts.get("TITLE", ""), variables[ordinate].get("VARNAME", "").strip(), page.get("PAGE", ""))
    described["TITLE"] = " ".join(filter(None, title))
    return described | {label: text for label, text in page.items() if label == "NPOINTS"}
