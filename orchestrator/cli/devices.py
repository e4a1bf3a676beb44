"""`labpilot devices`: the drivers that are installed, and what each can do."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from orchestrator.errors import InputError

if TYPE_CHECKING:
    from drivers.command import CommandSpec, Quantity

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
    if found["manifest"]:
        _print_manifest(found["manifest"])
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
        return {"name": name, "problem": str(error), "capabilities": [], "manifest": None, "commands": []}
    manifest = getattr(found, "manifest", None)
    return {
        "name": name,
        "problem": None,
        "class": f"{found.__module__}:{found.__qualname__}",
        "summary": (found.__doc__ or "").strip().partition("\n")[0],
        "capabilities": capabilities_of(found),
        "manifest": None if manifest is None else asdict(manifest),
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
        "arguments": {name: _quantity(quantity) for name, quantity in spec.arguments.items()},
        "returns": None if spec.returns is None else _quantity(spec.returns),
        "example": dict(spec.example),
        "after": list(spec.after),
    }


def _quantity(quantity: Quantity) -> dict[str, Any]:
    return {"unit": quantity.unit, "low": quantity.low, "high": quantity.high, "tolerance": quantity.tolerance}


def _print_manifest(manifest: dict[str, Any]) -> None:
    print(f"device        {manifest['maker']} {manifest['model']}")
    print(f"links         {', '.join(manifest['wires'])}")
    print(f"protocol      {manifest['manual']}")
    if manifest["unverified"]:
        print(f"UNVERIFIED    {manifest['unverified']}")
    print(f"host silent   {manifest['if_host_dies']}")
    if manifest["simulator"]:
        print(f"simulator     sim:{manifest['simulator']}")


def _print_command(item: dict[str, Any]) -> None:
    settled = f" by {item['verify']}" if item["verify"] else ""
    late = f", effects up to {item['late_max_s']:g} s late" if item["late_max_s"] else ""
    print(f"  {item['name']}: {item['summary']}")
    print(f"      {item['effect']}{settled}; answers within {item['timeout_s']:g} s{late}")
    for name, limits in item["arguments"].items():
        print(f"      {name}: {_range(limits)}")
    if item["returns"]:
        print(f"      returns {_range(item['returns'])}")
    if item["after"]:
        print(f"      after {', '.join(item['after'])}")


def _range(limits: dict[str, Any]) -> str:
    low = "-inf" if limits["low"] is None else f"{limits['low']:g}"
    high = "inf" if limits["high"] is None else f"{limits['high']:g}"
    within = f", within {limits['tolerance']:g}" if limits["tolerance"] else ""
    unit = "" if limits["unit"] == "1" else f" {limits['unit']}"
    return f"{low} to {high}{unit}{within}"
