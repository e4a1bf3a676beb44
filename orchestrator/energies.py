"""The file of energies that a campaign's planner of reactions is given: by an absolute path, and with its hash."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from orchestrator.campaign_fields import PlannerChoice
from orchestrator.errors import InputError
from orchestrator.tables import digest_of

POLICY, TABLE, SHA256 = "reactions", "table", "table_sha256"


def energies_file(planner: PlannerChoice) -> str | None:
    """Return the file that a planner's energies come from, as it is written; None where no file is named."""
    written = planner.options.get(TABLE) if planner.policy == POLICY else None
    return written if isinstance(written, str) else None


def with_energies(planner: PlannerChoice, path: Path) -> PlannerChoice:
    """Return a planner with its file's absolute path and, unless given, its hash: the policy refuses another file."""
    options = {**planner.options, TABLE: str(path)}
    if options.get(SHA256) is None:
        with suppress(InputError):  # a file that cannot be read is said by the check of the policy
            options[SHA256] = digest_of(path)
    return planner.model_copy(update={"options": options})


def refuse_changed(planner: PlannerChoice) -> None:
    """Hold a planner's file of energies against what it was when the campaign began.

    Raises:
        InputError: It has changed, or cannot be read any more.
    """
    file, was = energies_file(planner), planner.options.get(SHA256)
    if file is None or was is None:
        return
    try:
        found = digest_of(Path(file))
    except InputError as error:
        raise InputError(f"planner.options.table: {error}; this campaign began with it: put it back") from error
    if found != was:
        raise InputError(
            f"planner.options.table: {file} was changed since this campaign began (its SHA-256 is {found[:12]}... and "
            f"was {str(was)[:12]}...): put the file back, or begin another campaign in a directory of its own"
        )
