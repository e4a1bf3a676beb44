"""A campaign whose laboratory is a table: trials of 30 s beside asks of 20 s."""

import os

import pytest

from orchestrator.check import check_campaign
from orchestrator.directory import CampaignDirectory
from orchestrator.journal import read_events

LAB = """
labpilot: 1
name: table
devices:
  robot: {driver: bench, url: "sim:replay/robot"}
"""
CAMPAIGN = """
labpilot: 1
name: hill
seed: 1
lab: lab.yaml
parameters:
  - {name: x, kind: continuous, unit: mm, low: 0, high: 10, step: 0.5}
  - {name: z, kind: continuous, unit: mm, low: 0, high: 10, step: 0.5}
objectives:
  - {name: height, direction: maximize, unit: m}
recipe:
  - perform: {device: robot}
analysis: {kind: reading}
planner: {policy: logei, charge: 20 s, options: {start: 4}}
planning: {ahead: true, charge: 1 s}
budget: {trials: 10}
replay: {table: table.csv, mode: pool, duration: 30 s}
"""


def _height(x, z):
    return 5.0 - 0.1 * (x - 6.5) ** 2 - 0.07 * (z - 3.0) ** 2 + 0.01 * x * z


@pytest.fixture
def hill(tmp_path):
    """Return what makes a checked campaign, its overrides given."""
    (tmp_path / "lab.yaml").write_text(LAB)
    (tmp_path / "campaign.yaml").write_text(CAMPAIGN)
    steps = [index / 2 for index in range(21)]
    rows = [f"{x},{z},{_height(x, z)!r}" for x in steps for z in steps]
    (tmp_path / "table.csv").write_text("\n".join(["x,z,height", *rows]) + "\n")

    def made(*overrides):
        return check_campaign(tmp_path / "campaign.yaml", None, list(overrides)).require()

    return made


@pytest.fixture
def events():
    """Return what reads a campaign's journal: kind, trial, time and body of each event."""

    def read(path):
        engine = CampaignDirectory.open(path).database(migrate=False)
        with engine.connect() as connection:
            found = [(event.kind, event.trial, event.at_s, event.body) for event in read_events(connection)]
        engine.dispose()
        return found

    return read


@pytest.fixture
def in_child():
    """Return what does work in a process of its own, and says by which signal that was killed; 0: by none."""

    def run(work):
        child = os.fork()
        if child == 0:
            try:
                work()
            finally:
                os._exit(0)
        _, status = os.waitpid(child, 0)
        return os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0

    return run
