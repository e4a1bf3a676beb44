"""Read the CSV that `write_csv` writes, with all that its ``#`` lines say, to the same numbers."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, get_args

import numpy as np

from surrogate.formats.errors import NotUnderstood
from surrogate.formats.record import Array, Axis, Content, Fact, Quantity, Radiation, Scan
from surrogate.formats.text import decode, lines_of
from surrogate.formats.write_csv import FIRST_LINE

_COLUMN = re.compile(r"^(.+) \(([^()]*)\)$")
_FACT = re.compile(r'^fact ("(?:[^"\\]|\\.)*"): (.*)$')
MOST_COLUMNS = 6
_HEAD = 256


def recognises(data: bytes) -> bool:
    """Say whether its first line is that of our CSV."""
    try:
        return decode(data[:_HEAD]).lstrip().startswith(FIRST_LINE)
    except NotUnderstood:
        return False


def read(data: bytes) -> Content:
    """Read the scan.

    Raises:
        NotUnderstood: It was changed so that it is none any more, or cut.
    """
    lines = lines_of(decode(data).lstrip())
    above = [line[2:] for line in lines if line.startswith("# ")]
    body = [line for line in lines if line and not line.startswith("#")]
    said: dict[str, str] = {}
    for line in above:
        name, colon, value = line.partition(": ")
        if colon and not name.startswith("fact "):
            said[name] = value
    names, table = _table(body)
    return Content(
        format=f"CSV of {_plain(said.get('format', 'an unknown format')).removeprefix('CSV of ')}",
        header="\n".join(f"# {line}" for line in above),
        scans=(_scan(said, {**_origin(said), **_facts(above)}, names, table),),
        warnings=tuple(_plain(line.removeprefix("warning: ")) for line in above if line.startswith("warning: ")),
    )


def _table(body: list[str]) -> tuple[list[tuple[str, str]], Array]:
    """Return names with units, and the ``columns x n`` numbers."""
    names = [match.groups() for word in (body[0].split(",") if body else []) if (match := _COLUMN.match(word))]
    if not 2 <= len(names) <= MOST_COLUMNS or any(line.count(",") != len(names) - 1 for line in body):
        raise NotUnderstood("its rows and its line of names do not have as many columns; was it changed or cut?")
    try:
        numbers = np.array([float(word) for line in body[1:] for word in line.split(",")])
    except ValueError as error:
        raise NotUnderstood(f"a row holds no number: {str(error)[:120]}") from None
    return [(name, unit) for name, unit in names], numbers.reshape(-1, len(names)).T.copy()


def _facts(above: list[str]) -> dict[str, Fact]:
    facts: dict[str, Fact] = {}
    for match in filter(None, map(_FACT.match, above)):
        value = _json(match[2])
        if isinstance(value, str | int | float | bool):
            facts[str(_json(match[1]))] = value
    return facts


def _origin(said: Mapping[str, str]) -> dict[str, Fact]:
    """Return the facts of the file that this one was made from, which give way to those that stand in it."""
    reader, _, version = _plain(said.get("reader", "")).rpartition(" ")
    facts = {
        "original_file": _plain(said.get("file", "")),
        "original_sha256": _plain(said.get("sha256", "")),
        "original_reader": reader,
        "original_reader_version": version,
    }
    return {name: text for name, text in facts.items() if text}


def _scan(said: Mapping[str, str], facts: dict[str, Fact], names: list[tuple[str, str]], table: Array) -> Scan:
    more: dict[str, Array] = {name: column for (name, _), column in zip(names[2:], table[2:], strict=True)}
    quantity = next((known for known in get_args(Quantity) if known == names[0][0]), None)
    if quantity is None or not set(more) <= {"sigma", "counts", "attenuation", "count_time"}:
        raise NotUnderstood(f"its columns are {', '.join(name for name, _ in names)}; was it changed?")
    return Scan(
        kind="diffractogram" if said.get("kind") == "diffractogram" else "spectrum",
        axis=Axis(quantity=quantity, unit=names[0][1], values=table[0]),
        values=table[1],
        unit=names[1][1],
        quantity=_plain(said.get("values", names[1][0])).removesuffix(f" in {names[1][1]}"),
        counts=more.get("counts"),
        attenuation=more.get("attenuation"),
        count_time_s=more.get("count_time"),
        sigma=more.get("sigma"),
        radiation=_radiation(said),
        title=_plain(said.get("title", "")),
        facts=facts,
    )


def _radiation(said: Mapping[str, str]) -> Radiation | None:
    lines, ratio = _json(said.get("wavelength_angstrom", "")), _json(said.get("wavelength_ratio", ""))
    if not _are_numbers(lines) or not _are_numbers(ratio) or len(lines) != len(ratio):
        return None
    return Radiation(
        wavelength_angstrom=tuple(map(float, lines)),
        ratio=tuple(map(float, ratio)),
        anode=_plain(said.get("anode", "")),
    )


def _are_numbers(found: Any) -> bool:
    return isinstance(found, list) and bool(found) and all(isinstance(item, int | float) for item in found)


def _plain(text: str) -> str:
    found = _json(text) if text.startswith('"') else None
    return found if isinstance(found, str) else text


def _json(text: str) -> Any:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    # JSON can name halves of characters, which no file can hold
    return found.encode("utf-8", "replace").decode("utf-8") if isinstance(found, str) else found
