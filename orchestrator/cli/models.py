"""`labpilot models`: which model leads, by what each foretold; its versions; and going back to one."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from orchestrator.cli.orders import Name, Reason, Wait, give_order

if TYPE_CHECKING:
    from orchestrator.models.book import Version
    from orchestrator.models.listing import Listed

command = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help="Say which model of a campaign leads, list and compare versions, and go back to one.",
)

Directory = Annotated[Path, typer.Argument(help="The campaign directory.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON (docs/models.md describes it).")]


@command.command("list")
def list_models(directory: Directory, as_json: Json = False) -> None:
    """Show who leads and why, and every version that was kept."""
    from orchestrator.models.listing import listed

    found = listed(directory)
    if as_json:
        print(json.dumps(found.as_json(), indent=1, allow_nan=False))
        return
    _tell_listed(found)


@command.command("show")
def show(
    directory: Directory,
    version: Annotated[str, typer.Argument(help="A version, such as transfer-3; `labpilot models list` shows them.")],
    as_json: Json = False,
) -> None:
    """Say what a version was made of, by what, when and why."""
    from dataclasses import asdict

    from orchestrator.models.listing import described

    found, file = described(directory, version)
    if as_json:
        print(json.dumps({**asdict(found), **file}, indent=1, allow_nan=False))
        return
    _tell_version(found, file)


@command.command("compare")
def compare(
    directory: Directory,
    first: Annotated[str, typer.Argument(help="A model (cold, transfer) or a version (cold-2).")],
    second: Annotated[str, typer.Argument(help="Another one of the same sort.")],
    as_json: Json = False,
) -> None:
    """Say how far two models are apart by results that neither had seen, and which experiments decided."""
    from orchestrator.models.comparing import compared

    found = compared(directory, first, second)
    print(json.dumps(found.as_json(), indent=1, allow_nan=False) if as_json else str(found))


@command.command("rollback")
def rollback(
    directory: Directory,
    to: Annotated[str, typer.Option("--to", help="A version; or 'rule', to let the policy decide again.")],
    reason: Reason,
    name: Name = None,
    wait: Wait = 5.0,
) -> int:
    """Have points chosen with the model of a version from the next ask on; it goes on learning."""
    return give_order(directory, "rollback", reason, name, wait, version=to)


def _tell_listed(found: Listed) -> None:
    from orchestrator.models.standing import NOTHING, said_of
    from orchestrator.words import plural

    status = found.status
    print(NOTHING if status is None else f"models: {status}")
    for one in status.challengers if status else ():
        print(f"challenger: {one['reason']}")
    for one in status.changes if status else ():
        print(f"after trial {one['trial']}: {one['model']} leads, no longer {one['before']} ({one['why']})")
    for text in status.alarms if status else ():
        print(f"ALARM {text}")
    for one in status.models if status else ():
        if one.calibration is not None and not one.calibration["alarms"]:
            print(f"{one.model}: 90 % intervals held {one.calibration['coverage_90']:.0%}; {said_of(one.told)}")
    leads = None if status is None else status.version
    for version in found.versions:
        mark = "*" if version.name == leads else " "
        file = "" if version.name in found.whole else "  (no file)"
        print(
            f"{mark} {version.name:12} {plural(version.told, 'observation'):>18}  {version.created_utc[:19]}  "
            f"{version.said['why']}{file}"
        )
    for problem in found.problems:
        print(f"problem: {problem}")


def _fitted(told: Mapping[str, Any]) -> Iterator[str]:
    """Say hyperparameters in words, to four digits; `--json` has them all."""
    for name, value in told.items():
        if isinstance(value, Mapping):
            yield f"{name}: {', '.join(_fitted(value))}"
        elif isinstance(value, Sequence) and not isinstance(value, str):
            yield f"{name} {', '.join(f'{one:.4g}' for one in value)}"
        else:
            yield f"{name} {value:.4g}" if isinstance(value, float) else f"{name} {value}"


def _tell_version(version: Version, file: Any) -> None:
    from orchestrator.models.standing import said_of

    said = version.said
    facts = {
        "model": f"{version.model} ({said['kind']})",
        "kept": f"{version.created_utc[:19]} UTC, at ask {version.ask + 1}: {said['why']}",
        "parent": said["parent"] or "none",
        "knows": f"{said['rows']} values of {said['told']} observations",
        "code": said["code"],
        "seed": f"{said['seed']}, on {said['device']}",
        "key": version.key,
        "data": said["data_sha256"],
        "file": file.get("file") or f"none: {file['problem']}",
    }
    for name, text in facts.items():
        print(f"{name:8} {text}")
    for name, (low, high, unit) in said["ranges"].items():
        print(f"range    {name}: {low:.6g} to {high:.6g}{'' if unit in ('', '1') else f' {unit}'}")
    for name, digest in said["sources"]:
        print(f"source   {name}: sha256 {digest}")
    for target, told in said["hyperparameters"].items():
        print(f"fitted   {target}: {'; '.join(_fitted(told))}")
    calibration = said["calibration"]
    if calibration is None:
        print("held     too few results to judge its intervals")
        return
    held = ", ".join(f"{calibration[f'coverage_{level}']:.0%} in {level} % intervals" for level in (50, 90, 95))
    print(
        f"held     of the last {calibration['n']} results before it: {held}; KS {calibration['ks']:.2f} "
        f"(p {calibration['ks_p']:.2g}), calibration error {calibration['ece']:.2f}"
    )
    if told := calibration.get("told"):
        print(f"told     {said_of(told)}")
