"""`labpilot simulator`: serve a simulated laboratory or instrument on real ports."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from orchestrator.cli.driver import kit
from orchestrator.errors import InputError

command = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help="List simulated instruments, or serve one on real ports.",
)


@command.command("list")
def list_simulators(as_json: Annotated[bool, typer.Option("--json", help="Write JSON for a program.")] = False) -> None:
    """List the installed simulators, as sim: addresses have them."""
    from importlib.metadata import entry_points

    names = sorted(entry.name for entry in entry_points(group="labpilot.simulators"))
    print(json.dumps(names) if as_json else "\n".join(names))


@command.command("serve")
def serve_simulator(
    name: Annotated[str, typer.Argument(help="A simulator; `labpilot simulator list` names them.")],
    port: Annotated[int, typer.Option(min=0, max=65535, help="The first TCP port; 0 takes any that is free.")] = 0,
    host: Annotated[str, typer.Option(help="Where TCP ports listen; anything but loopback lets others in.")] = (
        "127.0.0.1"
    ),
    state: Annotated[Path | None, typer.Option(help="Keep the simulated world in this file.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="The seed.")] = 0,
    options: Annotated[str, typer.Option(help="The world's options, as a JSON object.")] = "{}",
) -> int:
    """Serve a simulator in wall time until Ctrl-C; prints the URL of each instrument."""
    try:
        told = json.loads(options)
    except ValueError as error:
        raise InputError(f"--options is no JSON: {error}") from error
    if not isinstance(told, dict):
        raise InputError("--options must be a JSON object, as in '{\"heater_burnt_out_at_s\": 60.0}'")
    try:
        return kit("serve")(name, host=host, port=port, state=state, seed=seed, options=told)
    except (LookupError, ValueError) as error:
        raise InputError(str(error)) from error
    except OSError as error:
        raise InputError(f"{name} cannot be served: {error.strerror or error}; try another --port or --host") from error
