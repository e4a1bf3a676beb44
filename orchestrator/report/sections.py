"""The parts of the page that need no script: head, key figures, tables. Every text from a file is escaped here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

from orchestrator.doubts import Doubt, doubts_of, without
from orchestrator.fidelities import fidelity_in, spent
from orchestrator.reading import Snapshot
from orchestrator.report.gather import objective_facts, parameter_facts
from orchestrator.report.timeline import busy_share
from orchestrator.status.facts import best_trial, count_trials, lab_kind
from orchestrator.store import TrialRow
from orchestrator.words import duration, label, moment, number, plural, quantity, unit_sign

MOST_ROWS = 400
"""A table longer than this is cut, and says so."""

MOST_ROLES = 6
"""Kinds of measurement that the key figures count one by one."""

_LAB_WORDS = {
    "simulated": ("simulated", "Simulated laboratory"),
    "replayed": ("simulated", "Replay of a measured table"),
    "partly simulated": ("real", "Real hardware, partly simulated"),
    "real": ("real", "Real hardware"),
}
_GOALS = {"maximize": "maximise", "minimize": "minimise", "learn": "map", "classify": "map the regions of"}


def head(snapshot: Snapshot, state: str) -> str:
    """Return what the campaign was, where it stands, and on what it ran."""
    campaign = snapshot.campaign
    style, words = _LAB_WORDS[lab_kind(campaign.lab)]
    description = str(campaign.config.get("description") or "")
    clock = "virtual time" if campaign.mode == "virtual" else "wall time"
    as_of = f"as of {escape(moment(snapshot.journal.last_utc))} ({clock})"
    facts = {
        "goal": _goal(snapshot),
        "planner": campaign.planner,
        "seed": campaign.seed,
        "budget": _budget(campaign.config),
        "lab": campaign.lab.get("name", "–"),
        "started": f"{moment(campaign.created_utc)} ({clock})",
    }
    return f"""<header class="masthead">
