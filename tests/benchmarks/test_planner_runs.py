"""Runs of planners in processes of their own: `random`, ours, and scripts that misbehave."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from planner_peers import ENTRIES, Entry
from planner_problems import BRANIN, HIDDEN_FAILURE, TERNARY
from planner_runs import WORKER, Environments, Trials, WorkerEnded, perform
from planner_runs import Worker as PlannerWorker
from planner_space import Space
from planner_store import Store

PYTHON = Path(sys.executable)
PLANNERS = WORKER.with_name("planners.py")


def random_run(problem, seed=0, budget=20):
    return perform("random", problem, seed, budget, PYTHON, 60)


@pytest.mark.parametrize("problem", [BRANIN, TERNARY, HIDDEN_FAILURE], ids=lambda problem: problem.name)
def test_a_run_of_random_points_is_whole_and_its_own_again(problem):
    run = random_run(problem)
    assert len(run.true) == len(run.observed) == 20
    assert len(run.points) == len(run.cpu_s) == 20 - problem.n_initial
    assert (run.duplicates, run.violations, run.stopped) == (0, 0, "")
    assert run.version == Environments(None).version(ENTRIES["random"])
    again = random_run(problem)
    assert (again.points, again.observed) == (run.points, run.observed)
    assert random_run(problem, seed=1).points != run.points
    firsts = [problem.truth(point) for point in problem.initial(0)]
    assert run.true[: len(firsts)] == [None if v is None else pytest.approx(v, rel=1e-5) for v in firsts]


def test_our_planner_answers_the_same_protocol_and_knows_the_failures():
    run = perform("ours", HIDDEN_FAILURE, 0, 12, PYTHON, 120)
    assert (len(run.true), run.duplicates, run.violations, run.stopped) == (12, 0, 0, "")
    assert run.version == Environments(None).version(ENTRIES["ours"])


def test_duplicates_and_violations_are_counted_by_the_problem_itself():
    trials = Trials(TERNARY, 0)
    for point in (
        {"a": 0.2, "b": 0.3, "c": 0.5},
        {"a": 0.2 + 1e-13, "b": 0.3, "c": 0.5},
        {"a": 0.5, "b": 0.3, "c": 0.2},
    ):
        trials.measure(point)
    assert (trials.duplicates, trials.violations) == (1, 1)


def test_failures_are_told_apart_from_values():
    trials = Trials(HIDDEN_FAILURE, 0)
    assert trials.measure({"temperature": 900.0, "time": 1.0, "ratio": 1.0, "flux": 0.5}) is None
    assert trials.true == trials.observed == [None]


def test_a_planner_beyond_its_cpu_time_is_ended_by_the_system():
    run = perform("ours", BRANIN, 0, 5000, PYTHON, 4)
    assert run.stopped == "time"
    assert BRANIN.n_initial < len(run.true) < 5000
    assert len(run.points) == len(run.cpu_s) == len(run.true) - BRANIN.n_initial


def test_a_planner_that_fails_is_a_result():
    with PlannerWorker("random", PYTHON, 60) as worker:
        worker.call({"space": BRANIN.space.to_json(), "seed": 0})
        with pytest.raises(WorkerEnded, match="error: KeyError"):
            worker.call({"nonsense": 1})


def test_a_problem_that_a_planner_cannot_express_is_reported_with_the_reason(tmp_path):
    (tmp_path / "refusing.py").write_text(
        "from planner_peers import ENTRIES, Entry, Unsupported\n"
        "import planner_worker, json\n"
        "class Refusing(Entry):\n"
        "    def open(self, space, seed): raise Unsupported('no mixtures')\n"
        "entry = Refusing(module='none', environment=None, distribution='numpy')\n"
        f"told = json.dumps({{'space': {TERNARY.space.to_json()!r}, 'seed': 0}})\n"
        "print(json.dumps(list(planner_worker.answers(entry, iter([told])))))\n"
    )
    ran = subprocess.run(
        [sys.executable, str(tmp_path / "refusing.py")],
        env={"PYTHONPATH": str(WORKER.parent), "PATH": ""},
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(ran.stdout) == [{"unsupported": "no mixtures"}]


def test_the_worker_needs_nothing_of_labpilot():
    told = json.dumps({"space": BRANIN.space.to_json(), "seed": 0}) + "\n" + json.dumps({"tell": [], "n": 3}) + "\n"
    code = f"import sys, runpy; sys.argv = ['w', 'random']; runpy.run_path({str(WORKER)!r}, run_name='__main__'); "
    code += "print([n for n in ('planner', 'simulators', 'orchestrator') if n in sys.modules], file=sys.stderr)"
    ran = subprocess.run(
        [sys.executable, "-c", code],
        input=told,
        env={"PYTHONPATH": str(WORKER.parent), "PATH": ""},
        capture_output=True,
        text=True,
        check=True,
    )
    version, answer = map(json.loads, ran.stdout.splitlines())
    assert set(version) == {"version"}
    assert len(answer["points"]) == 3
    assert all(BRANIN.space.violations(point) == [] for point in answer["points"])
    assert ran.stderr.strip().endswith("[]")


def test_only_missing_runs_are_made(tmp_path):
    command = [sys.executable, str(PLANNERS), "run", "--data", str(tmp_path), "--planners", "random", "--budget", "15"]
    command += ["--problems", "branin,ternary", "--results", str(tmp_path / "results")]
    first = _lines([*command, "--seeds", "0-1"])
    assert [line.split()[1:4] for line in first] == [
        ["random", name, f"{seed}:"] for name in ("branin", "ternary") for seed in (0, 1)
    ]
    file = Store(tmp_path / "results").file("random", "branin")
    whole = file.read_text()
    file.write_text(whole[:-30])
    assert [line.split()[1:4] for line in _lines([*command, "--seeds", "0-1"])] == [["random", "branin", "1:"]]
    kept = Store(tmp_path / "results").runs("random", "branin")
    assert sorted(kept) == [0, 1]


def test_a_peer_without_an_environment_is_left_out(tmp_path):
    entry = Entry(module="x", environment="absent", distribution="numpy")
    assert Environments(tmp_path).python(entry) is None
    assert Environments(tmp_path).version(entry) is None
    assert Environments(None).python(entry) is None


def _lines(command):
    ran = subprocess.run(command, capture_output=True, text=True, check=True, timeout=200)
    return ran.stdout.splitlines()


def test_a_space_goes_through_the_protocol_unchanged():
    for problem in (BRANIN, TERNARY, HIDDEN_FAILURE):
        assert Space.from_json(json.loads(json.dumps(problem.space.to_json()))) == problem.space
