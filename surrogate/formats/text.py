"""What readers of text share: characters from bytes, lines, numbers of any locale, and facts of a header."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterable

import numpy as np

from surrogate.formats.errors import NotUnderstood
from surrogate.formats.record import Array, Fact

LARGEST_BYTES = 1 << 27
_HEAD = 4096
MOST_FACTS = 300
LONGEST_FACT = 400

_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
# kana, or two ideographs in a row: accented letters of cp1252 make lone ideographs at most
_JAPANESE = re.compile("[\u3041-\u30ff]{2}|[\u4e00-\u9fff]{2}")
NUMBER = r"[+-]?(?:[0-9]+(?:[.,][0-9]*)?|[.,][0-9]+)(?:[eEdD][+-]?[0-9]{1,5})?"
_NUMBER = re.compile(NUMBER)
_MISSING = re.compile(r"[+-]?nan|-?1\.#(?:ind|qnan|inf)0*|n/?a|[+-]?inf(?:inity)?", re.IGNORECASE)
_PAIR = re.compile(r"([^:=\t]{1,60}?)[ \t]*(?:[:=][ \t]*|\t[ \t]*)(.*)")
_LISTED = re.compile(r"([^,;:=\t]{1,60})[,;]([^,;]+)")
_UNIT_IN_NAME = re.compile(r"[\[(]([^\])]{1,16})[\])]")
_KNOWN = (
    "[uµμm]?s|[um]?sec|min|h|nm|[uµμmc]?m|[mk]?V|[uµμm]?A|[mkuµμ]?W|°?C|K|deg|°|%|Å|angstrom|[mk]?eV|[kMGT]?Hz|scans"
)
_AMOUNT = re.compile(rf"({NUMBER})[ \t]*(?:[\[(]?({_KNOWN})[\])]?)?(?:[ \t]*\([^()]*\))?")


def decode(data: bytes) -> str:
    """Return a file's characters: by its byte-order mark, as UTF-8, as Shift-JIS, or as cp1252 with errors replaced.

    Raises:
        NotUnderstood: It is too long for a text file, or it is binary.
    """
    if len(data) > LARGEST_BYTES:
        raise NotUnderstood(f"a text of {len(data)} bytes; texts up to {LARGEST_BYTES} bytes are read")
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            return data[len(mark) :].decode(encoding, errors="replace")
    if wide := wide_encoding(data):
        return data.decode(wide, errors="replace")
    if b"\x00" in data.rstrip(b"\x00\x1a"):
        raise NotUnderstood("it is binary, not text")
    return _narrow(data.rstrip(b"\x00\x1a"))


def is_text(data: bytes) -> bool:
    """Say whether a file begins as text does."""
    try:
        return bool(decode(data[:_HEAD]))
    except NotUnderstood:
        return False


def _narrow(data: bytes) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        pass
    try:
        japanese = data.decode("shift_jis")
        if _JAPANESE.search(japanese):
            return japanese
    except UnicodeDecodeError:
        pass
    return data.decode("cp1252", errors="replace")


def wide_encoding(data: bytes) -> str:
    """Name the encoding of text with two or four bytes to a letter, marked or not; empty for any other bytes."""
    marked = (encoding for mark, encoding in _MARKS[1:] if data.startswith(mark))
    return next(marked, "") or _unmarked_wide(data)


def _unmarked_wide(data: bytes) -> str:
    """Tell UTF-16 without a mark by its zero bytes, every second one of a text in Latin letters."""
    head = np.frombuffer(data[: min(len(data), 512) // 2 * 2], dtype=np.uint8).reshape(-1, 2)
    if len(head) < 4 or not head.size:
        return ""
    high, low = np.mean(head[:, 1] == 0), np.mean(head[:, 0] == 0)
    if high > 0.9 and low < 0.1:
        return "utf-16-le"
    return "utf-16-be" if low > 0.9 and high < 0.1 else ""


def lines_of(text: str) -> list[str]:
    """Return lines ended by CR, LF or both, and by nothing else."""
    return text.replace("\r\n", "\n").replace("\r", "\n").split("\n")


def number(token: str, *, comma: bool = False) -> float | None:
    """Return the number that a token is; NaN for a missing or an infinite one, None where it is no number.

    Exponents may be marked by E or D. With `comma` the decimal mark is a comma and never a point.
    """
    token = token.strip().replace("\u2212", "-")
    if not _NUMBER.fullmatch(token):
        return float("nan") if _MISSING.fullmatch(token) else None
    if (("." if comma else ",") in token) or len(token) > 64:
        return None
    value = float(token.replace(",", ".").replace("D", "e").replace("d", "e"))
    return value if abs(value) < float("inf") else float("nan")


def numbers(tokens: Iterable[str], *, comma: bool = False) -> list[float] | None:
    """Return the numbers that tokens are, or None where one is none."""
    found = [number(token, comma=comma) for token in tokens]
    return None if None in found else [value for value in found if value is not None]


def are_counts(values: Array) -> bool:
    """Say whether ``n`` values are whole, not negative, and not all zero."""
    finite = bool(np.isfinite(values).all())
    return finite and bool((values >= 0).all() and (values == np.floor(values)).all() and (values > 0).any())


_SPELT = {
    "µs": "us", "μs": "us", "usec": "us", "msec": "ms", "sec": "s", "°c": "c", "°": "deg", "%": "percent",
    "µm": "um", "μm": "um", "1/cm": "per_cm", "cm-1": "per_cm", "cm-¹": "per_cm", "cm⁻¹": "per_cm", "å": "angstrom",
}  # fmt: skip


def slug(name: str, unit: str = "") -> str:
    """Return a field name of small letters with its unit: ``Integration Time (usec)`` is ``integration_time_us``."""
    match = _UNIT_IN_NAME.search(name)
    if match:
        unit, name = unit or match[1], name[: match.start()] + name[match.end() :]
    unit = unit.strip().lower()
    whole = f"{name} {_SPELT.get(unit, unit)}".lower()
    whole = whole.translate(str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss", "µ": "u", "é": "e", "è": "e"}))
    return re.sub(r"[^a-z0-9]+", "_", whole).strip("_")[:60]


def fact(value: str) -> Fact:
    """Return a value as a whole number, a number, or text; digits with a leading 0 are a name, not a number."""
    value = value.strip().strip("'\"").strip()[:LONGEST_FACT]
    found = None if re.match("0[0-9]", value) else number(value, comma="," in value)
    if found is None or found != found:
        return value
    return int(found) if value.lstrip("+-").isdigit() and abs(found) < 1e15 else found


def facts_of(lines: Iterable[str]) -> dict[str, Fact]:
    """Return what lines of ``name: value`` say, also parted by ``=``, a tab, or one comma; see `facts_from`."""
    bare = (line[:1000].strip().lstrip("#;!/* \t") for line in lines)
    matches = (_PAIR.fullmatch(line) or _LISTED.fullmatch(line) for line in bare)
    return facts_from((match[1], match[2]) for match in matches if match)


def facts_from(pairs: Iterable[tuple[str, str]]) -> dict[str, Fact]:
    """Return names and values as facts, units moved from the values into the names; the first of a name stands."""
    facts: dict[str, Fact] = {}
    for name, value in pairs:
        value = value.strip()
        amount = _AMOUNT.fullmatch(value)
        key = slug(name.strip(), (amount[2] or "") if amount else "")
        if key and value and key not in facts and len(facts) < MOST_FACTS:
            facts[key] = fact(amount[1] if amount else value)
    return facts