<p class="kicker"><span>labpilot report</span><span class="badge {style}">{escape(words)}</span>
<span class="spring"></span><button type="button" class="tool no-print" id="scheme">Dark</button></p>
<h1>{escape(campaign.name)}</h1>
{f'<p class="lede">{escape(description)}</p>' if description else ""}
<p class="state"><span class="dot {escape(state)}"></span>
<span><b>{escape(state)}</b>{_why(snapshot, state)} · {as_of}</span></p>
<dl class="facts">{"".join(f"<div><dt>{escape(k)}</dt><dd>{escape(str(v))}</dd></div>" for k, v in facts.items())}</dl>
</header>"""


def _why(snapshot: Snapshot, state: str) -> str:
    if state == "interrupted":
        return f": no controller is alive; <code>labpilot resume {escape(str(snapshot.path))}</code> goes on with it"
    if state == "running":
        return ": the campaign goes on while you read this"
    return f": {escape(snapshot.campaign.reason)}" if snapshot.campaign.reason else ""


def _goal(snapshot: Snapshot) -> str:
    parts = [
        item["goal"] or f"{_GOALS.get(item['direction'], '')} {titled(item)}".strip()
        for item in objective_facts(snapshot)
    ]
    over = parameter_facts(snapshot)
    names = " and ".join(item["label"] for item in over) if len(over) < 3 else f"{len(over)} parameters"
    return f"{'; '.join(parts)} over {names}"


def titled(item: Mapping[str, Any]) -> str:
    """Return the label of a parameter or objective with its unit."""
    return f"{item['label']} ({item['unit']})" if item["unit"] else item["label"]


def _budget(config: Mapping[str, Any]) -> str:
    budget = config.get("budget") or {}
    parts = [plural(budget["trials"], "trial")] if budget.get("trials") else []
    limit = str(budget.get("duration", ""))
    if limit:
        seconds = limit.removesuffix(" s")
        parts.append(duration(float(seconds)) if seconds.replace(".", "", 1).isdigit() else limit)
    cost = budget.get("cost")
    parts += [f"{float(cost):g} in cost"] if cost is not None else []
    return " or ".join(parts) or "none"


def key_figures(snapshot: Snapshot) -> str:
    """Return the numbers that a reader wants first."""
    counts = count_trials(snapshot.trials, snapshot.campaign.config)
    kinds = ((counts.failed, "failed"), (counts.lost, "lost"), (counts.open, "open"))
    trouble = [f"{n} {word}" for n, word in kinds if n]
    trouble += [f"{number(len(snapshot.known))} known beforehand"] if snapshot.known else []
    note = (" · ".join(trouble) or "none failed, none lost") + _spent(snapshot)
    of = f" <small>of {number(counts.budget)}</small>" if counts.budget else ""
    cards = [("Trials measured", f"{number(counts.measured)}{of}", note)]
    cards += [card for card in (_result_card(snapshot), _measurement_card(snapshot), _time_card(snapshot)) if card]
    cards += [card for card in (_busy_card(snapshot), _planning_card(snapshot), _incident_card(snapshot)) if card]
    cards += [card for card in (_cost_card(snapshot),) if card]
    return (
        '<dl class="figures">'
        + "".join(
            f'<div><dt>{name}</dt><dd class="value">{value}</dd><dd class="note">{note}</dd></div>'
            for name, value, note in cards
        )
        + "</dl>"
    )


def _result_card(snapshot: Snapshot) -> tuple[str, str, str] | None:
    believed = without(snapshot.trials, doubted_at_last(snapshot))
    best = best_trial(believed, snapshot.campaign.config)
    if best is not None:
        unit = escape(unit_sign(best.unit))
        value = f"{number(best.value)} <small>{unit}</small>" if unit else number(best.value)
        is_control = any(trial.number == best.trial and trial.is_control for trial in snapshot.trials)
        return (
            f"Best {escape(label(best.objective))}",
            value,
            f"trial {best.trial}{', a control' if is_control else ''}",
        )
    return _uncertainty_card(snapshot)


def doubted_at_last(snapshot: Snapshot) -> list[Doubt]:
    """Return the results that the planner did not believe when it was last asked."""
    last = max(snapshot.asks, key=lambda ask: ask.index, default=None)
    return doubts_of(last, snapshot.trials, snapshot.campaign.config)


def doubts(snapshot: Snapshot) -> str:
    """Return a list of the results that are not believed; nothing where all are."""
    found = doubted_at_last(snapshot)
    if not found:
        return ""
    said = "".join(f"<li>{escape(str(one)[0].upper() + str(one)[1:])}.</li>" for one in found)
    return (
        "<h3>Not believed</h3><p class='about'>When it was last asked, the planner took these results for gross errors "
        "(a failed transfer, a wrong label): it learns nothing from them, and none of them is the best. Measure again "
        f"what may be true.</p><ul>{said}</ul>"
    )


def _uncertainty_card(snapshot: Snapshot) -> tuple[str, str, str] | None:
    """Return the map's uncertainty now and at its largest: the first is that of next to no data, and may be small."""
    found = [ask.diagnostics["map_uncertainty"] for ask in snapshot.asks if ask.diagnostics.get("map_uncertainty")]
    if not found:
        return None
    unit = escape(objective_facts(snapshot)[0]["unit"])
    value = f"{number(found[-1], 3)} <small>{unit}</small>" if unit else number(found[-1], 3)
    largest = "its largest so far" if found[-1] == max(found) else f"{number(max(found), 3)} at its largest"
    return "Map uncertainty", value, f"mean standard deviation of the map over the search space; {largest}"


def _measurement_card(snapshot: Snapshot) -> tuple[str, str, str] | None:
    if not snapshot.measurements:
        return None
    roles = [row.role if row.kind == "spectrum" else "" for row in snapshot.measurements]
    names = [f"{role} {row.kind}".strip() for role, row in zip(roles, snapshot.measurements, strict=True)]
    most = sorted(set(names), key=lambda name: (-names.count(name), name))[:MOST_ROLES]
    note = ", ".join(plural(names.count(name), escape(name), escape(_several(name))) for name in most)
    return "Measurements", number(len(names)), note


