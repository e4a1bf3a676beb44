"""`labpilot guard`: ask the guard of a campaign's laboratory, stop everything through it, acknowledge its trips."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

if TYPE_CHECKING:
    from orchestrator.guard.client import GuardClient

T = TypeVar("T")

command = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help="Ask the guard beside a campaign how things are, stop all devices through it, acknowledge what it tripped.",
)

EXIT_REFUSED = 3

Directory = Annotated[Path, typer.Argument(help="The campaign directory.")]
Reason = Annotated[str, typer.Option("--reason", help="Why; whoever reads the log later wants to know.")]
Name = Annotated[str | None, typer.Option("--as", help="Your name, kept beside the operating-system user.")]
Socket = Annotated[Path | None, typer.Option("--socket", help="Where the guard is, if not where the campaign has it.")]


@command.command("status")
def status(
    directory: Directory,
    socket: Socket = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show readings with their age, trips, and devices that are being made safe."""
    import json

    found = _asked(directory, socket, lambda client: client.status())
    if as_json:
        print(json.dumps(found, indent=1))
        return
    for line in _lines(found):
        print(line)


@command.command("stop-all")
def stop_all(directory: Directory, reason: Reason, name: Name = None, socket: Socket = None) -> int:
    """Stop every device now. This is software: where people are in danger, press the red button."""
    who = name or _user()
    found = _asked(directory, socket, lambda client: client.stop_all(who=who, reason=reason))
    print(f"stopped in {found['took_s']:.1f} s: {', '.join(found['stopped']) or 'nothing'}")
    if found["without_stop"]:
        print(f"has no stop command: {', '.join(found['without_stop'])}")
    for device, why in found["failed"].items():
        print(f"NOT STOPPED: {device}: {why}; go there")
    if found["unrecorded"]:
        print(f"NOT RECORDED: {found['unrecorded']}; a guard that is started again would not know of this stop")
    print(f"no command is given there until `labpilot guard acknowledge {directory} stop-all --reason WHY`")
    return EXIT_REFUSED if found["failed"] else 0


@command.command("acknowledge")
def acknowledge(
    directory: Directory,
    trip: Annotated[str, typer.Argument(help="The trip's name; `labpilot guard status` shows it.")],
    reason: Reason,
    name: Name = None,
    socket: Socket = None,
) -> None:
    """Release a latched trip, once its cause is over and its devices are safe."""
    who = name or _user()
    _asked(directory, socket, lambda client: client.acknowledge(trip, who=who, reason=reason))
    print(f"acknowledged: {trip}")


def _user() -> str:
    import getpass

    return getpass.getuser()


def _asked(directory: Path, socket: Path | None, ask: Callable[[GuardClient], Awaitable[T]]) -> T:
    """Ask the guard, and return what it says.

    Raises:
        InputError: There is no campaign, or its lab file has no guard.
        LabRefused: No guard answers, or it refuses.
    """
    import asyncio

    from orchestrator.errors import LabRefused
    from orchestrator.guard.client import GuardClient, GuardError
    from orchestrator.guard.gate import GuardSilent

    path = socket or _socket_of(directory)

    async def work() -> T:
        client = GuardClient(path, answer_s=5.0)
        try:
            return await ask(client)
        finally:
            await client.close()

    try:
        return asyncio.run(work())
    except GuardSilent as error:
        raise LabRefused(
            f"no guard answers ({error}). A guard runs beside `labpilot run` and ends with it; to make the "
            f"instruments safe without it, `labpilot orders abort {directory} --reason WHY`, or the red button"
        ) from None
    except GuardError as error:
        raise LabRefused(f"the guard refuses: {error}") from None


def _socket_of(directory: Path) -> Path:
    import os

    from orchestrator.directory import CampaignDirectory
    from orchestrator.errors import InputError
    from orchestrator.guarding import place_of
    from orchestrator.lab import Lab

    requested = CampaignDirectory.open(directory).requested()
    lab = Lab.from_data(requested["lab"])
    if lab.guard is None:
        raise InputError(f"the lab {lab.name!r} of {directory} has no guard: its lab file has no section of that name")
    if requested["mode"] == "virtual":
        raise InputError(f"{directory} was simulated in virtual time, where the guard is a part of the simulation")
    return place_of(directory, lab, os.environ).socket


def _lines(found: dict[str, Any]) -> list[str]:
    controller = found["controller"]
    lines = [f"controller  {_heard(controller)}"]
    latched = {name: row for name, row in found["trips"].items() if row["state"] != "clear"}
    lines += [f"{row['state']:11} {name}: {row['reason']}" for name, row in latched.items()]
    lines += [f"trips       {len(found['trips']) - len(latched)} of {len(found['trips'])} are clear"]
    lines += [f"{row['state']:11} {name}: {row['reason']}" for name, row in found["devices"].items()]
    lines += [f"reading     {key} {_reading(row)}" for key, row in found["readings"].items()]
    return lines


def _heard(controller: dict[str, Any]) -> str:
    if controller["is_lost"]:
        return f"LOST: silent for {controller['silent_s']:.0f} s"
    if controller["silent_s"] is None:
        return "none"
    return f"heard {controller['silent_s']:.1f} s ago"


def _reading(row: dict[str, Any]) -> str:
    if row["value"] is None:
        return f"nothing yet {row['error']}".rstrip()
    value = f"{row['value']:.6g}" if isinstance(row["value"], float) else row["value"]
    stale = ", STALE" if row["is_stale"] else ""
    error = f" ({row['error']})" if row["error"] else ""
    return f"{value}, {row['age_s']:.1f} s old{stale}{error}"
