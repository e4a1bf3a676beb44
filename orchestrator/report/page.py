"""The page: one HTML file that needs no network, and whose own policy forbids any."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from functools import cache
from html import escape
from importlib import resources
from string import Template
from typing import Any

from orchestrator.fidelities import fidelity_in
from orchestrator.reading import Reading, Snapshot
from orchestrator.report.beforehand import known_beforehand
from orchestrator.report.compute import compute
from orchestrator.report.costs import costs
from orchestrator.report.elsewhere import elsewhere
from orchestrator.report.gather import leading_fact
from orchestrator.report.hands import people
from orchestrator.report.models import models
from orchestrator.report.origin import answers, origin
from orchestrator.report.pack import script_json
from orchestrator.report.sections import all_trials, doubts, head, key_figures, trouble
from orchestrator.status.facts import lab_kind, planner_alarms
from orchestrator.words import label

SCRIPTS = ("base.js", "progress.js", "map.js", "trials.js", "gantt.js", "main.js")


def render(
    snapshot: Snapshot,
    reading: Reading,
    payload: Mapping[str, Any],
    *,
    state: str,
    notices: Sequence[str],
) -> str:
    """Return the whole page."""
    plotly, script = _plotly(), "\n".join(_asset(name) for name in SCRIPTS)
    return Template(_asset("template.html")).substitute(
        policy=_policy(plotly, script),
        title=escape(f"{snapshot.campaign.name} · labpilot report"),
        style=_asset("report.css"),
        body=_body(snapshot, reading, payload, state=state, notices=notices),
        data=script_json(payload),
        plotly=plotly,
        script=script,
    )


def _policy(*scripts: str) -> str:
    """Forbid every request, and every script but these two; plotly sets styles as it draws."""
    hashes = " ".join(
        f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'" for text in scripts
    )
    return (
        f"default-src 'none'; script-src {hashes}; style-src 'unsafe-inline'; img-src data: blob:; "
        "base-uri 'none'; form-action 'none'"
    )


def _asset(name: str) -> str:
    return (resources.files("orchestrator.report") / name).read_text(encoding="utf-8")


@cache
def _plotly() -> str:
    """Return plotly's script from its package; it must not close the element that holds it."""
    text = (resources.files("plotly") / "package_data" / "plotly.min.js").read_text(encoding="utf-8")
    return text.replace("</script", "<\\/script")


def _body(
    snapshot: Snapshot, reading: Reading, payload: Mapping[str, Any], *, state: str, notices: Sequence[str]
) -> str:
    told = answers(snapshot.campaign.provenance) if lab_kind(snapshot.campaign.lab) == "replayed" else []
    warnings = "".join(f'<p class="notice">{escape(text)}</p>' for text in notices)
    warnings += "".join(f'<p class="notice info">{escape(text)}</p>' for text in told)
    warnings += "".join(f'<p class="notice">{escape(text)}</p>' for text in _alarms(snapshot))
    objective = leading_fact(snapshot) or {"direction": "learn", "label": "result"}
    sections = [
        ("progress", "Progress", _progress(payload, objective, _counted(snapshot))),
        ("learned", "What was learned", _learned(payload, objective) + elsewhere(snapshot)),
        ("trials", "Trial by trial", _trials(snapshot) + doubts(snapshot) + known_beforehand(snapshot)),
        ("instruments", "Instruments", _instruments(payload) + compute(snapshot, reading)),
        ("trouble", "What failed, and why", trouble(snapshot)),
        ("models", "Models", models(reading)),
        ("people", "People", people(reading)),
        ("costs", "Costs", costs(snapshot)),
        ("origin", "Versions, seeds and origin", origin(snapshot, reading)),
    ]
    contents = "".join(f'<li><a href="#{key}">{escape(title)}</a></li>' for key, title, _ in sections)
    inner = "".join(f'<section id="{key}"><h2>{escape(title)}</h2>{text}</section>' for key, title, text in sections)
    return (
        f"{head(snapshot, state)}<header>{warnings}{key_figures(snapshot)}</header>"
        f'<nav class="contents" aria-label="Contents"><ul>{contents}</ul></nav>'
        "<noscript><main><p class='notice'>The charts need JavaScript, which this page carries itself; the tables do "
        f"not.</p></main></noscript><main>{inner}</main><footer>Written by labpilot from {escape(str(snapshot.path))}. "
        "This file holds all that it shows, and asks no network for anything.</footer>"
    )


