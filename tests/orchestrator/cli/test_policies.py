import subprocess
import sys

import pytest

from orchestrator.cli.policies import POLICIES
from planner.policies.base import POLICIES as INSTALLED


def test_the_help_knows_every_policy():
    assert set(POLICIES) == set(INSTALLED)


@pytest.mark.parametrize("command", ["simulate", "run"])
def test_the_help_of_planner_names_the_policies_and_loads_no_numpy(command):
    code = (
        "import sys\n"
        "from orchestrator.cli.main import supervise\n"
        f"supervise(['{command}', '--help'])\n"
        "print('numpy' in sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "integrated_variance" in done.stdout
    assert done.stdout.splitlines()[-1] == "False"
