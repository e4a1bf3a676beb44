"""The whole suite for one driver, in virtual time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib.metadata import entry_points
from typing import Any

from drivers.errors import DriverError
from simulators.conformance import behaviours
from simulators.conformance.bench import Subject
from simulators.conformance.declaration import declaration_cases
from simulators.conformance.results import CaseResult, Report
from simulators.conformance.trial import Clean, clean_run
from simulators.conformance.wire_faults import fault_cases
from simulators.world import WorldFile

WORLDS = "labpilot.simulators"


class NoSimulator(LookupError):
    """The driver's manifest names no simulator that is installed."""


def check_driver(
    driver: type,
    *,
    name: str = "",
    world: Callable[..., Any] | None = None,
    on_result: Callable[[CaseResult], None] | None = None,
) -> Report:
    """Run the suite on a driver class and the simulator that its manifest names.

    Args:
        driver: The class.
        name: What the report calls it.
        world: The simulator's class, where it is not installed.
        on_result: Called after each case.

    Raises:
        NoSimulator: There is no simulator to run it on.
    """
    results = []
    for result in _all_cases(driver, world):
        results.append(result)
        if on_result is not None:
            on_result(result)
    subject_specs = Subject(driver=driver, world=lambda **_: None, instrument="").specs
    effects = {command: str(spec.effect) for command, spec in subject_specs.items()}
    return Report(driver=name or driver.__name__, results=tuple(results), effects=effects)


def subjects_of(driver: type, world: Callable[..., Any] | None = None) -> list[Subject]:
    """Return what to try a driver on: each instrument of its world that speaks one of its wires.

    Raises:
        NoSimulator: There is none.
    """
    manifest = getattr(driver, "manifest", None)
    told, _, wanted = (manifest.simulator if manifest is not None else "").partition("/")
    factory = world or _installed(told)
    wires = manifest.wires if manifest is not None else ()
    instruments = _instruments(factory)
    chosen = [
        name for name, wire in instruments.items() if (not wanted or name == wanted) and (wire in wires or not wires)
    ]
    if not chosen:
        raise NoSimulator(
            f"{driver.__name__} speaks {', '.join(wires) or 'nothing'}, but its simulator has "
            f"{', '.join(f'{name} ({wire})' for name, wire in instruments.items())}"
        )
    return [Subject(driver=driver, world=factory, instrument=name) for name in chosen]


def _installed(name: str) -> Callable[..., Any]:
    found = {entry.name: entry for entry in entry_points(group=WORLDS)}
    if not name:
        raise NoSimulator('the manifest names no simulator: write simulator="NAME", the name of its world')
    if name not in found:
        raise NoSimulator(f"no simulator is called {name!r}; installed are {', '.join(sorted(found))}")
    return found[name].load()


class _Standstill:
    def now_s(self) -> float:
        return 0.0


def _instruments(factory: Callable[..., Any]) -> dict[str, str]:
    try:
        world = factory(state=WorldFile(":memory:"), clock=_Standstill(), seed=0, options={})
    except TypeError as error:
        raise NoSimulator(f"{factory.__name__} is no world: {error}; see simulators/solo.py") from error
    try:
        return {name: instrument.wire for name, instrument in world.instruments.items()}
    finally:
        world.close()


def _all_cases(driver: type, world: Callable[..., Any] | None) -> Iterator[CaseResult]:
    yield from declaration_cases(driver)
    for subject in subjects_of(driver, world):
        for command in subject.specs:
            yield from command_cases(subject, command)


def command_cases(subject: Subject, command: str) -> Iterator[CaseResult]:
    """Try everything that can be tried of one command."""
    try:
        clean = clean_run(subject, command)
    except (DriverError, ValueError, TypeError, LookupError) as error:
        problem = f"it does not even work on a good wire: {type(error).__name__}: {error}"
        yield CaseResult(group="clean", wire=subject.instrument, command=command, problems=(problem,))
        return
    yield CaseResult(group="clean", wire=subject.instrument, command=command, outcome="success")
    if command == "identify":
        yield behaviours.reconnect_case(subject, clean)
    yield from _cases_of_command(subject, command, clean)


def _cases_of_command(subject: Subject, command: str, clean: Clean) -> Iterator[CaseResult]:
    yield from behaviours.limit_cases(subject, command)
    yield behaviours.twice_case(subject, command, clean)
    yield from behaviours.cancel_cases(subject, command, clean)
    yield behaviours.stop_case(subject, command, clean)
    yield behaviours.replay_case(subject, command, clean)
    yield from fault_cases(subject, command, clean)
