"""The kit as a pytest plugin: ``pytest --labpilot-driver acme-heater`` runs a driver's suite, a test for each command.

A driver is named as in a lab file: an installed entry point, or ``./file.py:Class``; ``--labpilot-world`` names the
simulator's class where it is not installed.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from simulators.conformance.results import CaseResult


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options."""
    group = parser.getgroup("labpilot", "conformance of instrument drivers")
    group.addoption(
        "--labpilot-driver", action="append", default=[], metavar="NAME", help="run the conformance suite of a driver"
    )
    group.addoption("--labpilot-world", default=None, metavar="FILE:CLASS", help="its simulator, if not installed")


def pytest_collection_modifyitems(session: pytest.Session, config: pytest.Config, items: list[pytest.Item]) -> None:
    """Add the tests of the drivers that were named."""
    for name in config.getoption("--labpilot-driver") or ():
        items += _items(session, name, config.getoption("--labpilot-world"))


def _items(session: pytest.Session, name: str, world: str | None) -> Iterator[pytest.Item]:
    from drivers.registry import class_at, driver_class
    from simulators.conformance.suite import subjects_of

    try:
        driver = driver_class(name, base=Path())
        simulator = None if world is None else class_at(world, base=Path())
        subjects = subjects_of(driver, simulator)
    except LookupError as error:
        raise pytest.UsageError(f"--labpilot-driver: {error}") from error
    yield ConformanceItem.from_parent(session, name=f"{name}::declaration", driver=driver)
    for subject in subjects:
        for command in subject.specs:
            label = f"{name}::{subject.instrument}::{command}"
            yield ConformanceItem.from_parent(session, name=label, driver=driver, subject=subject, command=command)


class ConformanceItem(pytest.Item):
    """All cases of one command, or of the declaration."""

    def __init__(self, *, driver: type, subject: Any = None, command: str = "", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._driver = driver
        self._subject = subject
        self._command = command

    def runtest(self) -> None:
        """Try the cases; every one that went wrong is told."""
        failures = [result for result in self._cases() if result.problems]
        if failures:
            pytest.fail("\n".join(_told(result) for result in failures), pytrace=False)

    def _cases(self) -> Iterator[CaseResult]:
        from simulators.conformance.declaration import declaration_cases
        from simulators.conformance.suite import command_cases

        if self._subject is None:
            return declaration_cases(self._driver)
        return command_cases(self._subject, self._command)

    def reportinfo(self) -> tuple[Path, int | None, str]:
        """Return where it is from, as pytest shows it."""
        return self.path, None, self.name


def _told(result: CaseResult) -> str:
    where = " ".join(part for part in (result.command, result.fault) if part)
    return f"{result.group}: {where} at exchange {result.at}: {'; '.join(result.problems)}"