def _several(name: str) -> str:
    return name.removesuffix("spectrum") + "spectra" if name.endswith("spectrum") else f"{name}s"


def _time_card(snapshot: Snapshot) -> tuple[str, str, str]:
    spans = [
        t.finished_s - t.started_s for t in snapshot.trials if t.started_s is not None and t.finished_s is not None
    ]
    middle = sorted(spans)[len(spans) // 2] if spans else None
    name = "Virtual time" if snapshot.campaign.mode == "virtual" else "Wall time"
    return (
        name,
        duration(snapshot.journal.last_s),
        f"{duration(middle)} a trial (median)" if spans else "no trial has ended",
    )


def _busy_card(snapshot: Snapshot) -> tuple[str, str, str] | None:
    shares = busy_share(snapshot)
    if not shares:
        return None
    busiest = max(shares, key=lambda name: shares[name])
    idlest = min(shares, key=lambda name: shares[name])
    note = f"{escape(idlest)} {100 * shares[idlest]:.0f}%, the least" if len(shares) > 1 else "of the campaign's time"
    return "Busiest instrument", f"{100 * shares[busiest]:.0f}<small>%</small>", f"{escape(busiest)}; {note}"


def _planning_card(snapshot: Snapshot) -> tuple[str, str, str] | None:
    if not snapshot.asks:
        return None
    wall_s = sum(ask.wall_s for ask in snapshot.asks)
    return (
        "Planning took",
        duration(wall_s),
        f"{plural(len(snapshot.asks), 'ask')} by {escape(snapshot.campaign.planner)}",
    )


def _incident_card(snapshot: Snapshot) -> tuple[str, str, str]:
    kinds = [incident.kind for incident in snapshot.incidents]
    others = [f"{kinds.count(kind)} {escape(kind)}" for kind in sorted(set(kinds)) if kind != "intervention"]
    return "Interventions", number(kinds.count("intervention")), ", ".join(others) or "nothing else to recover from"


def _spent(snapshot: Snapshot) -> str:
    """Return what trials cost together where they have fidelities."""
    config = snapshot.campaign.config
    if fidelity_in(config["parameters"]) is None:
        return ""
    most = (config.get("budget") or {}).get("cost")
    of = "" if most is None else f" of {float(most):g}"
    return f" · {spent(config['parameters'], snapshot.trials):.4g}{of} in cost"


def _cost_card(snapshot: Snapshot) -> tuple[str, str, str] | None:
    bill = snapshot.bill
    if bill.prices is None:
        return None
    total = number(round(bill.total)) if bill.total >= 1000 else f"{bill.total:.2f}"
    left_out = "; not everything has a price" if bill.unknown else ""
    return "Cost", f"{total} <small>{escape(bill.currency)}</small>", f"{number(bill.energy_kwh, 3)} kWh{left_out}"


def trouble(snapshot: Snapshot) -> str:
    """Return tables of what failed, what was lost, what needed recovery, and why."""
    bad = [trial for trial in snapshot.trials if trial.outcome in ("failed", "lost")]
    settled = [step for step in snapshot.steps if step.settled_by]
    parts = [_reasons(bad) + _trials_table(snapshot, bad) if bad else "<p>No trial failed, and none was lost.</p>"]
    if snapshot.incidents:
        parts.append("<h3>Incidents</h3>" + _incidents_table(snapshot))
    if settled:
        rows = [
            [_link(step.trial), step.device, step.command, step.label, step.settled_by, step.state, step.error]
            for step in settled[:MOST_ROWS]
        ]
        head_ = ["trial", "device", "command", "what", "settled by", "now", "error"]
        parts.append("<h3>Intents that a crash or a silence left open</h3>" + table(head_, rows, cut=len(settled)))
    fallbacks = [ask for ask in snapshot.asks if ask.fallback_reason]
    if fallbacks:
        rows = [[ask.index + 1, ask.policy, ask.fallback_reason] for ask in fallbacks[:MOST_ROWS]]
        parts.append(
            "<h3>Asks that another policy answered</h3>"
            + table(["ask", "answered by", "why"], rows, cut=len(fallbacks))
        )
    return "".join(parts)


def _reasons(bad: Sequence[TrialRow]) -> str:
    """Return the most frequent reasons in a sentence, where there is more than one trial to sum up."""
    if len(bad) < 4:
        return ""
    reasons = [trial.reason for trial in bad]
    common = sorted(set(reasons), key=lambda reason: (-reasons.count(reason), reason))[:4]
    parts = "; ".join(f"{escape(reason)} ({reasons.count(reason)})" for reason in common)
    more = "; and others" if len(set(reasons)) > len(common) else ""
    return f'<p class="about">{len(bad)} trials gave no result: {parts}{more}.</p>'


class _Markup(str):
    """Text that is HTML already."""


def _link(trial: int | None) -> _Markup:
    return _Markup("" if trial is None else f'<button type="button" class="link" data-trial="{trial}">{trial}</button>')


def _trials_table(snapshot: Snapshot, bad: Sequence[TrialRow]) -> str:
    facts = parameter_facts(snapshot)
    shown = facts if len(facts) <= 4 else []
    rows = [
        [
            _link(trial.number),
            _Markup(f'<span class="outcome {trial.outcome}">{trial.outcome}</span>'),
            trial.reason,
            *(quantity(trial.parameters.get(item["name"]), item["unit"]) for item in shown),
        ]
        for trial in bad[:MOST_ROWS]
    ]
    return table(["trial", "outcome", "why", *(item["label"] for item in shown)], rows, cut=len(bad), wide=2)


def _incidents_table(snapshot: Snapshot) -> str:
    rows = [
        [duration(row.at_s), row.kind, _link(row.trial), row.device, row.text] for row in snapshot.incidents[:MOST_ROWS]
    ]
    return table(["at", "kind", "trial", "device", "what happened"], rows, cut=len(snapshot.incidents), wide=4)


def all_trials(snapshot: Snapshot) -> str:
    """Return every trial as a table."""
    facts, targets = parameter_facts(snapshot), objective_facts(snapshot)
    rows = [
        [
            _link(trial.number),
            (trial.outcome or "open") + (", control" if trial.is_control else ""),
            *(number(trial.parameters.get(item["name"])) for item in facts),
            *(number(trial.values.get(item["name"])) for item in targets),
            duration(trial.finished_s),
        ]
        for trial in snapshot.trials[: 5 * MOST_ROWS]
    ]
    names = [titled(item) for item in [*facts, *targets]]
    return table(
        ["trial", "outcome", *names, "finished"], rows, cut=len(snapshot.trials), numeric=range(2, 3 + len(names))
    )


def table(
    names: Sequence[str],
    rows: Sequence[Sequence[Any]],
    *,
    cut: int = 0,
    wide: int | None = None,
    numeric: Iterable[int] = (),
) -> str:
    """Return a table; cut is how many rows there would be, wide the column of sentences, numeric those of numbers."""
    kinds = dict.fromkeys(numeric, "n") | ({wide: "words"} if wide is not None else {})
    style = [f' class="{kinds[i]}"' if i in kinds else "" for i in range(len(names))]
    heads = "".join(f"<th{style[i]}>{escape(name)}</th>" for i, name in enumerate(names))
    body = "".join(
        "<tr>" + "".join(f"<td{style[i]}>{_cell(cell)}</td>" for i, cell in enumerate(row)) + "</tr>" for row in rows
    )
    more = f"<p class='about'>{len(rows)} of {cut} rows are shown.</p>" if cut > len(rows) else ""
    return f'<div class="scroll"><table><thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table></div>{more}'


def _cell(value: Any) -> str:
    return value if isinstance(value, _Markup) else escape("" if value is None else str(value))
