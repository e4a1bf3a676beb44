"""`--set key=value`: where it lands, and where mistakes in it are placed."""

from __future__ import annotations

import pytest

from orchestrator.overrides import overridden, read_override, split_overrides
from orchestrator.yaml_source import InvalidSource, Place, parse_source

TEXT = """\
seed: 0
budget: {trials: 5}
parameters:
  - {name: dwell, low: 1}
  - {name: "1", low: 2}
limits:
  laser.anneal: {dwell: {high: 3}}
"""


def _set(*texts):
    return overridden(parse_source(TEXT, "c.yaml"), [read_override(text) for text in texts])


@pytest.mark.parametrize(
    ("text", "look"),
    [
        ("seed=7", lambda data: data["seed"] == 7),
        ("budget.trials=1e3", lambda data: data["budget"]["trials"] == 1000.0),
        ("budget.duration=2 h", lambda data: data["budget"] == {"trials": 5, "duration": "2 h"}),
        ("parameters.dwell.low=9", lambda data: data["parameters"][0]["low"] == 9),
        ("parameters.0.low=9", lambda data: data["parameters"][0]["low"] == 9),
        ("parameters.1.low=9", lambda data: data["parameters"][1]["low"] == 9),
        ("limits.laser.anneal.dwell.high=4", lambda data: data["limits"]["laser.anneal"]["dwell"] == {"high": 4}),
        ("replay.table=a=b.csv", lambda data: data["replay"] == {"table": "a=b.csv"}),
        ("parameters=[]", lambda data: data["parameters"] == []),
        ("seed=", lambda data: data["seed"] is None),
    ],
    ids=lambda item: item if isinstance(item, str) else "",
)
def test_a_value_lands_at_its_path(text, look):
    source = _set(text)
    assert look(source.data)


def test_the_file_itself_is_untouched():
    before = parse_source(TEXT, "c.yaml")
    overridden(before, [read_override("budget.trials=9")])
    assert before.data["budget"]["trials"] == 5


def test_later_options_win():
    assert _set("seed=1", "seed=2").data["seed"] == 2


def test_values_are_placed_at_their_option():
    source = _set("budget={trials: x}", "new.key.deep=1")
    assert source.place(("budget", "trials")) == Place("--set budget={trials: x}")
    assert source.place(("new",), of_key=True) == Place("--set new.key.deep=1")
    assert source.place(("seed",)) == Place("c.yaml", 1, 7)


def test_every_wrong_path_is_reported():
    with pytest.raises(InvalidSource) as caught:
        _set("parameters.dwel.low=1", "parameters.7.low=1", "seed.x=1")
    assert [str(mistake) for mistake in caught.value.mistakes] == [
        "--set parameters.dwel.low=1: parameters has no item 'dwel'; did you mean 'dwell'?",
        "--set parameters.7.low=1: parameters has no item '7'; known: dwell, 1, 0",
        "--set seed.x=1: seed is the number 0, which has nothing inside",
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("seed", "--set seed: write key=value, as in --set budget.trials=5"),
        ("=5", "--set =5: write key=value"),
        ("a=[", r"--set a=\[: not valid YAML"),
    ],
)
def test_options_that_are_none(text, message):
    with pytest.raises(InvalidSource, match=message):
        read_override(text)


def test_a_long_value_is_shortened_in_messages():
    assert len(read_override(f"a={'x' * 500}").written) < 80


def test_lab_overrides_are_parted():
    campaign, lab = split_overrides([read_override(text) for text in ("lab=l.yaml", "lab.mixed=true", "seed=1")])
    assert [item.key for item in campaign] == ["lab", "seed"]
    assert [item.key for item in lab] == ["mixed"]
