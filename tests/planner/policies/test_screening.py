import time
from pathlib import Path

import numpy as np
import pytest

from planner import Categorical, Continuous, Integer, Objective, Observation, Planner, SearchSpace
from planner.errors import BadObservation, BadOption, NotEnoughData, SearchSpaceExhausted

TC = [Objective("tc", "maximize", unit="K")]
OPTIONS = {"threshold": 10.0, "trees": 40}
WORDS = [f"w{i}" for i in range(300)]
TABLE = np.random.default_rng(0).random((300, 4))


def height(word):
    """Return a value that depends on two of four descriptors; one word in ten is a hit."""
    first, second = TABLE[WORDS.index(str(word))][:2]
    return 20.0 * max(0.0, 1.0 - 2.0 * np.hypot(first - 0.7, second - 0.3))


HITS = {word for word in WORDS if height(word) >= 10.0}


def pool(words=WORDS, candidates=None):
    table = {word: TABLE[WORDS.index(word)] for word in words}
    return SearchSpace([Categorical("w", words, descriptors=table)], candidates=candidates)


def planner(space=None, *, seed=0, objectives=TC, **options):
    return Planner(space or pool(), objectives, seed=seed, policy="screening", options={**OPTIONS, **options})


def told(word, value=None):
    return Observation(parameters={"w": word}, values={"tc": height(word) if value is None else value})


def result(proposal, value):
    return Observation(parameters=proposal.parameters, values={"tc": value}, proposal_id=proposal.id)


def failure(proposal):
    return Observation(parameters=proposal.parameters, failure="no sample", proposal_id=proposal.id)


def words(proposals):
    return [str(proposal.parameters["w"]) for proposal in proposals]


def distance(one, other):
    spread = TABLE.std(axis=0)
    return float(np.sqrt(np.mean(((TABLE[WORDS.index(one)] - TABLE[WORDS.index(other)]) / spread) ** 2)))


def test_most_of_a_batch_are_hits_once_there_is_something_to_learn_from():
    chosen = planner()
    chosen.tell([told(word) for word in WORDS[:60]])
    batch = words(chosen.ask(10))
    assert len(set(batch)) == 10
    assert not set(batch) & set(WORDS[:60])
    assert sum(word in HITS for word in batch) >= 7


def test_hits_are_found_from_nothing():
    chosen = planner()
    found = []
    for _ in range(5):
        batch = chosen.ask(16)
        found += [word in HITS for word in words(batch)]
        chosen.tell([result(proposal, height(proposal.parameters["w"])) for proposal in batch])
    assert np.mean(found[32:]) > 3 * len(HITS) / len(WORDS)


def test_a_minimum_is_sought_as_a_maximum_is():
    up, down = planner(), planner(objectives=[Objective("tc", "minimize")], threshold=-10.0)
    up.tell([told(word) for word in WORDS[:60]])
    down.tell([told(word, -height(word)) for word in WORDS[:60]])
    highs, lows = up.ask(6), down.ask(6)
    assert words(highs) == words(lows)
    assert highs[0].predictions["tc"].mean == pytest.approx(-lows[0].predictions["tc"].mean)


def test_values_of_zero_and_one_are_classes():
    chosen = planner(threshold=0.5)
    chosen.tell([told(word, float(word in HITS)) for word in WORDS[:100]])
    assert sum(word in HITS for word in words(chosen.ask(8))) >= 5


def test_misses_teach():
    near = sorted(HITS - set(WORDS[:60]))[0]
    others = sorted(WORDS[60:], key=lambda word: distance(word, near))
    chosen, wiser = planner(), planner()
    chosen.tell([told(word) for word in WORDS[:60]])
    wiser.tell([told(word) for word in WORDS[:60]])
    wiser.tell([told(word, 0.0) for word in others[1:9]])
    [before], [after] = (one.predict([{"w": near}])["tc"].mean for one in (chosen, wiser))
    assert after < before - 1.0


def test_failures_lower_the_worth_of_their_neighbourhood():
    def share_left(*, caution):
        chosen = planner(caution=caution)
        chosen.tell([told(word) for word in WORDS[:60]])
        left = []
        for _ in range(4):
            batch = chosen.ask(12)
            left += [TABLE[WORDS.index(word)][2] < 0.5 for word in words(batch)]
            chosen.tell(
                [
                    failure(proposal) if is_left else result(proposal, height(proposal.parameters["w"]))
                    for proposal, is_left in zip(batch, left[-12:], strict=True)
                ]
            )
        return np.mean(left[12:])

    assert share_left(caution=1.0) < 0.8 * share_left(caution=0.0)


