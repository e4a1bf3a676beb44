"""What a driver must declare, checked without a wire."""

from __future__ import annotations

import inspect
from collections.abc import Iterator

from drivers.capabilities import capabilities_of
from drivers.command import CommandSpec, Effect, command_specs
from drivers.manifest import missing_facts
from simulators.conformance.results import CaseResult

PLAIN = frozenset({"connect", "close"})
"""Public methods that are no commands."""


def declaration_cases(driver: type) -> Iterator[CaseResult]:
    """Check the manifest and every command's declaration."""
    missing = missing_facts(getattr(driver, "manifest", None))
    yield CaseResult(
        group="declaration",
        command="manifest",
        problems=tuple(f"the manifest says nothing of {name}" for name in missing),
    )
    specs = command_specs(driver)
    for name, problems in _undeclared(driver, specs).items():
        yield CaseResult(group="declaration", command=name, problems=problems)
    yield CaseResult(group="declaration", command="class", problems=tuple(_of_class(driver, specs)))
    for name, spec in specs.items():
        yield CaseResult(group="declaration", command=name, problems=tuple(_of_command(driver, spec, specs)))


def _undeclared(driver: type, specs: dict[str, CommandSpec]) -> dict[str, tuple[str, ...]]:
    public = [
        name
        for name, method in inspect.getmembers(driver, inspect.iscoroutinefunction)
        if not name.startswith("_") and name not in PLAIN and name not in specs
    ]
    return dict.fromkeys(public, ("an async method that declares no effect: make it a @command",))


def _of_class(driver: type, specs: dict[str, CommandSpec]) -> Iterator[str]:
    if not inspect.getdoc(driver):
        yield "the class has no docstring"
    if "Device" not in capabilities_of(driver):
        yield "it is no Device: it needs connect, identify and close"
    acting = [name for name, spec in specs.items() if spec.effect is not Effect.READ]
    if acting and "stop" not in specs and not getattr(driver, "nothing_to_stop", ""):
        yield "it acts and cannot be stopped: write stop(), or say in `nothing_to_stop` why there is nothing to stop"


def _of_command(driver: type, spec: CommandSpec, specs: dict[str, CommandSpec]) -> Iterator[str]:
    if not spec.summary.endswith("."):
        yield "it has no docstring whose first line is a sentence"
    if spec.verify is not None and specs.get(spec.verify) is None:
        yield f"its read-back {spec.verify} is no command"
    elif spec.verify is not None and specs[spec.verify].effect is not Effect.READ:
        yield f"its read-back {spec.verify} is no READ"
    if spec.recall is not None and (spec.recall not in specs or specs[spec.recall].effect is not Effect.READ):
        yield f"what it answered is told again by {spec.recall}, which is no READ"
    for name in spec.after:
        if name not in specs:
            yield f"it comes after {name!r}, which is no command"
    yield from _of_arguments(driver, spec)


def _of_arguments(driver: type, spec: CommandSpec) -> Iterator[str]:
    parameters = inspect.signature(getattr(driver, spec.name)).parameters
    needed = [
        name
        for name, parameter in parameters.items()
        if name not in ("self", "tag") and parameter.default is inspect.Parameter.empty
    ]
    missing = [name for name in needed if name not in spec.example]
    if missing:
        yield f"its example leaves out {', '.join(missing)}"
    for name in spec.example:
        if name not in parameters:
            yield f"its example has {name!r}, which is no argument"
    for name, parameter in parameters.items():
        hint = str(parameter.annotation)
        if name not in spec.arguments and ("float" in hint and "Annotated" not in hint and "Mapping" not in hint):
            yield f"argument {name!r} is a number without unit and limits"
    for name, quantity in spec.arguments.items():
        if spec.effect is not Effect.READ and (quantity.low is None or quantity.high is None):
            yield f"argument {name!r} has no limits"
