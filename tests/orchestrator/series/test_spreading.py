import asyncio
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from orchestrator.check import check_campaign
from orchestrator.series.parcels import packed_up
from orchestrator.series.spreading import AllAlike, Series
from surrogate.compute import ProcessPool

EXAMPLES = Path(__file__).parents[3] / "examples"


@dataclass
class Heard:
    """Notes what a series tells."""

    results: dict = field(default_factory=dict)
    troubles: dict = field(default_factory=dict)
    places: set = field(default_factory=set)

    def result(self, seed, result):
        self.results[seed] = result

    def trouble(self, seed, why):
        self.troubles[seed] = why

    def again(self, seed, why):
        raise AssertionError(why)

    def standing(self, at_work, places):
        assert 0 <= at_work <= places
        self.places.add(places)


def spread(seeds, **changes):
    ready = check_campaign(
        EXAMPLES / "photocatalysis/campaign.yaml", None, ["planner.policy=random", "budget.trials=2"]
    )
    ready, heard = ready.require(), Heard()
    parcel = packed_up(ready.campaign, ready.lab)
    parcel = replace(parcel, campaign={**parcel.campaign, **changes})
    series = Series(parcel=parcel, provenance={}, pool=ProcessPool(workers=1, gpu=False), watcher=heard)
    try:
        asyncio.run(series.run(seeds))
    except AllAlike as error:
        return heard, str(error)
    return heard, ""


def test_every_seed_has_its_result():
    heard, ended = spread([3, 1, 2])
    assert {seed: result["seed"] for seed, result in heard.results.items()} == {1: 1, 2: 2, 3: 3}
    assert not ended and not heard.troubles and heard.places <= {0, 1} and 1 in heard.places


def test_where_all_seeds_fail_alike_most_are_not_tried():
    heard, ended = spread(range(50), parameters=[])
    assert len(heard.troubles) == 3 and not heard.results
    assert ended.startswith("the first 3 seeds failed alike, so the others were not tried: ") and "parameters" in ended


@pytest.mark.parametrize("seeds", [[0, 1]])
def test_fewer_failures_than_that_are_told_one_by_one(seeds):
    heard, ended = spread(seeds, parameters=[])
    assert sorted(heard.troubles) == seeds and not ended
