"""Every instrument in the box under every fault, and the page that says so."""

from pathlib import Path

import pytest

from drivers.registry import driver_class
from simulators.conformance import check_driver
from simulators.conformance.page import effects_line, rows, subjects

PAGE = Path(__file__).parents[3] / "docs" / "conformance.md"


@pytest.mark.parametrize("name", subjects())
def test_an_instrument_conforms_and_its_lines_of_the_page_are_current(name):
    report = check_driver(driver_class(name), name=name)
    assert [(result.command, result.fault, result.at, result.problems) for result in report.failures] == []
    written = PAGE.read_text(encoding="utf-8")
    stale = [line for line in (*rows(report), effects_line(report)) if line not in written]
    assert stale == [], "write it anew: python -m simulators.conformance.page docs/conformance.md"


def test_nothing_in_the_box_leaves_its_outcome_to_a_person():
    operators = {
        name: [command for command, spec in _specs(name).items() if spec.effect == "operator"] for name in subjects()
    }
    assert sum(map(len, operators.values())) <= 3, operators


def _specs(name):
    from drivers.command import command_specs

    return command_specs(driver_class(name))
