"""How `labpilot status --watch` keeps the status of a campaign on the screen, at the expense of nobody else."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.markup import escape

from orchestrator.cli.telling import tell_status, told
from orchestrator.errors import InputError, StorageError
from orchestrator.status.campaign_status import CampaignStatus
from orchestrator.status.looks import Looks

EVERY_S = 2.0
LARGEST_SHARE = 0.1
"""Of the time, at most so much is spent on looking: the campaign may need the same disk and core."""


def watch(path: Path, *, every_s: float, wait: Callable[[float], None] = time.sleep) -> None:
    """Show a campaign until it has finished or Ctrl-C is pressed; the last status stays on the screen.

    Raises:
        InputError: There is no terminal, or no campaign.
        NewerVersion: It was written by a later labpilot.
        StorageError: The first look failed; later ones are tried again.
    """
    console = Console(highlight=False)
    if not console.is_terminal:
        raise InputError("--watch needs a terminal; a program calls `labpilot status DIR --json` again and again")
    looks = Looks(path)
    status = looks.look()
    pause_s, problem = 0.0, ""
    try:
        with Live(console=console, auto_refresh=False, transient=True, vertical_overflow="crop") as live:
            while True:
                live.update(_screen(status, problem, every_s), refresh=True)
                if status.status == "finished":
                    break
                wait(pause_s)
                began = time.perf_counter()
                try:
                    status, problem = looks.look(), ""
                    pause_s = _pause_s(every_s, time.perf_counter() - began)
                except StorageError as error:  # locked for a moment, say; that took time, but no work
                    problem, pause_s = str(error), every_s
    except KeyboardInterrupt:
        pass
    tell_status(status)


def _pause_s(every_s: float, took_s: float) -> float:
    return max(every_s - took_s, took_s * (1.0 / LARGEST_SHARE - 1.0))


def _screen(status: CampaignStatus, problem: str, every_s: float) -> RenderableType:
    now = time.strftime("%H:%M:%S")
    line = f"[dim]{now}, every {every_s:g} s; Ctrl-C ends the watching, not the campaign[/dim]"
    if problem:
        line = f"[red]{now}: {escape(problem)}[/red]\n[dim]what was last read stands above; trying again[/dim]"
    return Group(told(status), "", line)
