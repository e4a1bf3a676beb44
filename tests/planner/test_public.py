"""What `import planner` gives, and what it must not load."""

import subprocess
import sys

import planner

SCRIPT = """
import sys
from planner import Categorical, Continuous, Integer, Objective, Observation, Planner, SearchSpace
axes = [Continuous("a", 0, 1, step=0.25), Continuous("b", 0, 1, step=0.25), Integer("c", 1, 3)]
space = SearchSpace(axes, ["a + b <= 1"])
for policy in {policies}:
    proposal = Planner(space, [Objective("y", "maximize")], policy=policy).ask(2)[0]
loaded = [name for name in ("torch", "botorch", "gpytorch", "pandas", "sklearn", "scipy.stats") if name in sys.modules]
print(" ".join(loaded))
"""


def loaded_by(policies: list[str]) -> list[str]:
    script = SCRIPT.format(policies=policies)
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60)
    return done.stdout.split()


def test_planning_without_a_model_loads_no_torch() -> None:
    assert loaded_by(["random", "grid"]) == []
    assert loaded_by(["sobol"]) == ["scipy.stats"]


def test_a_learning_policy_loads_torch_only_when_it_learns() -> None:
    assert "torch" not in loaded_by(["auto", "logei", "uncertainty"])


def test_all_public_names_exist() -> None:
    assert all(hasattr(planner, name) for name in planner.__all__)
    assert {"Categorical", "Continuous", "Integer", "Objective", "Observation", "Planner", "SearchSpace"} <= set(
        planner.__all__
    )


def test_every_policy_can_be_imported() -> None:
    from planner.policies.base import policy_class

    for name in planner.POLICIES:
        assert callable(policy_class(name).propose)
