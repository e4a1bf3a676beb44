import json

import pytest
from planner_store import Run, Store


def a_run(seed, **changes):
    told = {"planner": "p", "version": "1", "problem": "q", "revision": 1, "seed": seed, "n_initial": 1}
    told |= {"observed": [1.0, None], "true": [0.9, None], "points": [[0.5, "word"]], "cpu_s": [0.1]}
    return Run(**{**told, **changes})


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path)


def test_runs_come_back_as_they_were(store):
    for seed in (2, 0):
        store.put(a_run(seed))
    assert store.runs("p", "q") == {0: a_run(0), 2: a_run(2)}
    assert store.runs("p", "other") == {}


def test_a_run_of_a_newer_version_takes_the_place_of_the_old_one(store):
    store.put(a_run(0))
    assert store.has(("p", "q", 0), "1", 1)
    assert not store.has(("p", "q", 0), "2", 1)
    assert not store.has(("p", "q", 0), "1", 2)
    assert not store.has(("p", "q", 1), "1", 1)
    store.put(a_run(0, version="2"))
    assert len(store.file("p", "q").read_text().splitlines()) == 1
    assert store.has(("p", "q", 0), "2", 1)


@pytest.mark.parametrize("kept", [0.01, 0.5, 0.99])
def test_a_line_cut_off_by_a_kill_is_dropped_and_made_again(store, kept):
    for seed in (0, 1):
        store.put(a_run(seed))
    file = store.file("p", "q")
    whole = file.read_text()
    first, last = whole.splitlines(keepends=True)
    file.write_text(first + last[: max(1, int(kept * len(last)))])
    assert store.runs("p", "q") == {0: a_run(0)}
    assert not store.has(("p", "q", 1), "1", 1)
    store.put(a_run(1))
    assert file.read_text() == whole


def test_a_line_is_compact_json(store):
    store.put(a_run(0))
    line = store.file("p", "q").read_text()
    assert " " not in line
    assert json.loads(line)["points"] == [[0.5, "word"]]
