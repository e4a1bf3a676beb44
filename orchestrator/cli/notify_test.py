"""`labpilot notify-test LAB`: send a test message through every channel of a lab file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

EXIT_NOT_SENT = 3


def command(
    lab: Annotated[Path, typer.Argument(help="The lab file.")],
    channel: Annotated[list[str] | None, typer.Option(help="Only this channel; may be repeated.")] = None,
    deadline: Annotated[float, typer.Option(min=1.0, help="Seconds that one message may take.")] = 30.0,
) -> int:
    """Send a test message through every channel, now. Ends with 3 if one was not sent."""
    import asyncio
    import os

    from orchestrator.errors import InputError
    from orchestrator.people.sending import AppriseSender, try_channels
    from orchestrator.people.settings import read_people

    people = read_people(lab).only(channel or [])
    if not people.channels:
        raise InputError(f"{lab} names no channels under 'people:', so nobody is told of anything (docs/operating.md)")
    sender = AppriseSender(people, os.environ, deadline_s=deadline)
    came_to = asyncio.run(try_channels(sender, people, lab.name))
    for name, problem in came_to.items():
        print(f"{name}: {problem or 'sent'}")
    return EXIT_NOT_SENT if any(came_to.values()) else 0
