"""`labpilot orders`: tell a campaign what to do while it runs, and answer its questions."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from orchestrator.people.giving import Receipt
    from orchestrator.people.state import Asked, DeskState

command = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help="Tell a campaign to pause, go on, stop or abort; skip, hold, override; answer its questions.",
)

EXIT_REFUSED = 3

Directory = Annotated[Path, typer.Argument(help="The campaign directory.")]
Trial = Annotated[int, typer.Argument(min=1, help="The trial's number.")]
Reason = Annotated[str, typer.Option("--reason", help="Why; whoever reads the journal later wants to know.")]
Name = Annotated[str | None, typer.Option("--as", help="Your name, kept beside the operating-system user.")]
Wait = Annotated[float, typer.Option("--wait", min=0.0, help="Seconds to wait until the controller has read it.")]
DeviceOption = Annotated[str | None, typer.Option("--device", help="A device of the lab.")]
Label = Annotated[str, typer.Argument(help="What the area is called.")]
Area = Annotated[
    str,
    typer.Argument(help='As JSON: \'{"box": {"temperature": [600, 700]}}\', or \'{"where": "a + b <= 5"}\'.'),
]
StepOption = Annotated[str | None, typer.Option("--step-kind", help="A kind of step, as recipes call it.")]


@command.command("pause")
def pause(directory: Directory, reason: Reason, name: Name = None, wait: Wait = 5.0) -> int:
    """Finish the steps that are under way and begin none."""
    return give_order(directory, "pause", reason, name, wait)


@command.command("go-on")
def go_on(directory: Directory, reason: Reason, name: Name = None, wait: Wait = 5.0) -> int:
    """Begin steps again after a pause."""
    return give_order(directory, "go-on", reason, name, wait)


@command.command("stop")
def stop(directory: Directory, reason: Reason, name: Name = None, wait: Wait = 5.0) -> int:
    """Finish safely and end; `labpilot resume` goes on later."""
    return give_order(directory, "stop", reason, name, wait)


@command.command("abort")
def abort(directory: Directory, reason: Reason, name: Name = None, wait: Wait = 5.0) -> int:
    """Make the instruments safe now and end. This is software: where people are in danger, press the red button."""
    return give_order(directory, "abort", reason, name, wait)


@command.command("skip")
def skip(directory: Directory, trial: Trial, reason: Reason, name: Name = None, wait: Wait = 5.0) -> int:
    """Give a trial up and put its sample away."""
    return give_order(directory, "skip", reason, name, wait, trial=trial)


@command.command("requeue")
def requeue(directory: Directory, trial: Trial, reason: Reason, name: Name = None, wait: Wait = 5.0) -> int:
    """Make a failed or lost trial again, with a new sample."""
    return give_order(directory, "requeue", reason, name, wait, trial=trial)


@command.command("override")
def override(
    directory: Directory,
    reason: Reason,
    limit: Annotated[str | None, typer.Option(help="A limit, as device.command.argument.")] = None,
    quarantine: Annotated[str | None, typer.Option(help="A device that is in quarantine.")] = None,
    withdraw: Annotated[bool, typer.Option("--withdraw", help="Let it hold again.")] = False,
    name: Name = None,
    wait: Wait = 5.0,
) -> int:
    """Override a limit or a device's quarantine, on your own responsibility."""
    given = {"limit": limit, "quarantine": quarantine, "withdraw": True if withdraw else None}
    return give_order(directory, "override", reason, name, wait, **given)


@command.command("answer")
def answer(
    directory: Directory,
    question: Annotated[str, typer.Argument(help="The question's key; `labpilot orders list` shows them.")],
    choice: Annotated[str, typer.Argument(help="One of its choices.")],
    reason: Reason,
    name: Name = None,
    wait: Wait = 5.0,
) -> int:
    """Answer a question."""
    return give_order(directory, "answer", reason, name, wait, question=question, choice=choice)


@command.command("hold")
def hold(
    directory: Directory,
    reason: Reason,
    device: DeviceOption = None,
    step_kind: StepOption = None,
    name: Name = None,
    wait: Wait = 5.0,
) -> int:
    """Begin no step with a device, or none of a kind; everything else goes on."""
    return give_order(directory, "hold", reason, name, wait, device=device, step_kind=step_kind)


@command.command("release")
def release(
    directory: Directory,
    reason: Reason,
    device: DeviceOption = None,
    step_kind: StepOption = None,
    name: Name = None,
    wait: Wait = 5.0,
) -> int:
    """Use a device, or do steps of a kind, again."""
    return give_order(directory, "release", reason, name, wait, device=device, step_kind=step_kind)


@command.command("set-budget")
def set_budget(
    directory: Directory,
    reason: Reason,
    trials: Annotated[int | None, typer.Option(min=1, help="Trials in all.")] = None,
    duration: Annotated[str | None, typer.Option(help="Time in all, such as '20 d'.")] = None,
    name: Name = None,
    wait: Wait = 5.0,
) -> int:
    """Change what the campaign may cost."""
    return give_order(directory, "set-budget", reason, name, wait, trials=trials, duration_s=_seconds(duration))


@command.command("set-limit")
def set_limit(
    directory: Directory,
    limit: Annotated[str, typer.Argument(help="The limit, as device.command.argument.")],
    reason: Reason,
    low: Annotated[str | None, typer.Option(help="Least value allowed, such as '30 degC'.")] = None,
    high: Annotated[str | None, typer.Option(help="Greatest value allowed, such as '900 degC'.")] = None,
    name: Name = None,
    wait: Wait = 5.0,
) -> int:
    """Make a limit narrower; while a campaign runs, none gets wider."""
    return give_order(directory, "set-limit", reason, name, wait, limit=limit, low=low, high=high)