def test_failures_that_others_told_count_where_any_are_told():
    def share_left(*, tells_failures):
        chosen = planner()
        chosen.tell([told(word) for word in WORDS[:60]])
        for word in WORDS[60:120]:
            if TABLE[WORDS.index(word)][2] < 0.5:
                if tells_failures:
                    chosen.tell([Observation(parameters={"w": word}, failure="no sample")])
            else:
                chosen.tell([told(word)])
        return np.mean([TABLE[WORDS.index(word)][2] < 0.5 for word in words(chosen.ask(16))])

    assert share_left(tells_failures=True) < share_left(tells_failures=False)


@pytest.mark.parametrize(
    ("values", "knee"),
    [([3.0, 0.0, 40.0, 1.0], 2.0), ([3.0, 0.0, 40.0, 1.0] * 5 + [-1e-3], 2.0), ([3.0, -8.0, 40.0, -20.0], None)],
    ids=["of the threshold's sign", "but for a reading below zero", "of both signs"],
)
def test_values_of_the_sign_of_the_threshold_are_learnt_on_a_bent_scale(values, knee):
    chosen = planner()
    chosen.tell([told(word, value) for word, value in zip(WORDS, values, strict=False)])
    assert chosen._policy._know(chosen._data()).scale.knee == knee


def test_reasons_give_the_chance_the_prediction_and_the_nearest_known():
    chosen = planner()
    chosen.tell([told(word) for word in WORDS[:60]])
    [first] = chosen.ask()
    word = words([first])[0]
    nearest = min(WORDS[:60], key=lambda known: distance(known, word))
    assert f"nearest known is {nearest} at {distance(nearest, word):.2f}, with {height(nearest):.3g} K" in first.reason
    assert "a hit with probability 0." in first.reason
    assert (
        f"tc {first.predictions['tc'].mean:.3g} +- {first.predictions['tc'].sd:.2g} K expected, 10 wanted"
        in first.reason
    )
    chosen.tell([failure(first)])
    again = planner()
    again.tell([Observation(parameters={"w": WORDS[0]}, failure="burnt")])
    assert "nearest known is w0" in again.ask()[0].reason
    assert "which failed (burnt)" in again.ask()[0].reason or "under way" in again.ask()[0].reason


def test_known_data_and_what_is_near_them_are_left_out():
    chosen = planner(novelty=0.5)
    chosen.tell([told(word) for word in WORDS[:20]])
    assert all(distance(word, known) > 0.5 for word in words(chosen.ask(10)) for known in WORDS[:20])


def test_candidates_of_a_batch_keep_apart_also_from_those_under_way():
    chosen = planner(spread=0.4, novelty=0.4)
    chosen.tell([told(word) for word in WORDS[:40]])
    batch = words([*chosen.ask(5), *chosen.ask(5)])
    apart = [distance(one, other) for place, one in enumerate(batch) for other in batch[:place]]
    assert min(apart) > 0.4


def test_two_formulas_of_one_composition_are_one_candidate():
    formulas = ["MgB2", "B4Mg2", "Nb3Sn", "Sn2Nb6", "V3Si", "NbTi", "Fe2O3", "PbMo6S8", "Al", "Zr2InNi"]
    space = SearchSpace([Categorical("formula", formulas, descriptors="composition")])
    chosen = Planner(space, TC, policy="screening", options=OPTIONS)
    values = {"MgB2": 39.0, "V3Si": 17.0, "Fe2O3": 0.0, "Al": 1.2}
    chosen.tell([Observation(parameters={"formula": name}, values={"tc": tc}) for name, tc in values.items()])
    first = [str(proposal.parameters["formula"]) for proposal in chosen.ask(4)]
    assert "B4Mg2" not in first
    assert len({"Nb3Sn", "Sn2Nb6"} & set(first)) == 1
    rest = chosen.ask(9)
    assert {str(proposal.parameters["formula"]) for proposal in rest} == set(formulas) - set(values) - set(first)
    assert all("nothing is left that is farther" in proposal.reason for proposal in rest)


@pytest.mark.parametrize(
    "values",
    [
        pytest.param([], id="nothing known"),
        pytest.param([3.0], id="one"),
        pytest.param([0.0] * 30, id="misses only, all equal"),
        pytest.param([0.1 * i for i in range(30)], id="misses only"),
        pytest.param([50.0] * 30, id="hits only, all equal"),
        pytest.param([20.0 + i for i in range(30)], id="hits only"),
        pytest.param([-5.0, 1e12, 0.0, 3.0, -1e12, 7.0], id="huge and of both signs"),
        pytest.param([1e-300, 0.0, 2e-300, 1e-300, 5e-300], id="tiny"),
    ],
)
def test_whatever_is_known_a_batch_is_full_of_new_candidates(values):
    chosen = planner()
    chosen.tell([told(word, value) for word, value in zip(WORDS, values, strict=False)])
    for _ in range(2):
        batch = chosen.ask(20)
        assert len(set(words(batch))) == 20
        assert not set(words(batch)) & set(WORDS[: len(values)])
        for proposal in batch:
            assert all(np.isfinite([one.mean, one.sd]).all() for one in proposal.predictions.values())
        chosen.tell([result(proposal, values[-1] if values else 0.0) for proposal in batch])


