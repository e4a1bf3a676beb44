"""The example with fidelities, by day and night: its table is its script's, and the campaigns keep their word."""

import csv
import importlib.util
import json
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from orchestrator.check import check_campaign
from orchestrator.execution import Settings, start
from orchestrator.results import read_result

HERE = Path(__file__).parents[2] / "examples" / "ten_minutes_of_light"
COSTS = {"ten minutes": 0.15, "one hour": 1.0}


def test_the_table_is_what_the_script_writes(tmp_path):
    spec = importlib.util.spec_from_file_location("make_table", HERE / "make_table.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.main(tmp_path / "table.csv")
    assert (tmp_path / "table.csv").read_text() == (HERE / "table.csv").read_text()


@pytest.fixture(scope="module", params=["campaign", "nights"])
def ran(request, tmp_path_factory):
    path = tmp_path_factory.mktemp(request.param) / "c"
    start(check_campaign(HERE / f"{request.param}.yaml").require(), path, Settings(is_virtual=True, fsync=False))
    return request.param, path, read_result(path, wall_s=0.0)


def test_looks_spare_trials_and_the_best_is_of_an_hour(ran):
    _, _, result = ran
    lights = [trial["parameters"]["light"] for trial in result["trials"]]
    assert result["reason"] == "the budget of 15 in cost is spent"
    assert 15.0 <= sum(COSTS[light] for light in lights) <= 16.0
    assert lights.count("ten minutes") >= 4
    assert result["best"]["parameters"]["light"] == "one hour"
    with (HERE / "table.csv").open(newline="") as file:
        known = [float(row["hydrogen"]) for row in csv.DictReader(file) if row["light"] == "one hour"]
    assert result["best"]["values"]["hydrogen"] >= np.quantile(known, 0.98)


def test_at_night_and_on_weekends_nothing_is_under_way(ran):
    name, path, result = ran
    began = datetime(2026, 1, 1, tzinfo=UTC)
    zone = ZoneInfo("Europe/Berlin")
    spans = [
        [(began + timedelta(seconds=trial[key])).astimezone(zone) for key in ("started_s", "finished_s")]
        for trial in result["trials"]
    ]
    is_open = [
        first.date() == last.date() and first.weekday() < 5 and first.hour >= 8
        and (last.hour, last.minute) <= (18, 0) for first, last in spans
    ]  # fmt: skip
    assert all(is_open) == (name == "nights")
    with closing(sqlite3.connect(path / "journal.sqlite")) as db:
        closings = [json.loads(body) for (body,) in db.execute("SELECT body FROM journal WHERE kind = 'lab_closed'")]
    assert bool(closings) == (name == "nights")
