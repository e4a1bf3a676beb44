import json
import resource

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from surrogate.registry import ledger as module
from surrogate.registry.errors import NewerRegistry, NotProspective
from surrogate.registry.ledger import Forecast, Ledger, Result, append, decoded, encoded, read, replace

FINITE = st.floats(allow_nan=False, allow_infinity=False)
NAMES = st.text(max_size=20)
FORECASTS = st.builds(
    Forecast,
    trial=st.integers(1, 50),
    target=NAMES,
    model=NAMES,
    version=NAMES,
    mean=FINITE,
    sd=FINITE,
    is_replayed=st.booleans(),
)
RESULTS = st.builds(Result, trial=st.integers(1, 50), target=NAMES, value=st.none() | FINITE, is_replayed=st.booleans())
LINES = st.lists(FORECASTS | RESULTS, max_size=8)


def told(trial=1, model="cold", mean=0.0, sd=1.0, **more):
    return Forecast(trial=trial, target="y", model=model, version=f"{model}-1", mean=mean, sd=sd, **more)


def came(trial=1, value: float | None = 0.5, **more):
    return Result(trial=trial, target="y", value=value, **more)


@given(FORECASTS | RESULTS)
def test_a_line_comes_back_as_it_was(line):
    assert decoded(encoded(line)) == line
    assert encoded(line).count("\n") == 1


@given(LINES, st.data())
@settings(deadline=None)
def test_a_file_that_is_cut_anywhere_keeps_all_its_whole_lines(tmp_path_factory, lines, data):
    path = tmp_path_factory.mktemp("ledger") / "ledger.jsonl"
    append(path, lines, fsync=False)
    if not lines:
        assert not path.exists() and read(path).lines == ()
        return
    raw = path.read_bytes()
    cut = data.draw(st.integers(0, len(raw)))
    path.write_bytes(raw[:cut])
    found = read(path)
    n = max(0, raw[:cut].count(b"\n") - 1)
    assert list(found.lines) == lines[:n]
    assert len(found.problems) == (not raw[:cut].endswith(b"\n") and cut > 0)


@given(LINES.filter(len), st.data())
@settings(deadline=None)
def test_a_line_that_was_changed_is_named_and_the_others_stand(tmp_path_factory, lines, data):
    path = tmp_path_factory.mktemp("ledger") / "ledger.jsonl"
    replace(path, lines, fsync=False)
    rows = path.read_text().splitlines(keepends=True)
    which = data.draw(st.integers(1, len(lines)))
    changed = json.loads(rows[which])
    changed["trial"] += 1
    rows[which] = json.dumps(changed, sort_keys=True) + "\n"
    path.write_text("".join(rows))
    found = read(path)
    assert list(found.lines) == lines[: which - 1] + lines[which:]
    assert f"line {which + 1}" in found.problems[0]


def test_appending_in_parts_is_as_at_once(tmp_path):
    lines = [told(), told(model="transfer"), came(), told(2)]
    append(tmp_path / "a", lines)
    for line in lines:
        append(tmp_path / "b", [line])
    replace(tmp_path / "c", lines)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes() == (tmp_path / "c").read_bytes()


@given(st.integers(0, 10_000))
@settings(deadline=None)
def test_what_is_added_after_a_torn_line_stands(tmp_path_factory, cut):
    path = tmp_path_factory.mktemp("ledger") / "ledger.jsonl"
    append(path, [told(), told(2)], fsync=False)
    raw = path.read_bytes()
    cut = cut % (1 + len(raw))
    path.write_bytes(raw[:cut])
    append(path, [told(3)], fsync=False)
    assert read(path).lines[-1] == told(3)
    assert len(read(path).lines) >= max(0, raw[:cut].count(b"\n") - 1) + 1


def test_a_full_disk_takes_all_of_what_is_added_or_nothing(tmp_path):
    path = tmp_path / "ledger.jsonl"
    append(path, [told()])
    before, limit = path.read_bytes(), resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) + 10, limit[1]))
    try:
        with pytest.raises(OSError, match="File too large"):
            append(path, [told(2), told(3)])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
    assert path.read_bytes() == before


def test_a_later_format_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "HEAD", {**module.HEAD, "format": 2})
    append(tmp_path / "ledger.jsonl", [told()])
    with pytest.raises(NewerRegistry, match="format 2.*update labpilot"):
        read(tmp_path / "ledger.jsonl")


def test_a_result_is_worth_what_each_model_said_before_it():
    ledger = Ledger.of([told(mean=0.0), told(model="transfer", mean=0.5)])
    assert ledger.is_open(1, "y") and ledger.open_targets(1) == ["y"]
    found = ledger.add(came(value=0.5))
    assert found is not None and found.scores["transfer"] > found.scores["cold"]
    assert found.pits["transfer"] == pytest.approx(0.5)
    assert not ledger.is_open(1, "y") and ledger.results == [found]


def test_a_forecast_after_its_result_proves_nothing():
    ledger = Ledger.of([told(), came()])
    with pytest.raises(NotProspective, match="after its result"):
        ledger.add(told(model="transfer"))
    with pytest.raises(NotProspective, match="twice"):
        Ledger.of([told(), told(mean=3.0)])


def test_a_trial_without_a_value_is_closed_and_not_scored():
    ledger = Ledger.of([told(), came(value=None)])
    assert ledger.results == [] and not ledger.is_open(1, "y")
    assert ledger.add(came(value=1.0)) is None and ledger.results == []


class Book(RuleBasedStateMachine):
    """Forecasts and results in any order and any number of times."""

    def __init__(self):
        super().__init__()
        self.ledger, self.first = Ledger(), {}
        self.closed = {}

    @rule(trial=st.integers(1, 4), model=st.sampled_from(["cold", "transfer"]), mean=st.sampled_from([0.0, 1.0]))
    def foretell(self, trial, model, mean):
        line = told(trial, model, mean)
        is_late = trial in self.closed
        is_other = self.first.get((trial, model), line) != line
        if is_late or is_other:
            with pytest.raises(NotProspective):
                self.ledger.add(line)
            return
        self.first[trial, model] = line
        self.ledger.add(line)

    @precondition(lambda self: self.first)
    @rule(trial=st.integers(1, 4), value=st.none() | st.floats(-3, 3))
    def come(self, trial, value):
        is_foretold = any(number == trial for number, _ in self.first)
        found = self.ledger.add(came(trial, value))
        if trial in self.closed or not is_foretold:
            assert found is None
        else:
            self.closed[trial] = value
            assert (found is None) == (value is None)

    @invariant()
    def folding_the_lines_again_gives_the_same(self):
        again = Ledger.of(self.ledger.lines)
        assert again.results == self.ledger.results and again.lines == self.ledger.lines
        assert len(self.ledger.results) == sum(value is not None for value in self.closed.values())


TestBook = Book.TestCase