def test_where_all_failed_the_space_is_filled():
    chosen = planner()
    for _ in range(3):
        chosen.tell([failure(proposal) for proposal in chosen.ask(10)])
    batch = chosen.ask(5)
    assert all("too little is known" in proposal.reason for proposal in batch)
    with pytest.raises(NotEnoughData):
        chosen.predict([{"w": "w0"}])


def test_a_pool_smaller_than_a_batch_is_given_whole_and_then_exhausted():
    chosen = planner(pool(candidates=[{"w": word} for word in WORDS[:7]]))
    chosen.tell([told(word) for word in WORDS[100:140]])
    batch = chosen.ask(20)
    assert set(words(batch)) == set(WORDS[:7])
    with pytest.raises(SearchSpaceExhausted, match="7 are pending"):
        chosen.ask(1)
    chosen.discard(batch[0].id)
    assert words(chosen.ask(3)) == words(batch[:1])


def test_a_planner_that_was_loaded_proposes_the_same(tmp_path: Path):
    chosen = planner(seed=5)
    chosen.tell([told(word) for word in WORDS[:50]])
    batch = chosen.ask(6)
    chosen.tell([failure(batch[0]), *(result(one, height(one.parameters["w"])) for one in batch[1:4])])
    chosen.save(tmp_path / "planner.json")
    again = Planner.load(tmp_path / "planner.json")
    assert again.ask(6) == chosen.ask(6)


def test_predictions_before_and_after_there_is_enough():
    chosen = planner()
    with pytest.raises(NotEnoughData):
        chosen.predict([{"w": "w1"}])
    chosen.tell([told("w0", 4.0)])
    assert chosen.predict([{"w": "w0"}])["tc"].mean == pytest.approx([4.0], abs=0.5)
    chosen.tell([told(word) for word in WORDS[1:150]])
    found = chosen.predict([{"w": word} for word in WORDS[150:]])["tc"]
    truth = np.array([height(word) for word in WORDS[150:]])
    assert np.corrcoef(found.mean, truth)[0, 1] > 0.8
    assert (found.sd > 0).all()


def test_other_parameters_may_stand_beside_the_composition():
    space = SearchSpace(
        [Categorical("w", WORDS[:20], descriptors={w: TABLE[i] for i, w in enumerate(WORDS[:20])}), Integer("k", 1, 3)]
    )
    chosen = Planner(space, TC, policy="screening", options=OPTIONS)
    chosen.tell(
        [Observation(parameters={"w": w, "k": k}, values={"tc": height(w) * k}) for w in WORDS[:8] for k in (1, 3)]
    )
    batch = chosen.ask(6)
    assert len({tuple(proposal.parameters.items()) for proposal in batch}) == 6
    assert "nearest known is w w" in batch[0].reason


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: planner(objectives=[Objective("tc", "learn")]), "looks for hits"),
        (lambda: planner(objectives=[*TC, Objective("cost", "minimize")]), "one objective"),
        (lambda: Planner(pool(), TC, policy="screening"), "needs option 'threshold'"),
        (lambda: planner(threshold="high"), "option 'threshold'"),
        (lambda: planner(novelty=-1.0), "option 'novelty'"),
        (lambda: planner(noveltie=1.0), "did you mean 'novelty'"),
        (lambda: planner(SearchSpace([Continuous("x", 0.0, 1.0)])), "chooses among candidates"),
        (lambda: planner(SearchSpace([Categorical("w", [str(i) for i in range(5000)])])), "give its categorical"),
    ],
)
def test_what_cannot_be_screened_is_refused(make, message):
    with pytest.raises(BadOption, match=message):
        make()


def test_an_unknown_target_is_named():
    with pytest.raises(BadObservation, match="no objective is called 'tx'"):
        chosen = planner()
        chosen._policy.predict(chosen._data(), "tx", [{"w": "w0"}])


@pytest.mark.slow
def test_a_pool_of_a_hundred_thousand_takes_seconds():
    rng = np.random.default_rng(1)
    names = [f"c{i}" for i in range(100_000)]
    table = rng.random((100_000, 100))
    space = SearchSpace(
        [Categorical("w", names, descriptors=dict(zip(names, table.tolist(), strict=True)))], candidates={"w": names}
    )
    chosen = Planner(space, TC, policy="screening", options={"threshold": 15.0})
    chosen.tell(
        [Observation(parameters={"w": names[i]}, values={"tc": 20.0 * table[i, 0]}) for i in range(0, 100_000, 50)]
    )
    began = time.process_time()
    batch = chosen.ask(32)
    assert time.process_time() - began < 60.0
    assert np.mean([table[names.index(name), 0] > 0.75 for name in words(batch)]) > 0.9
