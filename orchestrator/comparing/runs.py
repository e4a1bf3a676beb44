"""One run: a campaign with one planner and one seed, simulated, and kept as a file of its own.

A run is kept below a name that says what was run (campaign, lab, table, planner, versions): what is there already is
not made again, and what was run under other terms is neither used nor lost.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from orchestrator.check import Ready
from orchestrator.comparing.contenders import Contender
from orchestrator.directory import CampaignDirectory
from orchestrator.execution import Settings
from orchestrator.points import pool_for
from orchestrator.records import read_asks
from orchestrator.simulate import simulate
from orchestrator.space import search_space

FORMAT = 1
_DISTRIBUTIONS = {"ax": "ax-platform", "baybe": "baybe"}
"""Whose version a policy's answers depend on, apart from our own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """A run to be made, as plain data that another process takes."""

    label: str
    seed: int
    file: Path
    fingerprint: str
    campaign: Mapping[str, Any]
    lab: Mapping[str, Any]
    provenance: Mapping[str, Any]

    @property
    def log(self) -> Path:
        """What the run said while it was made; kept where it failed."""
        return self.file.with_suffix(".log")


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A run that was made."""

    label: str
    seed: int
    result: Mapping[str, Any]
    """As `labpilot simulate --json` writes it."""
    violations: int
    """Trials whose parameters the search space does not admit; never any, unless something is broken."""
    fallbacks: Sequence[str]
    """Why random points had to stand in, for each ask at which the planner failed."""


def tasks_of(
    contender: Contender, ready: Ready, seeds: Sequence[int], out: Path, provenance: Mapping[str, Any]
) -> list[Task]:
    """Return the runs of one planner."""
    campaign, lab = ready.campaign.data(), ready.lab.data()
    terms = {"campaign": {**campaign, "seed": None}, "lab": lab, "table": _table_digest(ready), "format": FORMAT}
    fingerprint = hashlib.sha256(json.dumps([terms, _versions(contender.policy)], sort_keys=True).encode()).hexdigest()
    folder = out / f"{contender.slug}-{fingerprint[:8]}"
    return [
        Task(
            label=contender.label,
            seed=seed,
            file=folder / f"seed-{seed:04d}.json",
            fingerprint=fingerprint,
            campaign={**campaign, "seed": seed},
            lab=lab,
            provenance=provenance,
        )
        for seed in seeds
    ]


def kept(task: Task) -> Run | None:
    """Return the run if it was made before; None where its file is missing, damaged, or of other terms."""
    try:
        found = json.loads(task.file.read_text(encoding="utf-8"))
        if found["fingerprint"] != task.fingerprint:
            return None
        return Run(
            label=task.label,
            seed=task.seed,
            result=found["result"],
            violations=found["violations"],
            fallbacks=found["fallbacks"],
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None


def make(task: Task) -> None:
    """Simulate, and keep what came out; a file is complete or absent.

    Raises:
        KeyboardInterrupt: It was stopped; nothing is kept of half a run.
    """
    ready = Ready.from_data(task.campaign, task.lab)
    with TemporaryDirectory(prefix="labpilot-compare-") as folder:
        place = Path(folder) / "run"
        result = simulate(ready, place, Settings(is_virtual=True, fsync=False, provenance=task.provenance))
        if result["status"] == "stopped":
            raise KeyboardInterrupt
        fallbacks = _fallbacks(place)
    value = {
        "format": FORMAT,
        "fingerprint": task.fingerprint,
        "planner": task.label,
        "violations": _violations(ready, result["trials"]),
        "fallbacks": fallbacks,
        "result": result,
    }
    partial = task.file.with_name(f"{task.file.name}.{os.getpid()}.partial")
    partial.write_text(json.dumps(value, allow_nan=False) + "\n", encoding="utf-8")
    partial.replace(task.file)


def _fallbacks(place: Path) -> list[str]:
    engine = CampaignDirectory.open(place).database(migrate=False)
    with engine.connect() as connection:
        reasons = [str(ask["fallback_reason"]) for ask in read_asks(connection) if ask["fallback_reason"]]
    engine.dispose()
    return reasons


def _violations(ready: Ready, trials: Sequence[Mapping[str, Any]]) -> int:
    space = search_space(ready.campaign, pool_for(ready.campaign, ready.worlds))
    return sum(not space.contains(trial["parameters"]) for trial in trials if not trial["is_control"])


def _table_digest(ready: Ready) -> str:
    replay = ready.campaign.replay
    if replay is None or replay.table is None:
        return ""
    return hashlib.sha256(Path(replay.table).read_bytes()).hexdigest()


def _versions(policy: str) -> dict[str, str]:
    found = {"labpilot": version("labpilot"), "planner": _source_digest()}
    if policy in _DISTRIBUTIONS:
        try:
            found[policy] = version(_DISTRIBUTIONS[policy])
        except PackageNotFoundError:
            found[policy] = ""
    return found


@cache
def _source_digest() -> str:
    """Return a digest of the planner's source, so that a policy that was changed is run anew."""
    digest = hashlib.sha256()
    for package in ("planner", "surrogate"):
        found = find_spec(package)
        folder = Path((found.origin if found else None) or "").parent
        for file in sorted(folder.rglob("*.py")):
            digest.update(str(file.relative_to(folder)).encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()[:12]
