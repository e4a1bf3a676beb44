import hashlib

import numpy as np
import pytest

from planner import Categorical, Continuous, Objective, Observation, Planner, SearchSpace
from planner.errors import BadOption, NotEnoughData, SearchSpaceExhausted
from planner.policies.reactions import precursor_levels

TARGET = "BaTiO3-tetragonal"
PRECURSORS = ["witherite", "BaO", "BaO2", "rutile", "anatase"]
LEVELS = precursor_levels(TARGET, PRECURSORS)
YIELD = [Objective("yield", "maximize")]


def space(levels=LEVELS, temperatures=(700.0, 800.0, 900.0, 1000.0)):
    return SearchSpace(
        [
            Categorical("precursors", levels),
            Continuous("temperature", temperatures[0], temperatures[-1], unit="degC", levels=temperatures),
        ]
    )


def planner(seed=0, *, on=None, objectives=YIELD, **options):
    return Planner(on or space(), objectives, seed=seed, policy="reactions", options={"target": TARGET, **options})


def told(proposal, weights, probabilities=None):
    context = {f"phase:{name}": w for name, w in weights.items()}
    context |= {f"probability:{name}": p for name, p in (probabilities or {}).items()}
    return Observation(
        parameters=proposal.parameters,
        values={"yield": weights.get(TARGET, 0.0)},
        context=context,
        proposal_id=proposal.id,
    )


def lab(proposal):
    """Carbonates stop at Ba2TiO4, the peroxide makes the target from 800 degC on."""
    if "BaO2" in proposal.parameters["precursors"] and proposal.parameters["temperature"] >= 800.0:
        return {TARGET: 1.0}
    if proposal.parameters["temperature"] < 800.0:
        return dict.fromkeys(str(proposal.parameters["precursors"]).split(" + "), 0.5)
    return {"Ba2TiO4": 0.8, "rutile": 0.2}


def run(chosen, n):
    sites = []
    for _ in range(n):
        proposal = chosen.ask(1)[0]
        sites.append((proposal.parameters["precursors"], proposal.parameters["temperature"]))
        chosen.tell([told(proposal, lab(proposal))])
    return sites


def test_levels_are_the_balanced_sets():
    assert "BaO + rutile" in LEVELS
    assert "BaO + witherite" not in LEVELS


def test_the_route_that_works_is_found_and_its_other_temperature_follows():
    chosen = planner()
    sites = run(chosen, 12)
    assert chosen.best().values["yield"] == 1.0
    assert len(set(sites)) == 12


def test_predictions_follow_what_was_seen():
    chosen = planner()
    run(chosen, 12)
    points = [
        {"precursors": "BaO2 + rutile", "temperature": 900.0},
        {"precursors": "rutile + witherite", "temperature": 700.0},
    ]
    found = chosen.predict(points)["yield"]
    assert found.mean[0] > found.mean[1] + 0.3
    assert (found.sd > 0.0).all()


def test_a_reason_names_the_chance_the_driving_force_and_what_is_avoided():
    chosen = planner()
    run(chosen, 8)
    reasons = [proposal.reason for proposal in chosen.ask(4)]
    assert all("with probability" in reason and "driving force left" in reason for reason in reasons)
    assert any("avoids" in reason for reason in reasons)


def test_a_batch_has_different_recipes_and_not_one_set_only():
    batch = planner().ask(4)
    assert len({(p.parameters["precursors"], p.parameters["temperature"]) for p in batch}) == 4
    assert len({p.parameters["precursors"] for p in batch}) >= 2


def test_a_planner_that_was_saved_proposes_the_same(tmp_path):
    chosen = planner(seed=5)
    run(chosen, 5)
    chosen.save(tmp_path / "planner.json")
    again = Planner.load(tmp_path / "planner.json")
    assert [p.parameters for p in chosen.ask(2)] == [p.parameters for p in again.ask(2)]


def test_all_failed_recipes_leave_the_ranking_of_the_table():
    chosen, fresh = planner(), planner()
    first = fresh.ask(6)
    for proposal in first:
        one = chosen.ask(1)[0]
        chosen.tell([Observation(parameters=one.parameters, failure="cannot tell", proposal_id=one.id)])
        assert one.parameters not in [p.parameters for p in chosen.pending]
        del proposal
    assert len(chosen.ask(1)) == 1
    with pytest.raises(NotEnoughData):
        chosen.predict([first[0].parameters])


def test_unknown_phases_only_and_nonsense_fractions_do_no_harm(caplog):
    chosen = planner()
    for weights in ({"unobtainium": 1.0}, {"rutile": float("nan")}, {"rutile": 7.0}):
        proposal = chosen.ask(1)[0]
        chosen.tell([told(proposal, weights)])
        found = chosen.predict([proposal.parameters])["yield"]
        assert np.isfinite(found.mean).all()
    assert "fraction_ignored" in caplog.text


