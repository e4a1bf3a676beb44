"""Objectives that are classified, in campaigns: fingerprints reach the policy, are kept, and are told again."""

from pathlib import Path

import pytest

from orchestrator.campaign_knowledge import knowledge_of
from orchestrator.check import check_campaign
from orchestrator.errors import InputError
from orchestrator.execution import Settings, resume, start
from orchestrator.export import export_campaign
from orchestrator.history import read_standing
from orchestrator.loop import CampaignLoop
from orchestrator.points import pool_for
from orchestrator.reading import open_reading, read_snapshot
from orchestrator.report import write_report

POWDER = Path(__file__).parents[2] / "examples" / "powder_lab" / "campaign.yaml"
MAPPED = (
    "objectives=[{name: pattern, direction: classify}]",
    "analysis={kind: fingerprint, options: {q: [1.0, 4.5], channels: 64}}",
    "planner={policy: cameo, charge: 2 s, options: {start: 3}}",
    "parameters.mixing.step=18 min",
    "batch=2",
    "in_flight=2",
    "budget.trials=8",
)


def ready(*more):
    return check_campaign(POWDER, None, [*MAPPED, *more]).require()


@pytest.fixture(scope="module")
def mapped(tmp_path_factory):
    path = tmp_path_factory.mktemp("mapped") / "c"
    start(ready(), path, Settings(is_virtual=True, fsync=False))
    return path


def test_cameo_maps_regions_in_a_campaign(mapped):
    snapshot = read_snapshot(mapped)
    assert [trial.outcome for trial in snapshot.trials] == ["measured"] * 8
    assert [ask.fallback_reason for ask in snapshot.asks] == [""] * 4
    assert {len(row.fingerprints["pattern"]) for row in snapshot.observations} == {64}
    assert "spread over the pool" in snapshot.trials[0].proposal_reason
    assert "spread over the pool" not in snapshot.trials[-1].proposal_reason


def test_a_rebuilt_planner_knows_the_same_regions(mapped):
    task = ready()
    with open_reading(mapped) as reading:
        history = read_standing(reading.connection).history
    maps = []
    for _ in range(2):
        knowledge = knowledge_of(task.campaign, pool=pool_for(task.campaign, task.worlds))
        knowledge.restore(history.trials, history.findings, told=history.told)
        maps.append(knowledge.planner.regions([trial.parameters for trial in history.trials]))
    assert maps[0].regions == maps[1].regions
    assert (maps[0].probabilities == maps[1].probabilities).all()


def test_a_campaign_that_was_stopped_ends_as_one_that_was_not(mapped, tmp_path, monkeypatch):
    show = CampaignLoop._show

    def stop_halfway(self):
        show(self)
        if sum(trial.outcome == "measured" for trial in self.history.trials) == 4:
            self.stop.set("stopped by the test")

    with monkeypatch.context() as patch:
        patch.setattr(CampaignLoop, "_show", stop_halfway)
        assert start(ready(), tmp_path / "c", Settings(is_virtual=True, fsync=False)).status == "stopped"
    assert resume(tmp_path / "c").status == "finished"
    ours, whole = read_snapshot(tmp_path / "c"), read_snapshot(mapped)
    assert [t.parameters for t in ours.trials] == [t.parameters for t in whole.trials]
    assert [t.proposal_reason for t in ours.trials] == [t.proposal_reason for t in whole.trials]


def test_report_and_export_take_fingerprints(mapped, tmp_path):
    page = write_report(mapped, tmp_path / "r.html").path.read_text()
    assert "map the regions of pattern" in page
    assert "The map of the regions of pattern" in page
    assert "and the best so far" not in page
    exported = export_campaign(mapped, to="csv", out=tmp_path / "e")
    assert "fingerprint_pattern" in (exported.path / "observations.csv").read_text().splitlines()[0]


def test_regions_do_not_improve():
    with pytest.raises(InputError, match="'pattern' is classified, so there is no best value"):
        ready("stopping=[{no_improvement: {trials: 5}}]")


def test_nothing_is_better_than_a_region():
    with pytest.raises(InputError, match="'pattern' is classified, so there is no best value that anything could"):
        ready("stopping=[{no_prospect: {better_by: 1, risk: 0.1}}]")


def test_a_region_has_no_desirability():
    with pytest.raises(InputError, match="does not belong to direction: classify"):
        ready("objectives=[{name: pattern, direction: classify, desirability: [0, 1]}]")
