"""The book of a campaign's models, folded from events."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.events import Event
from orchestrator.models.book import Book, value_of
from orchestrator.records import TrialRecord
from planner.live import LiveModel
from surrogate.registry.errors import NotProspective


def live(told, code="labpilot 1", data="d"):
    return LiveModel(
        kind="cold/1",
        data_sha256=f"{data}{told}",
        rows=told,
        told=told,
        ranges={},
        sources=(),
        hyperparameters={},
        code=code,
        device="cpu",
        layout={},
        arrays={},
    )


def trial(number, outcome="measured", **parameters):
    return TrialRecord(
        number=number,
        parameters=parameters or {"x": 0.5},
        ask=0,
        is_control=False,
        proposal_id=None,
        outcome=outcome,
    )


def finding(value, **parameters):
    return {"parameters": parameters or {"x": 0.5}, "values": {"y": value}, "sd": {}}


def event(kind, body):
    return Event(seq=1, kind=kind, at_s=0.0, utc="2026-01-01T00:00:00+00:00", body=body)


def ask(book, index, models, forecasts):
    """Return what an ``asked`` event would say, and take it in."""
    body = {"index": index, "models": book.part_of_ask(models, forecasts, 7)}
    book.asked(body, "2026-01-01T00:00:00+00:00")
    return body


def both(mean=0.0):
    return {"cold": {"y": [0.0, 1.0]}, "transfer": {"y": [mean, 1.0]}}


def test_a_version_is_kept_when_its_model_has_learnt_enough():
    book = Book()
    for index, told in enumerate([1, 1, 2, 3, 60, 61, 62, 63]):
        ask(book, index, {"cold": live(told)}, {})
    assert [(one.name, one.told, one.said["parent"]) for one in book.versions.values()] == [
        ("cold-1", 1, None),
        ("cold-2", 2, "cold-1"),
        ("cold-3", 3, "cold-2"),
        ("cold-4", 60, "cold-3"),
        ("cold-5", 63, "cold-4"),
    ]
    assert book.versions["cold-5"].said["why"] == "it knows 63 observations, the one before 60"


def test_a_version_is_kept_when_the_code_has_changed():
    book = Book()
    ask(book, 0, {"cold": live(100)}, {})
    ask(book, 1, {"cold": live(101)}, {})
    ask(book, 2, {"cold": live(101, code="labpilot 2")}, {})
    assert list(book.versions) == ["cold-1", "cold-2"]
    assert book.versions["cold-2"].said["why"] == "made by labpilot 2, the one before by labpilot 1"


def test_the_model_with_sources_leads_first_and_loses_that_at_once():
    book = Book()
    assert book.champion is None
    ask(book, 0, {"transfer": live(0), "cold": live(1)}, {n: both(mean=9.0) for n in range(1, 4)})
    assert book.champion == "transfer" and book.models == ["transfer", "cold"]
    book.told([trial(1)], {1: [finding(0.0)]})
    assert book.champion == "cold"
    assert "transfer had lost" in book.standing.changes[0].why
    ask(book, 1, {"transfer": live(50), "cold": live(51)}, {})
    ask(book, 2, {"transfer": live(51), "cold": live(52)}, {})
    assert [one.said["why"] for one in book.versions.values()][2:] == ["cold leads since trial 1"] * 2


def test_a_campaign_with_one_model_has_nobody_to_hold_against_another():
    book = Book()
    ask(book, 0, {"cold": live(5)}, {1: {"cold": {"y": [0.0, 1.0]}}})
    book.told([trial(1)], {1: [finding(0.3)]})
    assert book.champion == "cold" and book.verdicts() == [] and book.gain()[0] == 0.0


@pytest.mark.parametrize(
    ("record", "findings", "value"),
    [
        (trial(1), [finding(2.0)], 2.0),
        (trial(1), [finding(2.0, x=0.7)], None),
        (trial(1), [finding(2.0, x=0.7), finding(3.0)], 3.0),
        (trial(1), [finding(2.0), finding(3.0)], 2.0),
        (trial(1), [finding(2.0, x=0.5 * (1.0 + 1e-13))], 2.0),
        (trial(1), [], None),
        (trial(1, outcome="failed"), [finding(2.0)], None),
        (trial(1, outcome="lost"), [], None),
        (trial(1, x="water"), [finding(2.0, x="water")], 2.0),
        (trial(1), [{"parameters": {"x": 0.5}, "values": {"z": 1.0}, "sd": {}}], None),
    ],
)
def test_what_counts_is_the_first_value_at_the_trials_own_point(record, findings, value):
    assert value_of(record, findings, "y") == value


def test_a_lost_trial_closes_its_forecasts_and_is_not_scored():
    book = Book()
    ask(book, 0, {"cold": live(5)}, {1: {"cold": {"y": [0.0, 1.0]}}})
    (line,) = book.told([trial(1, outcome="lost")], {})
    assert line.value is None and book.ledger.results == [] and book.told([trial(1)], {1: [finding(1.0)]}) == []


def test_a_journal_of_an_earlier_labpilot_says_nothing():
    events = [event("asked", {"index": 0, "trials": []}), event("told", {"trials": [1]})]
    book = Book.of(events, [trial(1)], {1: [finding(1.0)]})
    assert book.champion is None and book.ledger.lines == []


def test_replayed_results_come_before_all_others_and_carry_no_version():
    book = Book()
    body = {"models": ["cold", "transfer"], "results": [{"values": {"y": 0.2}, "forecasts": both()}] * 3}
    book.replayed(body)
    assert book.champion == "transfer" and len(book.ledger.results) == 3
    assert all(one.is_replayed for one in book.ledger.results)
    assert book.gain() == (0, 0) and book.calibration("cold") is None
    ask(book, 0, {"cold": live(5), "transfer": live(5)}, {1: both()})
    book.told([trial(1)], {1: [finding(1.0)]})
    assert book.gain() == (0.0, 1)


def test_a_forecast_that_comes_after_its_result_is_refused():
    book = Book()
    ask(book, 0, {"cold": live(5)}, {1: {"cold": {"y": [0.0, 1.0]}}})
    book.told([trial(1)], {1: [finding(1.0)]})
    with pytest.raises(NotProspective):
        ask(book, 1, {"transfer": live(5)}, {1: {"transfer": {"y": [0.0, 1.0]}}})


@given(st.lists(st.tuples(st.floats(-3, 3), st.floats(-3, 3), st.booleans()), max_size=25))
@settings(max_examples=40, deadline=None)
def test_folding_the_journal_gives_what_the_running_campaign_had(steps):
    book, events, trials, findings = Book(), [], [], {}
    for number, (mean, value, is_measured) in enumerate(steps, start=1):
        models = {"transfer": live(number - 1), **({"cold": live(number)} if number > 1 else {})}
        told = {name: targets for name, targets in both(mean).items() if name in models}
        events.append(event("asked", ask(book, number - 1, models, {number: told})))
        trials.append(trial(number, outcome="measured" if is_measured else "lost"))
        findings[number] = [finding(value)]
        book.told(trials[-1:], findings)
        events.append(event("told", {"trials": [number]}))
    again = Book.of(events, trials, findings)
    assert again.standing == book.standing and again.versions == book.versions
    assert again.ledger.lines == book.ledger.lines and again.verdicts() == book.verdicts()
