"""The report: a campaign directory as one self-contained HTML file."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from orchestrator.controllers import controller_is_alive
from orchestrator.errors import StorageError
from orchestrator.people.reading import read_state
from orchestrator.reading import open_reading
from orchestrator.status.facts import state_of
from orchestrator.words import moment

FILE_NAME = "report.html"


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """A report that was written."""

    path: Path
    size_bytes: int
    notices: Sequence[str]
    """What a reader must know: what is missing, cut or damaged."""


def write_report(directory: Path, out: Path | None = None) -> Report:
    """Write the report of a campaign directory, which may belong to a campaign still going on.

    Args:
        directory: The campaign directory.
        out: The HTML file; by default ``report.html`` in the campaign directory. It is replaced whole.

    Raises:
        InputError: The directory holds no campaign.
        NewerVersion: It was written by a later labpilot.
        StorageError: It cannot be read, or the file cannot be written.
    """
    from orchestrator.report.gather import gather
    from orchestrator.report.page import render
    from orchestrator.report.posterior import predict_posterior

    is_alive = controller_is_alive(directory)
    with open_reading(directory) as reading:
        snapshot = reading.snapshot()
        posterior = predict_posterior(reading)
        gathered = gather(snapshot, posterior)
        state = str(state_of(snapshot.campaign, read_state(reading.connection), is_alive=is_alive))
        notices = [*_state_notices(state, snapshot.journal.last_utc), *snapshot.journal.problems, *gathered.notices]
        text = render(snapshot, reading, gathered.payload, state=state, notices=notices)
    target = directory / FILE_NAME if out is None else out
    _write(target, text.encode())
    return Report(path=target, size_bytes=target.stat().st_size, notices=tuple(notices))


def _state_notices(state: str, as_of_utc: str) -> list[str]:
    if state == "running":
        return [f"This campaign is still running; the page shows its state as of {moment(as_of_utc)}."]
    if state == "interrupted":
        return [f"This campaign was interrupted; the page shows its state as of {moment(as_of_utc)}."]
    return []


def _write(target: Path, data: bytes) -> None:
    partial = None
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        descriptor, partial = tempfile.mkstemp(prefix=f".{target.name}.", suffix=".partial", dir=target.parent)
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
        os.chmod(partial, 0o666 & ~_umask())
        os.replace(partial, target)
    except OSError as error:
        if partial is not None:
            Path(partial).unlink(missing_ok=True)
        raise StorageError(
            f"the report could not be written to {target}: {error.strerror}; name another --out"
        ) from error


def _umask() -> int:
    umask = os.umask(0)
    os.umask(umask)
    return umask
