"""The page of a comparison: one HTML file that needs no network and no script, in the style of the reports."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from importlib import resources

from orchestrator.comparing.picture import draw, svg
from orchestrator.comparing.summary import Comparison
from orchestrator.comparing.telling import cells, head, legend, pair_sentence

_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"
_CSS = """
.panel svg { display: block; width: 100%; height: auto; }
.panel { margin-top: 1.2rem; }
:is(.panel, .scroll) + .about { margin-top: .9rem; max-width: 60rem; }
ul.pairs { font-family: var(--serif); font-size: 1.12rem; line-height: 1.5; }
"""


def render(comparison: Comparison, command: str) -> str:
    """Return the whole page.

    Args:
        comparison: What was found.
        command: How to make it again.
    """
    style = (resources.files("orchestrator.report") / "report.css").read_text(encoding="utf-8")
    title = f"{comparison.campaign.name}: planners compared"
    # the picture is drawn in light colours, and so is the page
    return f"""<!doctype html>
<html lang="en" data-scheme="light">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{_POLICY}">
<meta name="referrer" content="no-referrer">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="generator" content="labpilot">
<title>{escape(title)} · labpilot</title>
<style>{style}{_CSS}</style>
</head>
<body>
{_body(comparison, command)}
</body>
</html>
"""


def _body(comparison: Comparison, command: str) -> str:
    campaign = comparison.campaign
    labels = list(comparison.runs)
    remarks = "".join(f'<p class="notice">{escape(text)}</p>' for text in comparison.remarks)
    description = f'<p class="lede">{escape(campaign.description)}</p>' if campaign.description else ""
    figure = f'<figure class="panel">{svg(draw(comparison))}</figure>'
    table = _table(head(comparison), [cells(row, comparison) for row in comparison.rows])
    return f"""<header class="masthead">
<p class="kicker"><span class="badge simulated">simulated</span> planners compared over seeds, in virtual time</p>
<h1>{escape(campaign.name)}: {escape(_listed(labels))}</h1>
{description}
{remarks}
</header>
<main>
<section><h2>Who is better</h2>{_pairs(comparison)}{figure}<p class="about">{escape(legend(comparison))}</p></section>
<section><h2>In numbers</h2>{table}<p class="about">{escape(_columns(comparison))}</p></section>
<section><h2>Again</h2><pre>{escape(command)}</pre></section>
</main>
<footer>Written by labpilot. This file holds all that it shows, and asks no network for anything.</footer>"""


def _listed(labels: Sequence[str]) -> str:
    return labels[0] if len(labels) == 1 else f"{', '.join(labels[:-1])} and {labels[-1]}"


def _pairs(comparison: Comparison) -> str:
    if not comparison.pairs:
        return "<p>There is one planner only; name a second one to compare.</p>"
    items = "".join(f"<li>{escape(pair_sentence(pair, comparison))}</li>" for pair in comparison.pairs)
    return f'<ul class="pairs">{items}</ul>'


def _columns(comparison: Comparison) -> str:
    return (
        f"{comparison.along.word.capitalize()} to a level: until a run first reaches what {comparison.rows[0].label} "
        "reaches at the end in the median; in brackets the quartiles, and how many runs reached it. Failed (by the "
        "recipe's fault) and lost (by the laboratory's) trials are means over the runs; violations are trials outside "
        "the search space, in all. CPU: what the planner took for a whole run, median."
    )


def _table(names: Iterable[str], rows: Iterable[Sequence[str]]) -> str:
    first, *others = names
    heads = f"<th>{escape(first)}</th>" + "".join(f'<th class="n">{escape(name)}</th>' for name in others)
    body = "".join(
        f"<tr><td>{escape(row[0])}</td>" + "".join(f'<td class="n">{escape(cell)}</td>' for cell in row[1:]) + "</tr>"
        for row in rows
    )
    return f'<div class="scroll"><table><thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table></div>'
