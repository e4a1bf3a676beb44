"""Where the results come from: seeds, versions, devices, hashes, and the campaign file itself."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Iterable, Iterator, Mapping
from html import escape
from typing import Any

from orchestrator.reading import Reading, Snapshot
from orchestrator.report.sections import table
from orchestrator.words import number


def origin(snapshot: Snapshot, reading: Reading) -> str:
    """Return what a reader needs to do it again, and to see that nothing was changed since."""
    return "".join(
        [
            '<div class="pair">',
            f"<div><h3>Planning and analysis</h3>{_rows(_planning(snapshot))}</div>",
            f"<div><h3>Versions</h3>{_rows(_versions(snapshot.campaign.versions))}</div>",
            "</div>",
            _answers(snapshot),
            "<h3>Fingerprints</h3>",
            '<p class="about">Equal fingerprints mean equal content. The first one compares two executions with one '
            "seed; the others show whether anything was changed since.</p>",
            _rows(_fingerprints(snapshot, reading)),
            _devices(reading),
            _file("The campaign as it was executed", snapshot.campaign.config),
            _file("The lab", snapshot.campaign.lab),
        ]
    )


def _planning(snapshot: Snapshot) -> Iterator[tuple[str, str]]:
    campaign = snapshot.campaign
    yield "seed", str(campaign.seed)
    yield "planner", campaign.planner
    options = (campaign.config.get("planner") or {}).get("options")
    if options:
        yield "planner options", json.dumps(options, sort_keys=True)
    yield "analysis", ", ".join(sorted({row.analysis for row in snapshot.observations})) or "none was needed yet"
    yield "times the controller started", str(campaign.starts)
    yield "journal", f"{number(snapshot.journal.n_events)} events, the last is number {snapshot.journal.last_seq}"


def answers(provenance: Mapping[str, Any]) -> list[str]:
    """Return what simulated worlds say of where their answers come from, one sentence each."""
    return [
        f"{world}: {sentence}"
        for world, facts in provenance.items()
        if isinstance(facts, Mapping)
        for sentence in facts.get("summary", [])
    ]


def _answers(snapshot: Snapshot) -> str:
    provenance = snapshot.campaign.provenance
    if not provenance:
        return ""
    sentences = "".join(f"<li>{escape(text)}</li>" for text in answers(provenance))
    return (
        f"<h3>Where the simulated answers come from</h3><ul>{sentences}</ul>"
        f"{_file('All that the worlds say of it', provenance)}"
    )


def _versions(versions: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name, value in versions.items():
        yield str(name), str(value)


def _fingerprints(snapshot: Snapshot, reading: Reading) -> Iterator[tuple[str, str]]:
    trials = [[t.number, t.parameters, t.outcome, t.values, t.is_control] for t in snapshot.trials]
    yield "trials: parameters, outcomes, values", _digest([json.dumps(trials, sort_keys=True)])
    yield "measurement files", _digest(sorted(f"{row.path} {row.sha256}" for row in snapshot.measurements))
    yield "journal", _digest(reading.body_hashes())
    yield (
        "campaign and lab",
        _digest(json.dumps(item, sort_keys=True) for item in (snapshot.campaign.config, snapshot.campaign.lab)),
    )


def _digest(lines: Iterable[str]) -> str:
    digest = hashlib.sha256()
    for line in lines:
        digest.update(line.encode() + b"\n")
    return digest.hexdigest()[:32]


def _devices(reading: Reading) -> str:
    found: dict[str, tuple[Any, Any]] = {}
    for body in reading.bodies("controller_started"):
        for name, device in body.get("devices", {}).items():
            found[name] = (device.get("url", ""), device.get("identity", ""))
    if not found:
        return ""
    return "<h3>Devices, as they identified themselves</h3>" + table(
        ["device", "address", "identity"], [[name, *facts] for name, facts in found.items()]
    )


def _file(title: str, data: Mapping[str, Any]) -> str:
    from ruamel.yaml import YAML

    stream = io.StringIO()
    writer = YAML(typ="safe", pure=True)
    writer.default_flow_style = None
    writer.width = 110
    writer.dump(data, stream)
    return f"<details><summary>{escape(title)}</summary><pre>{escape(stream.getvalue())}</pre></details>"


def _rows(pairs: Iterable[tuple[str, str]]) -> str:
    return '<dl class="rows left">' + "".join(f"<dt>{escape(k)}</dt><dd>{escape(v)}</dd>" for k, v in pairs) + "</dl>"