def _alarms(snapshot: Snapshot) -> list[str]:
    """Return what the planner said last that a person must know of the results, and since when something was wrong."""
    told = [ask for ask in snapshot.asks if planner_alarms(ask)]
    if not told:
        return []
    last = told[-1]
    when = "the planner" if last is snapshot.asks[-1] else f"the planner at ask {last.index + 1}, not since"
    return [f"{when}, first at ask {told[0].index + 1}: {text}" for text in planner_alarms(last)]


def _chart(key: str, *, title: str, caption: str = "", tools: str = "", identity: str = "") -> str:
    below = f"<figcaption>{caption}</figcaption>" if caption else ""
    name = f' id="{identity}"' if identity else ""
    return (
        f'<figure class="panel"{name}><div class="head"><h3>{title}</h3>{tools}</div>'
        f'<div class="chart" id="{key}"></div>{below}</figure>'
    )


def _progress(payload: Mapping[str, Any], objective: Mapping[str, Any], counted: str) -> str:
    tools = (
        '<span class="no-print"><select class="tool" id="progress-what" aria-label="Which diagnostic" hidden></select> '
        '<span id="progress-axis"></span></span>'
    )
    name = escape(objective["label"])
    if objective["direction"] == "learn":
        caption = (
            "What the planner says of its own map before each ask. Marks below the curve are trials without a result."
        )
        return _chart("progress-chart", title=f"How well the map of {name} is known", caption=caption, tools=tools)
    if objective["direction"] == "classify":
        caption = "How much of the map is expected to be wrong, the reason of each trial says."
        return _chart("progress-chart", title=f"The map of the regions of {name}", caption=caption, tools=tools)
    left = _chart(
        "progress-chart",
        title=f"{name.capitalize()} of every trial, and the best so far",
        caption=f"Click a point to see the trial. Marks below the chart are trials without a result.{counted}",
        tools=tools,
    )
    if not payload["honesty"][1]:
        return left
    right = _chart(
        "honesty-chart",
        title="Predicted and measured",
        caption=_honesty_caption(payload),
    )
    return f'<div class="wide-left">{left}{right}</div>'


def _honesty_caption(payload: Mapping[str, Any]) -> str:
    text = "Each trial against what the planner expected when it proposed it; on the dotted line it was right."
    inside, total = payload["honesty"]
    if not total:
        return text
    return f"{text} {inside} of {total} measured values ({inside / total:.0%}) lay in the 90% interval."


def _counted(snapshot: Snapshot) -> str:
    """Say which trials may be the best, where there are several fidelities."""
    fidelity = fidelity_in(snapshot.campaign.config["parameters"])
    if fidelity is None:
        return ""
    return f" The best is of trials at {escape(label(fidelity.name))} {escape(fidelity.counted)} alone."


def _learned(payload: Mapping[str, Any], objective: Mapping[str, Any]) -> str:
    posterior, parameters = payload["posterior"], payload["parameters"]
    name = escape(objective["label"])
    why_not = "" if posterior else f'<p class="about">{escape(payload["posterior_why_not"])}</p>'
    if posterior and posterior["kind"] == "map":
        mean = _chart("map-mean", title=f"{name.capitalize()}, as the planner predicts it now")
        sd = _chart("map-sd", title="How uncertain that is: one standard deviation")
        text = (
            "<p class='about'>The planner was rebuilt from the journal for these maps. Circles are the trials' own "
            "parameters; click one to see it below.</p>"
        )
        return f'{text}<div class="pair">{mean}{sd}</div>'
    if len(parameters) == 2 and not any(item["words"] for item in parameters):
        return why_not + _chart("map-points", title=f"{name.capitalize()} of the trials")
    cuts = _chart(
        "cuts-chart", title=f"{name.capitalize()} against each parameter", caption=_cuts_caption(posterior, parameters)
    )
    if len(parameters) < 2:
        return why_not + cuts
    lines = _chart(
        "parallel-chart",
        title="All measured trials side by side",
        caption="One line per trial, from each parameter's least value to its greatest; the best are drawn strongest.",
    )
    return f"{why_not}{cuts}{lines}"


