"""`labpilot devices`: the drivers that are installed, and what each can do."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from orchestrator.errors import InputError

if TYPE_CHECKING:
    from drivers.command import CommandSpec

command = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help="List the drivers that are installed, or describe one.",
)

AsJson = Annotated[bool, typer.Option("--json", help="Write JSON for a program.")]


@command.command("list")
def list_drivers(as_json: AsJson = False) -> None:
    """List the installed drivers and their capabilities."""
    from drivers.registry import driver_names

    found = [_driver(name) for name in driver_names()]
    if as_json:
        print(json.dumps(found, indent=2))
        return
    width = max((len(item["name"]) for item in found), default=0)
    for item in found:
        print(f"{item['name']:<{width}}  {item['problem'] or ', '.join(item['capabilities'])}")


@command.command("describe")
def describe_driver(
    name: Annotated[str, typer.Argument(help="An installed driver, or ./file.py:Class.")], as_json: AsJson = False
) -> None:
    """Describe a driver: its capabilities, and its commands with effect, units and limits."""
    found = _driver(name)
    if found["problem"]:
        raise InputError(found["problem"])
    if as_json:
        print(json.dumps(found, indent=2))
        return
    print(f"{found['name']}: {found['summary']}")
    print(f"class         {found['class']}")
    print(f"capabilities  {', '.join(found['capabilities'])}")
    print("commands")
    for item in found["commands"]:
        _print_command(item)


def _driver(name: str) -> dict[str, Any]:
    from drivers.capabilities import capabilities_of
    from drivers.command import command_specs
    from drivers.registry import DriverNotFound, driver_class

    try:
        found = driver_class(name, base=Path())
    except DriverNotFound as error:
        return {"name": name, "problem": str(error), "capabilities": [], "commands": []}
    return {
        "name": name,
        "problem": None,
        "class": f"{found.__module__}:{found.__qualname__}",
        "summary": (found.__doc__ or "").strip().partition("\n")[0],
        "capabilities": capabilities_of(found),
        "commands": [_command(spec) for spec in command_specs(found).values()],
    }


def _command(spec: CommandSpec) -> dict[str, Any]:
    return {
        "name": spec.name,
        "summary": spec.summary,
        "effect": spec.effect.value,
        "verify": spec.verify,
        "timeout_s": spec.timeout_s,
        "late_max_s": spec.late_max_s,
        "arguments": {
            name: {"unit": quantity.unit, "low": quantity.low, "high": quantity.high}
            for name, quantity in spec.arguments.items()
        },
    }


def _print_command(item: dict[str, Any]) -> None:
    settled = f" by {item['verify']}" if item["verify"] else ""
    late = f", effects up to {item['late_max_s']:g} s late" if item["late_max_s"] else ""
    print(f"  {item['name']}: {item['summary']}")
    print(f"      {item['effect']}{settled}; answers within {item['timeout_s']:g} s{late}")
    for name, limits in item["arguments"].items():
        low = "-inf" if limits["low"] is None else f"{limits['low']:g}"
        high = "inf" if limits["high"] is None else f"{limits['high']:g}"
        tail = "" if limits["unit"] == "1" else f" {limits['unit']}"
        print(f"      {name}: {low} to {high}{tail}")
