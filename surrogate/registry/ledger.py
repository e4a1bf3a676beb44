"""The ledger: what every model foretold of a result before it was seen, and what came.

A file of JSON lines that is only appended to. Each line carries a hash of itself; a last line that is torn, by a power
cut say, is left out when it is read, and one in the middle that was changed is named, and the others stand.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, fields
from io import FileIO
from pathlib import Path

from surrogate.registry.errors import NewerRegistry, NotProspective
from surrogate.registry.rule import Scored
from surrogate.registry.scores import DENSITY, log_score, pit

FORMAT = 1
HEAD = {"line": "ledger", "format": FORMAT, "density": DENSITY}
"""The first line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """What a model foretold of one target of one trial: a mean and a standard deviation, noise included."""

    trial: int
    target: str
    model: str
    version: str
    """The newest version of the model at that time."""
    mean: float
    sd: float
    is_replayed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What came of a target of a trial."""

    trial: int
    target: str
    value: float | None
    """None: the trial gave none, and nothing is scored."""
    is_replayed: bool = False


Line = Forecast | Result
_KINDS: dict[str, type[Forecast] | type[Result]] = {"forecast": Forecast, "result": Result}
_NAMES: dict[type, str] = {kind: name for name, kind in _KINDS.items()}


def encoded(line: Line | None) -> str:
    """Return a line as text, its end included; the first line where there is none."""
    data = (
        HEAD if line is None else {"line": _NAMES[type(line)]} | {f.name: getattr(line, f.name) for f in fields(line)}
    )
    text = json.dumps(data, sort_keys=True, allow_nan=False)
    return f"{text[:-1]}, {json.dumps('hash')}: {json.dumps(_hash(text))}}}\n"


def decoded(text: str) -> Line | None:
    """Return what `encoded` wrote; None for the first line.

    Raises:
        NewerRegistry: The first line is of a later labpilot.
        ValueError: It is no line, or was changed.
    """
    found = json.loads(text)
    if not isinstance(found, dict) or found.pop("hash", None) != _hash(json.dumps(found, sort_keys=True)):
        raise ValueError("it does not match its hash")
    kind = found.pop("line", None)
    if kind == "ledger":
        if found.get("format") != FORMAT:
            raise NewerRegistry(f"format {found.get('format')}, this labpilot knows {FORMAT}: update labpilot")
        return None
    if kind not in _KINDS:
        raise ValueError(f"it is of no known kind ({kind!r})")
    try:
        return _KINDS[kind](**found)
    except TypeError as error:
        raise ValueError(str(error)) from None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ledgered:
    """What a file holds."""

    lines: Sequence[Line]
    problems: Sequence[str]
    """Lines that were left out, and why."""


def read(path: Path) -> Ledgered:
    """Read a file; an absent one is empty.

    Raises:
        NewerRegistry: A later labpilot wrote it.
    """
    if not path.exists():
        return Ledgered(lines=(), problems=())
    raw = path.read_bytes()
    lines, problems = list[Line](), list[str]()
    *whole, torn = raw.split(b"\n")
    for number, text in enumerate(whole, start=1):
        try:
            line = decoded(text.decode())
        except NewerRegistry as error:
            raise NewerRegistry(f"{path}: {error}") from None
        except (ValueError, RecursionError) as error:
            problems.append(f"{path}, line {number} is left out: {error}")
            continue
        if line is not None:
            lines.append(line)
    if torn:
        problems.append(f"{path}: its last line is torn and left out")
    return Ledgered(lines=lines, problems=problems)


def append(path: Path, lines: Iterable[Line], *, fsync: bool = True) -> None:
    """Add lines at the end, on the disk before this returns; all of them, or none where the disk is full.

    Raises:
        OSError: They could not be written.
    """
    text = "".join(encoded(line) for line in lines)
    if not text:
        return
    with path.open("a+b", buffering=0) as file:
        size = file.seek(0, os.SEEK_END)
        text = _joint(file, size) + text
        try:
            _write_all(file, text.encode())
            if fsync:
                os.fsync(file.fileno())
        except OSError:
            with suppress(OSError):
                file.truncate(size)
            raise


def _joint(file: FileIO, size: int) -> str:
    """Return what must come between what a file holds and more lines: of a torn line nothing more is lost."""
    if not size:
        return encoded(None)
    file.seek(size - 1)
    return "" if file.read(1) == b"\n" else "\n"


def _write_all(file: FileIO, content: bytes) -> None:
    left = memoryview(content)
    while left:
        left = left[file.write(left) :]


def replace(path: Path, lines: Iterable[Line], *, fsync: bool = True) -> None:
    """Write a file anew, whole or not at all."""
    part = path.with_name(f".{path.name}.part")
    with part.open("wb") as file:
        file.write((encoded(None) + "".join(encoded(line) for line in lines)).encode())
        file.flush()
        if fsync:
            os.fsync(file.fileno())
    os.replace(part, path)


@dataclass(slots=True)
class Ledger:
    """The lines in memory, and what results are worth to whoever foretold them."""

    lines: list[Line] = field(default_factory=list)
    results: list[Scored] = field(default_factory=list)
    """In the order in which they came; those that somebody foretold."""
    _open: dict[tuple[int, str, bool], dict[str, Forecast]] = field(default_factory=dict)
    _closed: set[tuple[int, str, bool]] = field(default_factory=set)

    @classmethod
    def of(cls, lines: Iterable[Line]) -> Ledger:
        """Fold lines.

        Raises:
            NotProspective: They contradict each other.
        """
        found = cls()
        for line in lines:
            found.add(line)
        return found

    def add(self, line: Line) -> Scored | None:
        """Take one more line, and return what it makes known; what is there already changes nothing.

        Raises:
            NotProspective: A forecast comes after its result, or again with other numbers.
            ValueError: A number is not finite.
        """
        if isinstance(line, Forecast):
            self._foretold(line)
            return None
        return self._came(line)

    def is_open(self, trial: int, target: str) -> bool:
        """Say whether somebody has foretold a result that did not come yet."""
        return (trial, target, False) in self._open

    def open_targets(self, trial: int) -> list[str]:
        """Return the targets of a trial that somebody has foretold and whose results did not come yet."""
        return [target for number, target, is_replayed in self._open if number == trial and not is_replayed]

    def open_forecasts(self, trial: int, model: str) -> dict[str, Forecast]:
        """Return what a model foretold of a trial whose results did not come yet, by target."""
        told = {target: self._open[trial, target, False] for target in self.open_targets(trial)}
        return {target: models[model] for target, models in told.items() if model in models}

    def _foretold(self, line: Forecast) -> None:
        place = (line.trial, line.target, line.is_replayed)
        if place in self._closed:
            raise NotProspective(f"{line.model} foretold {line.target} of trial {line.trial} after its result")
        log_score(line.mean, line.sd, line.mean)
        told = self._open.setdefault(place, {})
        if line.model not in told:
            told[line.model] = line
            self.lines.append(line)
        elif told[line.model] != line:
            raise NotProspective(f"{line.model} foretold {line.target} of trial {line.trial} twice")

    def _came(self, line: Result) -> Scored | None:
        place = (line.trial, line.target, line.is_replayed)
        if place in self._closed or place not in self._open:
            return None
        scored = None
        if line.value is not None:
            told = self._open[place]
            scores = {name: log_score(one.mean, one.sd, line.value) for name, one in told.items()}
            pits = {name: pit(one.mean, one.sd, line.value) for name, one in told.items()}
            scored = Scored(
                trial=line.trial, target=line.target, scores=scores, pits=pits, is_replayed=line.is_replayed
            )
            self.results.append(scored)
        del self._open[place]
        self._closed.add(place)
        self.lines.append(line)
        return scored


def forecasts_of(lines: Iterable[Line]) -> Mapping[tuple[int, str, str], Forecast]:
    """Return forecasts by trial, target and model; those that were replayed are left out."""
    told = (line for line in lines if isinstance(line, Forecast) and not line.is_replayed)
    return {(line.trial, line.target, line.model): line for line in told}


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]