def _cuts_caption(posterior: Mapping[str, Any] | None, parameters: Sequence[Mapping[str, Any]]) -> str:
    has_words = any(item["words"] for item in parameters)
    words = " At words discs with bars stand for the line, rings where a constraint forbids it." if has_words else ""
    if not posterior:
        return "Dots are measured trials; the large one is the best."
    return (
        f"Dots are measured trials; the large one is the best, trial {posterior['trial']}. The line is what the "
        "planner predicts there if only this parameter changed, with the 90% interval; dotted where a constraint "
        f"forbids it.{words}"
    )


def _trials(snapshot: Snapshot) -> str:
    if not snapshot.trials:
        return "<p>No trial was accepted yet.</p>"
    caption = "Ticks show where spectra were taken; between them the map shows the nearest one."
    dots = (
        "Bands and bars hold 90%. Dots are what was measured, or what the planner was told. Of a stripe: the mean "
        "reflectance is its spectra's first Legendre coefficient, the gradient how fast all coefficients change with "
        "temperature."
    )
    roles = '<span class="no-print"><span id="trial-role"></span> <span id="trial-view"></span></span>'
    picture = (
        '<figure class="panel" id="trial-picture" hidden><h3>What the camera saw</h3><img class="picture" alt="the '
        'sample under the camera"><figcaption></figcaption></figure>'
    )
    return f"""<p class="about">Choose a trial here, or click it in any chart.</p>
<div class="picker no-print"><button type="button" class="tool" id="trial-before" aria-label="Trial before">←</button>
<select class="tool" id="trial-select" aria-label="Trial"></select>
<button type="button" class="tool" id="trial-after" aria-label="Next trial">→</button></div>
<div class="strip no-print" id="trial-strip"></div>
<div class="browser"><div class="panel" id="trial-facts"></div><div>
{_chart("spectra-chart", title="Spectra", caption=caption, tools=roles, identity="spectra-panel")}{picture}
{_chart("analysis-chart", title="What the analysis made of them", caption=dots, identity="analysis-panel")}
<div id="trial-steps"></div></div></div>
<details><summary>All trials as a table</summary>{all_trials(snapshot)}</details>"""


def _instruments(payload: Mapping[str, Any]) -> str:
    timeline = payload["timeline"]
    if not timeline["devices"]:
        return "<p>No device has done anything yet.</p>"
    merged = timeline["merged_from"]
    note = f" {merged} steps are too many to draw; neighbours of one trial were joined." if merged else ""
    buttons = "".join(
        f'<button type="button" class="tool" id="gantt-{key}" aria-label="{escape(name)}">{sign}</button> '
        for key, name, sign in (
            ("left", "earlier", "←"),
            ("out", "zoom out", "−"),
            ("in", "zoom in", "+"),
            ("right", "later", "→"),
            ("trial", "zoom to the chosen trial", "chosen trial"),
            ("all", "show everything", "everything"),
        )
    )
    return f"""<p class="about">What each device did, and when it stood idle, in <span id="gantt-clock"></span>. Drag
over the chart to zoom, double-click to see everything again, click a bar to choose its trial.{note}</p>
<figure class="panel"><div class="head no-print"><h3>Steps by device</h3><span>{buttons}</span></div>
<div class="gantt" id="gantt"><canvas tabindex="0" role="img" aria-label="Steps of each device over time"></canvas>
<div class="tip" hidden></div></div><div class="legend" id="gantt-legend"></div></figure>"""
