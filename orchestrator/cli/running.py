"""What `labpilot run` and `labpilot resume` share: arming, and saying how it ended."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console

from orchestrator.errors import CampaignFaulted
from orchestrator.loop import Ending

EXIT_FAULTED = CampaignFaulted.exit_code


def say_how_it_ended(console: Console, ending: Ending, directory: Path) -> int:
    """Print how a campaign ended and what to do next; return the exit code."""
    console.print(f"{ending.status}: {ending.reason}", highlight=False, soft_wrap=True)
    if ending.status == "finished":
        console.print(f"`labpilot report {directory}` draws it", highlight=False, soft_wrap=True)
    else:
        console.print(f"`labpilot resume {directory}` goes on with it", highlight=False, soft_wrap=True)
    return EXIT_FAULTED if ending.status == "faulted" else 0
