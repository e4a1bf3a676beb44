import numpy as np
import pytest
import screening

SMALL = {"n_pool": 400, "n_known": 60}


@pytest.mark.parametrize("way", screening.WAYS)
def test_a_campaign_of_each_way_counts_what_it_made(way):
    result = screening.run(way, 100, 2, 6, **SMALL)
    assert (result["way"], result["seed"]) == (way, 100)
    assert len(result["hits"]) == len(result["failures"]) == 2
    assert all(
        hits >= 0 and hits + failures <= 6 for hits, failures in zip(result["hits"], result["failures"], strict=True)
    )
    assert {key: result[key] for key in ("hits", "failures")} == {
        key: screening.run(way, 100, 2, 6, **SMALL)[key] for key in ("hits", "failures")
    }


def test_nothing_is_made_twice_and_all_ways_find_the_same_at_a_composition():
    campaigns = [screening.Campaign(101, **SMALL) for _ in range(2)]
    for campaign in campaigns:
        made = [screening.without_negatives(campaign, 5, {"threshold": 10.0}) for _ in range(3)]
        made.append(screening.by_gp(campaign, 5))
        assert len(campaign.made) == sum(map(len, made)) == 20
        assert not set(campaign.free()) & set(campaign.made)
    assert campaigns[0].made == campaigns[1].made


def test_the_table_and_the_plot(tmp_path, capsys):
    hits = {
        "screening": [[4, 6], [6, 8]],
        "gp": [[4, 5], [7, 7]],
        "no negatives": [[4, 4], [4, 5]],
        "random": [[0, 1], [1, 0]],
    }
    results = [
        {"way": way, "seed": seed, "hits": counts, "failures": [1, 1], "wall_s": 2.0}
        for way, both in hits.items()
        for seed, counts in enumerate(both)
    ]
    screening.report(results, screening.WAYS, 10)
    printed = capsys.readouterr().out
    assert "| screening | 12 [11, 13] | 60.0 % | 50.0 % | 70.0 % | 10 % | 2 |" in printed
    assert "screening / random: 12.0 (target: at least 2)" in printed
    assert "screening / gp: 1.04; more hits on 1 of 2 seeds, as many on 1" in printed.replace("\n", " ")
    screening.draw(results, screening.WAYS, 10, tmp_path / "hits.png")
    assert (tmp_path / "hits.png").stat().st_size > 10_000


def test_a_failed_synthesis_is_no_hit():
    assert [screening.is_hit(tc) for tc in (None, 0.0, 9.99, 10.0, np.float64(40.0))] == [
        False,
        False,
        False,
        True,
        True,
    ]
