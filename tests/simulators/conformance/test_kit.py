"""The kit itself: a good driver passes, and each way of being wrong is found."""

import importlib.util
from pathlib import Path

import pytest

from simulators.conformance import check_driver
from simulators.conformance.declaration import declaration_cases


def _toys():
    spec = importlib.util.spec_from_file_location("labpilot_toy", Path(__file__).with_name("toy.py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


toy = _toys()


def problems(driver):
    return [problem for result in check_driver(driver, world=toy.ToyWorld).failures for problem in result.problems]


def test_a_good_driver_passes_and_everything_was_tried():
    report = check_driver(toy.GoodToy, world=toy.ToyWorld)
    assert report.failures == []
    assert report.n_cases > 100
    assert {result.group for result in report.results} >= {
        "declaration", "clean", "limits", "faults", "twice", "cancel", "stop", "reconnect", "replay",
    }  # fmt: skip
    assert report.settling_share() == 1.0 and report.settled_share() == 1.0
    table = report.table()
    assert table["set_temperature"]["drop reply"].startswith("ok") and table["identify"]["wrong unit"] == "-"


@pytest.mark.parametrize(
    ("driver", "found"),
    [
        (toy.SwallowsDoubt, "reported success, but the device did not do it"),
        (toy.CallsItUnread, "says that nothing was done, but the device did it"),
        (toy.LyingReadBack, "is_set says True, but the device did not do it"),
        (toy.RepeatsPulses, "the second call did pulse"),
        (toy.RepeatsPulses, "done 2 times: pulse"),
        (toy.Hangs, "no outcome within"),
    ],
    ids=lambda value: value.__name__ if isinstance(value, type) else value[:20],
)
def test_each_way_of_being_wrong_is_found(driver, found):
    assert any(found in problem for problem in problems(driver)), problems(driver)


def test_half_a_number_is_found():
    assert any("a wrong value was accepted" in problem for problem in problems(toy.TakesHalfNumbers))


def test_numbers_without_limits_are_found():
    told = [problem for result in declaration_cases(toy.Clamps) for problem in result.problems]
    assert "argument 'target_c' is a number without unit and limits" in told


def test_what_is_not_declared_is_found():
    told = " ".join(problem for result in declaration_cases(toy.Undeclared) for problem in result.problems)
    assert "the manifest says nothing of manifest" in told
    assert "declares no effect" in told
    assert "cannot be stopped" in told
