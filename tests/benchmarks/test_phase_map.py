import numpy as np
import pytest
from phase_map import Run, draw_spread, first_at, fowlkes_mallows, mapped, runs_of, scores, table
from sklearn.metrics import fowlkes_mallows_score


def test_the_index_is_that_of_fowlkes_and_mallows():
    rng = np.random.default_rng(0)
    for n_regions in (1, 2, 5):
        truth, found = rng.integers(4, size=60), rng.integers(n_regions, size=60)
        assert fowlkes_mallows(truth, found) == pytest.approx(fowlkes_mallows_score(truth, found))
    assert fowlkes_mallows(truth, (truth + 1) % 4) == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("values", "first"),
    [([0.9, 0.9, 0.9], 8), ([0.9, 0.7, 0.9], 16), ([0.9, 0.9, 0.7], np.inf)],
    ids=["at once", "not for good before", "never for good"],
)
def test_a_threshold_counts_once_it_is_kept(values, first):
    assert first_at(np.array([8, 12, 16]), np.array(values), 0.8) == first


def test_a_map_of_many_points_is_nearly_true():
    spread = draw_spread(200)
    rng = np.random.default_rng(0)
    chosen = rng.permutation(len(spread.compositions))[:40]
    labels = mapped(spread, chosen, np.array([spread.measure_pattern(i, rng) for i in chosen]))
    index, index_nearest = scores(spread, chosen, labels)
    assert index > 0.8 and index > index_nearest > 0.5


def test_the_table_counts_what_was_reached_in_time():
    sizes = np.array([8, 24, 44])
    found = Run(
        best=np.array([0.5] * 9 + [0.97] * 35),
        sizes=sizes,
        index=np.array([0.6, 0.85, 0.9]),
        index_nearest=np.array([0.5, 0.6, 0.7]),
        seconds=0.1,
    )
    missed = Run(best=np.full(44, 0.5), sizes=sizes, index=np.full(3, 0.5), index_nearest=np.full(3, 0.5), seconds=0.1)
    lines = table({"cameo": [found], "random": [missed]}, 231).splitlines()
    assert lines[2].startswith(
        "| cameo | 24 [24, 24] | 0.6 [0.6, 0.6] | 0.9 [0.9, 0.9] | 1 of 1 | 10 [10, 10] | 1 of 1 |"
    )
    assert lines[4].startswith("| random | inf [inf, inf]")
    assert "| 0 of 1 |" in lines[4]


@pytest.mark.parametrize("way", ["cameo", "random", "grid", "logei"])
def test_a_run_is_kept_and_not_made_again(way, tmp_path, monkeypatch):
    file = tmp_path / "runs.jsonl"
    [made] = runs_of(way, [200], 9, file)
    assert made.sizes.tolist() == ([] if way == "logei" else [8])
    assert len(made.best) == 9 and (np.diff(made.best) >= 0).all()
    monkeypatch.delattr("phase_map.run")
    [kept] = runs_of(way, [200], 9, file)
    assert np.array_equal(kept.best, made.best) and np.array_equal(kept.index, made.index)
    assert len(file.read_text().splitlines()) == 1
    assert table({way: [kept]}, 231).count("\n") == (3 if way == "cameo" else 2)
