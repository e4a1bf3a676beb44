import base64

import numpy as np
import pytest

from orchestrator.reading import read_snapshot
from orchestrator.report import timeline as timeline_module
from orchestrator.report.timeline import busy_share, pack_timeline


def unpacked(device, kinds, tick_s=0.01):
    names = {
        "start": "<u4",
        "length": "<u4",
        "trial": "<u4",
        "kind": "<u2",
        "state": "u1",
        "count": "<u2",
        "lane": "u1",
    }
    found = {name: np.frombuffer(base64.b64decode(device[name]), dtype=kind) for name, kind in names.items()}
    assert {len(array) for array in found.values()} == {device["n"]}
    bars = zip(
        found["start"] * tick_s,
        found["length"] * tick_s,
        found["trial"],
        [kinds[k] for k in found["kind"]],
        strict=True,
    )
    return list(bars), found


def test_every_step_is_on_the_chart_where_the_table_has_it(fabricate):
    snapshot = read_snapshot(fabricate().sara(4, points=3, pixels=8))
    packed = pack_timeline(snapshot)
    for device in packed["devices"]:
        if device["name"] == "planner":
            assert device["n"] == len(snapshot.asks)
            continue
        bars, _ = unpacked(device, packed["kinds"])
        steps = [step for step in snapshot.steps if step.device == device["name"]]
        assert len(bars) == len(steps) > 0
        for (start, length, trial, kind), step in zip(bars, steps, strict=True):
            assert start == pytest.approx(step.started_s, abs=0.006)
            assert length == pytest.approx(step.finished_s - step.started_s, abs=0.011)
            assert (trial, kind) == (step.trial, f"{step.device}.{step.command}")


def test_a_robot_with_many_vials_gets_lanes_without_overlap(fabricate):
    packed = pack_timeline(read_snapshot(fabricate().bench(2, batch=6)))
    robot = next(device for device in packed["devices"] if device["name"] == "robot")
    bars, arrays = unpacked(robot, packed["kinds"])
    assert robot["lanes"] == 6
    for lane in range(6):
        spans = sorted((bar[0], bar[0] + bar[1]) for bar, at in zip(bars, arrays["lane"], strict=True) if at == lane)
        assert all(later[0] >= earlier[1] - 0.02 for earlier, later in zip(spans, spans[1:], strict=False))


def test_a_step_that_is_not_over_reaches_to_the_end_of_the_journal(fabricate):
    maker = fabricate()
    path = maker.sara(1, end=False, points=1)
    maker.ask([{"number": 2, "parameters": {"peak_temperature": 700.0, "dwell": 1000.0}, "proposal_id": "p2"}])
    maker.start(2)
    started_s = maker.clock.seconds
    maker.step(2, "0", "laser", "anneal", 50.0, end="")
    maker.journal.append("incident", {"kind": "fault", "text": "still there"})
    maker.journal.flush()
    packed = pack_timeline(read_snapshot(path))
    bars, arrays = unpacked(next(d for d in packed["devices"] if d["name"] == "laser"), packed["kinds"])
    assert bars[-1][0] == pytest.approx(started_s)
    assert bars[-1][1] == pytest.approx(50.0)
    assert packed["states"][arrays["state"][-1]] == "intended"


def test_busy_shares_count_overlaps_once(fabricate):
    maker = fabricate()
    maker.bench(1, batch=4)
    share = busy_share(read_snapshot(maker.path))["robot"]
    steps = read_snapshot(maker.path).steps
    longest = max(step.finished_s for step in steps) - min(step.started_s for step in steps)
    assert share == pytest.approx(longest / read_snapshot(maker.path).journal.last_s)


def test_too_many_steps_are_joined_but_not_what_went_wrong(fabricate, monkeypatch):
    monkeypatch.setattr(timeline_module, "MOST_BARS", 10)
    snapshot = read_snapshot(fabricate().sara(5, points=6, pixels=8))
    packed = pack_timeline(snapshot)
    assert packed["merged_from"] == len(snapshot.steps)
    counts = {}
    for device in packed["devices"]:
        if device["name"] != "planner":
            _, arrays = unpacked(device, packed["kinds"])
            counts[device["name"]] = int(arrays["count"].sum())
            states = [packed["states"][state] for state in arrays["state"]]
            if device["name"] == "camera":
                assert "failed" in states
    assert sum(counts.values()) == len(snapshot.steps)


def test_neighbours_of_one_trial_are_joined_over_small_gaps_only():
    bar = timeline_module._Bar
    bars = [bar(0.0, 1.0, 1, "move", "done"), bar(1.1, 2.0, 1, "move", "done"), bar(9.0, 10.0, 1, "move", "done")]
    bars.append(bar(10.0, 11.0, 2, "move", "done"))
    joined = timeline_module._merged(bars, gap_s=0.5)
    assert [(one.start_s, one.end_s, one.count) for one in joined] == [(0.0, 2.0, 2), (9.0, 10.0, 1), (10.0, 11.0, 1)]
