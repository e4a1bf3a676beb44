"""`labpilot driver`: write a driver from a scaffold, and check one against its simulator or its device."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from orchestrator.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable

command = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help="Write a new driver, or check one.",
)

KITS = "labpilot.kits"


@command.command("check")
def check_driver(
    name: Annotated[str, typer.Argument(help="An installed driver, or ./file.py:Class.")],
    url: Annotated[str | None, typer.Option(help="Check the device at this address and not the simulator.")] = None,
    world: Annotated[str | None, typer.Option(help="./file.py:Class of a simulator that is not installed.")] = None,
    read_only: Annotated[bool, typer.Option("--read-only", help="Only read; the rule for --url anyway.")] = False,
    allow_actuation: Annotated[
        bool, typer.Option("--allow-actuation", help="Let the device at --url move and heat, this once.")
    ] = False,
    only: Annotated[list[str] | None, typer.Option(help="With --url: only this command; may be repeated.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Write JSON for a program.")] = False,
) -> int:
    """Run the conformance suite: every command under every fault. Ends with 3 if something is wrong."""
    from drivers.registry import class_at, driver_class

    if read_only and allow_actuation:
        raise InputError("--read-only and --allow-actuation exclude each other")
    if allow_actuation and url is None:
        raise InputError("--allow-actuation is for a device at --url; a simulator is always acted upon")
    driver = driver_class(name, base=Path())
    _refuse_only(driver, only or [], url, allow_actuation=allow_actuation)
    if url is not None:
        report = kit("live")(driver, url, name=name, allow_actuation=allow_actuation, only=only or ())
    else:
        try:
            simulator = None if world is None else class_at(world, base=Path())
            report = kit("conformance")(driver, name=name, world=simulator)
        except LookupError as error:
            raise InputError(str(error)) from error
    if as_json:
        print(json.dumps(report.as_dict(), indent=1))
    else:
        print_report(report)
    return 0 if report.has_passed else 3


@command.command("new")
def new_driver(
    name: Annotated[str, typer.Argument(help="The driver's name, as in acme-heater.")],
    link: Annotated[str, typer.Option(help="How the device is reached: serial, tcp, modbus+rtu, modbus+tcp or http.")],
    capability: Annotated[str, typer.Option(help="What it can do; `labpilot driver new --help` lists what is known.")],
    out: Annotated[Path, typer.Option(help="Where the package's folder is made.")] = Path(),
) -> None:
    """Write a package with a driver, a simulator, tests and a page; it passes its tests as it is."""
    from orchestrator.scaffold import write_package

    folder = write_package(name, link=link, capability=capability, out=out)
    print(f"{folder} holds a driver, its simulator, tests and a page. Next:")
    print(f"  pip install -e {folder}")
    print(f"  labpilot driver check {name}")


def _refuse_only(driver: type, only: list[str], url: str | None, *, allow_actuation: bool) -> None:
    """Refuse to check nothing."""
    from drivers.command import Effect, command_specs

    if only and url is None:
        raise InputError("--only is for a device at --url; a simulator is tried whole")
    specs = command_specs(driver)
    for name in only:
        if name not in specs:
            raise InputError(f"--only {name!r}: the driver has no such command; it has {', '.join(specs)}")
        if specs[name].effect is not Effect.READ and not allow_actuation:
            raise InputError(f"--only {name!r}: it acts; add --allow-actuation if the device may move and heat now")


def kit(name: str) -> Callable[..., Any]:
    """Return a part of the conformance kit, found by entry point.

    Raises:
        InputError: labpilot is not installed as a whole.
    """
    from importlib.metadata import entry_points

    found = {entry.name: entry for entry in entry_points(group=KITS)}
    if name not in found:
        raise InputError(f"the conformance kit ({KITS}: {name}) is not installed; install labpilot again")
    return found[name].load()


def print_report(report: Any) -> None:
    """Print the table of commands and faults, what went wrong, and what share settles itself."""
    from rich.console import Console
    from rich.table import Table

    console = Console(width=None)
    table = Table("command", "effect", "faults tried", "went wrong", title=f"{report.driver}: commands under faults")
    for command_name, cells in report.table().items():
        tried = [cell for cell in cells.values() if cell != "-"]
        wrong = [fault for fault, cell in cells.items() if cell.startswith("FAIL")]
        table.add_row(
            command_name, report.effects.get(command_name, ""), str(len(tried)), ", ".join(wrong) or "nothing"
        )
    if report.table():
        console.print(table)
    for result in report.failures:
        where = " ".join(part for part in (result.wire, result.command, result.fault) if part)
        problems = "; ".join(result.problems)
        console.print(f"FAIL {result.group}: {where} at exchange {result.at}: {problems}", markup=False)
    console.print(
        f"{report.n_cases} cases, {len(report.failures)} went wrong. Of the commands that act, "
        f"{100 * report.settling_share():.0f} % settle themselves when their outcome is unknown; "
        f"{100 * report.settled_share():.0f} % of the faults ended without a person."
    )
