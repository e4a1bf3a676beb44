"""What `labpilot identify` is about to replace: an output must be its own, or new, so that no measurement is lost.

A shell turns ``--json *.xrdml`` into ``--json first.xrdml second.xrdml ...``: the first measurement becomes the output.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from orchestrator.cli.results_file import STDOUT
from orchestrator.errors import InputError

HEAD_BYTES = 4096
OWN: Mapping[str, tuple[str, re.Pattern[bytes]]] = {
    "--json": ("list", re.compile(rb'\s*\[\s*(\]|\{\s*"file")')),
    "--html": ("page", re.compile(rb'<!doctype html>.*<meta name="generator" content="labpilot"', re.DOTALL)),
}
"""By option: what it writes, and how the beginning of one written earlier looks."""


def refuse_foreign(outputs: Mapping[str, Path | None]) -> None:
    """Refuse outputs, by option, that are one file or would replace anything but an earlier output.

    Raises:
        InputError: Saying what is there, and what to do.
    """
    named = {option: path for option, path in outputs.items() if path is not None and path != STDOUT}
    if problems := _shared(named) or [text for each in named.items() if (text := _problem(*each))]:
        raise InputError(problems)


def _shared(named: Mapping[str, Path]) -> list[str]:
    places: dict[Path, str] = {}
    problems = []
    for option, path in named.items():
        first = places.setdefault(path.resolve(), option)
        if first != option:
            problems.append(f"{first} and {option} both name {path}, and one would replace the other; name two files")
    return problems


def _problem(option: str, path: Path) -> str:
    if not path.exists() or path.is_dir():
        return ""
    what, own = OWN[option]
    if not path.is_file():
        return f"{option} {path} is a device or a pipe; name a file{', or - for stdout' if option == '--json' else ''}"
    with path.open("rb") as file:
        head = file.read(HEAD_BYTES)
    if not head or own.match(head):
        return ""
    return (
        f"{option} {path} exists and is no {what} of labpilot identify, so it is not replaced; name another file, or "
        f"move this one away. Did the shell put the first file of a pattern such as *.xrdml after {option}?"
    )
