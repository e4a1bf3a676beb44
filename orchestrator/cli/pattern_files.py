"""Which files a command that reads patterns is to read: files, folders and globs."""

from __future__ import annotations

import glob
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from orchestrator.errors import InputError

OTHER_KINDS = frozenset(
    {".html", ".json", ".partial", ".png", ".jpg", ".jpeg", ".svg", ".pdf", ".md", ".py", ".log", ".yaml", ".docx"}
)
"""Names of what lies beside patterns in a folder and never is one."""
CIF_HEAD_BYTES = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class PatternFiles:
    """What was found, in order, each once."""

    paths: tuple[Path, ...]
    left_out: tuple[Path, ...]
    """In the folders, but no patterns by their names, or structures."""


def pattern_files(names: Sequence[str], *, without: Collection[Path] = ()) -> PatternFiles:
    """Return the files that are meant by files, folders and globs; `without` are the command's own outputs.

    Raises:
        InputError: A name leads to no file, or to one of the outputs.
    """
    taken: dict[Path, None] = {}
    left: dict[Path, None] = {}
    problems: list[str] = []
    own = {path.resolve() for path in without}
    for name in names:
        found = list(_expanded(name))
        if not found:
            problems.append(_nothing(name))
        for path, is_named in found:
            if path.resolve() in own:
                if is_named:
                    problems.append(f"{path} is named as a pattern and as an output; name another output")
                continue
            (taken if is_named or _may_be_pattern(path) else left)[path] = None
    if problems:
        raise InputError(problems)
    once = {path.resolve(): path for path in reversed(taken)}
    if not once:
        raise InputError(f"there is no pattern in {', '.join(names)}; name files, or a folder that holds them")
    return PatternFiles(paths=tuple(reversed(once.values())), left_out=tuple(left))


def _expanded(name: str) -> Iterator[tuple[Path, bool]]:
    """Yield files, and whether each was named by itself."""
    path = Path(name)
    if path.is_dir():
        yield from (
            (inner, False) for inner in sorted(path.rglob("*")) if inner.is_file() and not _is_hidden(inner, path)
        )
    elif path.exists():
        yield path, True
    elif glob.has_magic(name):
        yield from ((Path(inner), False) for inner in sorted(glob.glob(name, recursive=True)) if Path(inner).is_file())


def _is_hidden(path: Path, folder: Path) -> bool:
    return any(part.startswith(".") for part in path.relative_to(folder).parts)


def _may_be_pattern(path: Path) -> bool:
    if path.suffix.lower() == ".cif":
        with path.open("rb") as file:
            return b"_pd_" in file.read(CIF_HEAD_BYTES)
    return path.suffix.lower() not in OTHER_KINDS


def _nothing(name: str) -> str:
    if Path(name).is_dir():
        return f"the folder {name} holds no file"
    if glob.has_magic(name):
        return f"no file matches {name}"
    return f"there is no file {name}"
