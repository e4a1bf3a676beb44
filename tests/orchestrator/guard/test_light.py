"""What the guard's process loads: little, so that little of it can break, and it starts again at once."""

import json
import subprocess
import sys

import pytest

from tests.orchestrator.guard.rig import SAFE, WATCHED

HEAVY = (
    "torch",
    "sqlalchemy",
    "sqlmodel",
    "psycopg",
    "alembic",
    "fastapi",
    "typer",
    "pint",
    "scipy",
    "planner",
    "surrogate",
)
MOST_MIB = 120
LAB = {
    "devices": {
        "box-1": {"driver": "furnace", "url": "modbus+tcp://127.0.0.1:9/1"},
        "door-1": {"driver": "door", "url": "http://127.0.0.1:9"},
        "arm-2": {"driver": "robot-arm", "url": "tcp://127.0.0.1:9"},
    },
    "guard": {
        "readings": {"box-1.read_temperature": WATCHED, "door-1.door_state": WATCHED},
        "trips": {"hot": {"when": "box-1.read_temperature > 1150 degC", "stop": ["box-1"]}},
        "devices": {"box-1": SAFE, "arm-2": SAFE},
    },
}
PROGRAM = """
import json, sys
from pathlib import Path
from drivers.clock import RealClock
from orchestrator.guard import process
process.load(Path(sys.argv[1]), {}).drivers(RealClock())
# not ru_maxrss: that is inherited from whoever started this process
peak = next(line for line in open("/proc/self/status") if line.startswith("VmHWM"))
print(json.dumps({"modules": sorted(sys.modules), "mib": int(peak.split()[1]) / 1024}))
"""


@pytest.fixture(scope="module")
def loaded(tmp_path_factory):
    """What a guard has loaded once it has its drivers for Modbus, HTTP and TCP devices."""
    file = tmp_path_factory.mktemp("lab") / "lab.yaml"
    file.write_text(json.dumps(LAB))
    told = subprocess.run([sys.executable, "-c", PROGRAM, str(file)], capture_output=True, text=True, check=True)
    return json.loads(told.stdout)


@pytest.mark.parametrize("module", HEAVY)
def test_the_guard_goes_without(loaded, module):
    assert not [name for name in loaded["modules"] if name.partition(".")[0] == module]


def test_the_guard_needs_nothing_of_scheduler_and_journal(loaded):
    ours = {name for name in loaded["modules"] if name.startswith("orchestrator.")}
    assert not ours & {f"orchestrator.{name}" for name in ("journal", "store", "loop", "runner", "execution", "lab")}
    assert not [name for name in ours if name.startswith("orchestrator.scheduling")]


def test_the_guard_is_small(loaded):
    assert loaded["mib"] < MOST_MIB