@command.command("handled")
def handled(
    directory: Directory,
    what: Annotated[str, typer.Argument(help="hardware, planner or restock (a planned one).")],
    reason: Reason,
    name: Name = None,
    wait: Wait = 5.0,
) -> int:
    """Note what you did by hand, so that it is counted."""
    return give_order(directory, "handled", reason, name, wait, what=what)


@command.command("suggest")
def suggest(
    directory: Directory,
    point: Annotated[str, typer.Argument(help="A value for each parameter, as JSON: '{\"temperature\": 650}'.")],
    reason: Reason,
    name: Name = None,
    wait: Wait = 5.0,
) -> int:
    """Have a point tried next, whatever the planner would choose."""
    return give_order(directory, "suggest", reason, name, wait, point=_json("the point", point))


@command.command("forbid")
def forbid(directory: Directory, label: Label, area: Area, reason: Reason, name: Name = None, wait: Wait = 5.0) -> int:
    """Have nothing proposed in an area from now on."""
    return give_order(directory, "forbid", reason, name, wait, label=label, area=_json("the area", area))


@command.command("allow")
def allow(directory: Directory, label: Label, reason: Reason, name: Name = None, wait: Wait = 5.0) -> int:
    """Take back what `forbid` said."""
    return give_order(directory, "allow", reason, name, wait, label=label)


@command.command("hint")
def hint(
    directory: Directory,
    label: Label,
    area: Area,
    confidence: Annotated[float, typer.Option(help="Probability that it holds what is looked for, 0 to 1.")],
    reason: Reason,
    name: Name = None,
    wait: Wait = 5.0,
) -> int:
    """Mark an area as likely; the planner prefers it until results say otherwise."""
    given = {"label": label, "area": _json("the area", area), "confidence": confidence}
    return give_order(directory, "hint", reason, name, wait, **given)


@command.command("forget")
def forget(directory: Directory, label: Label, reason: Reason, name: Name = None, wait: Wait = 5.0) -> int:
    """Take back what `hint` said."""
    return give_order(directory, "forget", reason, name, wait, label=label)


@command.command("list")
def list_orders(directory: Directory) -> None:
    """Show what people have ordered, what waits to be read, and which questions are open."""
    from orchestrator.people.giving import expected
    from orchestrator.people.spool import Spool

    spool = Spool(directory)
    state, _ = expected(directory, spool)
    waiting = {path.stem for path in spool.waiting()}
    by = f", {state.intent_by}" if state.intent_by else ""
    print(f"the campaign is set to {state.intent}{by}")
    for (kind, name), given in sorted(state.held.items()):
        print(f"held: {kind.replace('_', ' ')} {name}, {given}")
    for (kind, name), given in sorted(state.overrides.items()):
        print(f"overridden: {kind} {name}, {given}")
    _print_questions(state)
    for given in state.orders.values():
        mark = "waits" if given.id in waiting else "done" if given.is_done else "refused"
        print(f"{mark:8} {given.kind or 'no order':10} {given}: {given.text}")


def _print_questions(state: DeskState) -> None:
    for asked in state.open_questions():
        print(f"question {asked.question.key}, asked {asked.utc}: {asked.question.text}")
        for choice in asked.question.choices:
            print(f"    {choice.name}: {choice.text}")
        print(f"    {_deadline(asked)}")


def _deadline(asked: Asked) -> str:
    return f"without an answer, {asked.question.default!r} holds {asked.question.deadline_s / 3600.0:.3g} h after that"


def give_order(directory: Path, kind: str, reason: str, name: str | None, wait_s: float, **arguments: Any) -> int:
    """Give an order and tell what came of it; returns the exit code.

    Raises:
        InputError: It is none, or means nothing in this campaign.
    """
    from orchestrator.errors import InputError
    from orchestrator.people.giving import give
    from orchestrator.people.orders import BadOrder, Kind, new_order

    try:
        order = new_order(Kind(kind), reason=reason, now=datetime.now(UTC), name=name, **arguments)
    except BadOrder as error:
        raise InputError(str(error)) from None
    return _told(give(directory, order, within_s=wait_s), directory)


def _json(what: str, text: str) -> Any:
    from orchestrator.errors import InputError

    try:
        return json.loads(text)
    except ValueError as error:
        raise InputError(f'{what} must be JSON, such as {{"temperature": 650}}: {error}') from None


def _seconds(duration: str | None) -> float | None:
    from orchestrator import units
    from orchestrator.errors import InputError

    if duration is None:
        return None
    try:
        found = units.measure(duration)
        return units.convert(found.value, found.unit, "s")
    except units.UnitError as error:
        raise InputError(f"--duration: {error}") from None


def _told(receipt: Receipt, directory: Path) -> int:
    if receipt.given is not None:
        print(f"{'done' if receipt.given.is_done else 'refused'}: {receipt.given.text}")
        return 0 if receipt.given.is_done else EXIT_REFUSED
    if receipt.is_controlled:
        print(f"order {receipt.order.id} is given, and was not read yet; `labpilot orders list {directory}` shows it")
    else:
        print(
            f"order {receipt.order.id} is given, but no controller runs: it is read at the next start, "
            f"`labpilot resume {directory}`"
        )
    return 0
