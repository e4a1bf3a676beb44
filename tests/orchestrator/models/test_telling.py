"""Predictions are told as sure as results have shown them to be."""

import pytest

from orchestrator.check import Ready
from orchestrator.explaining import _standing_at, explained
from orchestrator.history import read_standing
from orchestrator.models.book import KINDS, Book
from orchestrator.models.telling import Told, told_by
from orchestrator.people.state import DeskState
from orchestrator.reading import open_reading
from planner import Prediction, Proposal
from tests.orchestrator.models.test_book import ask, finding, live, trial
from tests.orchestrator.test_direction import of
from tests.orchestrator.test_doubts import campaign
from tests.orchestrator.test_journeys import events_of

DOUBTED = {"sources": {"standing": "doubted"}}
LEFT = {"sources": {"standing": "left alone"}}


def book_with(z, *, models=("cold",)):
    """Return a book of models that expected 0 +- 1, and got z."""
    book = Book()
    for number, value in enumerate(z, start=1):
        ask(
            book,
            number - 1,
            {name: live(number) for name in models},
            {number: {name: {"y": [0.0, 1.0 + 4.0 * (name == "transfer")]} for name in models}},
        )
        book.told([trial(number)], {number: [finding(value)]})
    return book


SURE = [3.0, -2.5, 0.5, 4.0, -3.5, 1.0, 2.8, -0.3, -4.2, 3.1]


def test_too_sure_a_model_is_told_wider():
    told = told_by(book_with(SURE), {}, None)
    assert told.model == "cold" and 2.0 < told.of("y") < 4.0
    predictions = {"y": Prediction(mean=7.0, sd=2.0), "z": Prediction(mean=1.0, sd=1.0)}
    found = told.proposal(Proposal(id="0-0", parameters={"x": 1.0}, predictions=predictions)).predictions
    assert found["y"] == Prediction(mean=7.0, sd=2.0 * told.of("y"))
    assert found["z"] == predictions["z"], "nothing is known of it"


def test_few_results_and_right_ones_change_nothing():
    assert told_by(book_with(SURE[:7]), {}, None).times == {}
    assert told_by(book_with([]), {}, None) == Told()
    even = [-1.64, -1.04, -0.67, -0.39, -0.13, 0.13, 0.39, 0.67, 1.04, 1.64]
    assert told_by(book_with(even), {}, None).of("y") == pytest.approx(1.0, abs=0.1)


@pytest.mark.parametrize(
    ("diagnostics", "model"), [({}, "cold"), (DOUBTED, "transfer"), (LEFT, "cold")], ids=["alone", "taken", "left"]
)
def test_each_model_is_told_by_its_own_results(diagnostics, model):
    book = book_with(SURE, models=("transfer", "cold"))
    told = told_by(book, diagnostics, None)
    assert told.model == model
    assert told.of("y") == pytest.approx(book.corrections(model)["y"], abs=1e-3)
    assert book.corrections("cold")["y"] > 2.0 * book.corrections("transfer")["y"]


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    """Run a campaign whose model is far too careful: its values are exact."""
    return campaign(tmp_path_factory.mktemp("told"), robust=True)


def test_predictions_are_told_as_the_results_before_them_say(ran):
    with open_reading(ran) as reading:
        row = reading.campaign()
        history = read_standing(reading.connection).history
    task, events, corrected = Ready.from_data(row.config, row.lab), events_of(ran), set()
    for event in of(events, "asked"):
        if "models" not in event.body:
            continue
        earlier = [one for one in events if one.kind in KINDS and one.seq < event.seq]
        told = event.body["models"]["told_as"]
        expected = Book.of(earlier, history.trials, history.findings).corrections(told["model"])
        times = told["times"].get("y", 1.0)
        assert times == pytest.approx(expected.get("y", 1.0), abs=0.02)
        trial = history.trials[event.body["trials"][0]["number"] - 1]
        if not trial.predictions:
            continue
        raw = _standing_at(task, history, DeskState.of([]), trial).planner.predict([trial.parameters])["y"]
        assert trial.predictions["y"]["sd"] == pytest.approx(times * float(raw.sd[0]), rel=1e-6)
        corrected |= {told["model"]} if told["times"] else set()
    assert corrected == {"cold"}
    trial = history.trials[-1]
    assert f"+- {trial.predictions['y']['sd']:.2g} expected" in explained(ran, trial.number)
