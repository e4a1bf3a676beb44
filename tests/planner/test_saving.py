import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from planner import BadSave, Categorical, Continuous, Integer, Objective, Observation, Planner, SearchSpace

SPACES = {
    "mixed": SearchSpace(
        [
            Continuous("t", 300.0, 900.0, unit="degC"),
            Continuous("p", 1e-3, 10.0, scale="log", count=30),
            Integer("k", 1, 9),
            Categorical("s", ["x", "y"]),
        ],
        ["t + 10*k <= 950"],
    ),
    "mixture": SearchSpace([Continuous(name, 0.0, 1.0) for name in "abc"], ["a + b + c == 1", "a + 0.5*b <= 0.6"]),
    "pool": SearchSpace(
        [Continuous("a", 0.0, 1.0), Categorical("s", ["x", "y"])],
        candidates={"a": np.random.default_rng(0).random(60), "s": ["x", "y"] * 30},
    ),
}
OBJECTIVES = [Objective("y", "minimize", unit="umol"), Objective("z", "maximize")]

Step = tuple[str, int]
steps = st.lists(st.tuples(st.sampled_from(["ask", "tell", "fail", "late", "discard", "own"]), st.integers(0, 5)))


def take(planner: Planner, step: Step, rng: np.random.Generator) -> None:
    what, number = step
    if what == "ask":
        planner.ask(1 + number % 3)
        return
    if what == "own":
        [point] = planner.space.sample(1, rng)
        planner.tell([Observation(parameters=point, values={"y": float(rng.random())}, noise={"y": 0.1})])
        return
    if not planner.pending:
        return
    proposal = planner.pending[number % len(planner.pending)]
    if what in ("discard", "late"):
        planner.discard(proposal.id)
    if what in ("tell", "late"):
        values = {"y": float(rng.random()), "z": float(rng.random())}
        told = Observation(
            parameters=proposal.parameters, values=values, proposal_id=proposal.id, context={"lot": f"B{number}"}
        )
        planner.tell([told])
    if what == "fail":
        planner.tell([Observation(parameters=proposal.parameters, failure="cracked", proposal_id=proposal.id)])


@pytest.mark.parametrize("name", list(SPACES))
@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=steps, seed=st.integers(0, 3))
def test_a_planner_that_was_loaded_goes_on_as_the_one_that_was_saved(
    name: str, steps: list[Step], seed: int, tmp_path: Path
) -> None:
    rng = np.random.default_rng(seed)
    planner = Planner(SPACES[name], OBJECTIVES, seed=seed, options={"start": 3, "candidates": 50})
    for step in steps:
        take(planner, step, rng)
    planner.save(tmp_path / "planner.json")
    again = Planner.load(tmp_path / "planner.json")
    assert again.observations == planner.observations
    assert again.pending == planner.pending
    assert again.diagnostics() == planner.diagnostics()
    assert again.ask(2) == planner.ask(2)
    again.save(tmp_path / "again.json")
    planner.save(tmp_path / "planner.json")
    assert (tmp_path / "again.json").read_bytes() == (tmp_path / "planner.json").read_bytes()


def a_saved_one(folder: Path) -> Path:
    planner = Planner(SPACES["mixed"], OBJECTIVES[:1], seed=1)
    for proposal in planner.ask(3):
        planner.tell([Observation(parameters=proposal.parameters, values={"y": 0.5}, proposal_id=proposal.id)])
    planner.save(folder / "planner.json")
    return folder / "planner.json"


def test_a_file_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    path = a_saved_one(tmp_path)
    before = path.read_bytes()
    planner = Planner.load(path)
    planner.tell([Observation(parameters=planner.ask(1)[0].parameters, values={"y": 1.0}, context={"lot": object()})])  # type: ignore[dict-item]
    with pytest.raises(BadSave, match="only numbers, words and lists of them can be saved"):
        planner.save(path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda text: text[:-40], "it cannot be read"),
        (lambda text: "[]", "this is no saved planner"),
        (lambda text: '{"a": 1}', "this is no saved planner"),
        (lambda text: text.replace('"labpilot_planner": 1', '"labpilot_planner": 2'), "it has format 2, this labpilot"),
        (lambda text: text.replace('"seed": 1,', '"seed": 1, "finished": [],', 1).replace('"finished"', '"done"', 2),
         "it is damaged: KeyError: 'finished'"),
        (lambda text: text.replace('"y": 0.5', '"q": 0.5', 1), "it is damaged: BadObservation: observation 0: no obj"),
        (lambda text: text.replace('"kind": "integer"', '"kind": "whole"'), "it is damaged: KeyError: 'whole'"),
        (lambda text: text.replace('"high": 900.0', '"high": -900.0'), "it is damaged: SpaceError"),
    ],
)  # fmt: skip
def test_what_is_no_saved_planner_is_refused(change, message: str, tmp_path: Path) -> None:  # noqa: ANN001
    path = a_saved_one(tmp_path)
    path.write_text(change(path.read_text()))
    with pytest.raises(BadSave, match=message):
        Planner.load(path)
    with pytest.raises(BadSave, match="cannot be read"):
        Planner.load(tmp_path / "none.json")


def test_the_document_is_plain(tmp_path: Path) -> None:
    found = json.loads(a_saved_one(tmp_path).read_text())
    assert found["space"]["parameters"][1]["scale"] == "log"
    assert found["observations"][0]["values"] == {"y": 0.5}
    assert found["asks"] == 1


def test_a_folder_that_is_missing_is_said(tmp_path):
    planner = Planner(SearchSpace([Continuous("a", 0.0, 1.0)]), [Objective("y", "maximize")])
    with pytest.raises(BadSave, match=r"planner\.json: it cannot be written: No such file or directory"):
        planner.save(tmp_path / "no folder" / "planner.json")


def test_fingerprints_and_shared_parameters_survive(tmp_path):
    rows = [{"a": a / 10, "b": b / 10} for a in range(4) for b in range(4)]
    space = SearchSpace([Continuous("a", 0.0, 1.0), Continuous("b", 0.0, 1.0)], candidates=rows, shared=["a"])
    planner = Planner(space, [Objective("pattern", "classify")], policy="random", seed=4)
    for proposal in planner.ask(2):
        told = Observation(
            parameters=proposal.parameters, fingerprints={"pattern": list(range(20))}, proposal_id=proposal.id
        )
        planner.tell([told])
    planner.save(tmp_path / "planner.json")
    again = Planner.load(tmp_path / "planner.json")
    assert again.space.shared == ("a",) and again.observations == planner.observations
    assert again.ask(3) == planner.ask(3)