def test_the_end_of_the_list_says_so():
    chosen = planner(on=space(LEVELS[:1], (700.0, 800.0)))
    run(chosen, 2)
    with pytest.raises(SearchSpaceExhausted):
        chosen.ask(1)


def test_a_yield_without_phases_is_learnt_from():
    chosen = planner()
    proposal = chosen.ask(1)[0]
    before = proposal.predictions["yield"].mean
    chosen.tell([Observation(parameters=proposal.parameters, values={"yield": 0.0}, proposal_id=proposal.id)])
    assert chosen.predict([proposal.parameters])["yield"].mean[0] < before


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"target": "unobtainium"}, "no phase 'unobtainium'"),
        ({"target": None}, "needs option 'target'"),
        ({"target": "CaTiO3"}, "no phase"),
        ({"on": space(["rutile + corundum"])}, "does not balance"),
        ({"on": space(["rutile + kryptonite"])}, "no phase 'kryptonite'"),
        ({"table": "/nowhere/table.csv"}, "cannot be read"),
        ({"table": [{"formula": "BaO"}]}, "write a number"),
        ({"wanted": 2.0}, "option 'wanted' of"),
        ({"temperature": "warmth"}, "no parameter 'warmth'"),
        ({"objectives": [Objective("yield", "minimize")]}, "to maximize"),
        ({"atmosphere": "argon"}, "option 'atmosphere' of"),
    ],
    ids=lambda value: "-".join(map(str, value)) if isinstance(value, dict) else None,
)
def test_what_makes_no_sense_is_refused_in_words(change, message):
    with pytest.raises(BadOption, match=message):
        planner(**change)


def test_other_parameters_and_long_lists_are_refused():
    more = SearchSpace([*space().parameters, Continuous("hold", 1.0, 8.0)])
    with pytest.raises(BadOption, match="knows nothing of 'hold'"):
        planner(on=more)
    fine = SearchSpace([Categorical("precursors", LEVELS), Continuous("temperature", 700.0, 1000.0)])
    with pytest.raises(BadOption, match="give the temperature a step"):
        planner(on=fine)


def test_an_element_that_no_precursor_has_is_named():
    with pytest.raises(BadOption, match="contains Ba"):
        precursor_levels(TARGET, ["rutile", "corundum"])


def test_volatile_and_liquid_precursors_are_told_of():
    levels = precursor_levels("LiCoO2", ["zabuyelite", "Co3O4", "CoO"])
    on = space(levels, (800.0, 900.0))
    reasons = [p.reason for p in planner(on=on, target="LiCoO2").ask(4)]
    assert any("zabuyelite evaporates from 850 degC" in reason for reason in reasons)
    assert any("zabuyelite is liquid from 723 degC" in reason for reason in reasons)


def test_a_table_of_ones_own_is_read_and_refused_once_it_has_changed(tmp_path):
    path = tmp_path / "mine.csv"
    path.write_text("name,formula,enthalpy_kj_mol\nBaO,,-548\nTiO2,,-944\nBaTiO3,,-1660\n")
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    given = {"on": space(["BaO + TiO2"]), "target": "BaTiO3", "table": str(path)}
    proposal = planner(**given, table_sha256=sha256.upper()).ask(1)[0]
    assert "driving force left" in proposal.reason
    path.write_text(path.read_text() + "\n")
    with pytest.raises(BadOption, match=r"mine\.csv was changed \(its SHA-256 is"):
        planner(**given, table_sha256=sha256)
    planner(**given).ask(1)
    path.unlink()
    with pytest.raises(BadOption, match=r"mine\.csv: cannot be read"):
        planner(**given, table_sha256=sha256)
    with pytest.raises(BadOption, match="'table_sha256' is that of a file"):
        planner(table_sha256=sha256)


def shared_space(temperatures=(700.0, 800.0, 900.0, 1000.0)):
    plain = space(temperatures=temperatures)
    return SearchSpace(plain.parameters, shared=["temperature"])


def test_a_batch_has_one_temperature_where_it_shares_a_furnace():
    chosen = planner(on=shared_space())
    seen = set()
    for _ in range(4):
        batch = chosen.ask(4)
        assert len({one.parameters["temperature"] for one in batch}) == 1
        assert len({one.parameters["precursors"] for one in batch}) == len(batch) > 1
        assert not any(one.reason.startswith("random") for one in batch)
        seen |= {(one.parameters["precursors"], one.parameters["temperature"]) for one in batch}
        chosen.tell([told(one, lab(one)) for one in batch])
    assert len(seen) >= 12


def test_what_is_forbidden_is_not_what_the_policy_wants():
    chosen = planner()
    wanted = chosen.ask(1)[0].parameters["temperature"]
    chosen.forbid("hot", {"box": {"temperature": [wanted, wanted]}})
    found = chosen.ask(8)
    assert all(one.parameters["temperature"] != wanted for one in found)
    assert not any(one.reason.startswith("random") for one in found)
