"""Which model led, by what each foretold before results were seen, and how far its intervals can be trusted."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from itertools import accumulate

from orchestrator.history import read_book
from orchestrator.models.book import Book
from orchestrator.models.standing import NOTHING, ModelsStatus, models_status
from orchestrator.people.reading import read_state
from orchestrator.reading import Reading
from orchestrator.report.sections import MOST_ROWS, table
from orchestrator.words import number
from surrogate.registry.rule import COLD

WIDTH, HEIGHT, EDGE = 720.0, 200.0, 34.0


def models(reading: Reading) -> str:
    """Return who leads, the gain so far in nats, calibration and alarms."""
    book = read_book(reading.connection)
    status = models_status(book, read_state(reading.connection).planned_with)
    if status is None:
        return f'<p class="about">{escape(NOTHING[0].upper() + NOTHING[1:])}.</p>'
    return "".join([_alarms(status), _about(status), _gain(book), _calibration(status), _changes(status)])


def _alarms(status: ModelsStatus) -> str:
    return "".join(f'<p class="notice">Calibration: {escape(text)}.</p>' for text in status.alarms)


def _about(status: ModelsStatus) -> str:
    sentence = str(status)
    parts = [f"{sentence[0].upper()}{sentence[1:]}.", *(f"Challenger: {one['reason']}." for one in status.challengers)]
    parts.append("Each model says what it expects before a trial begins, and is judged by what comes.")
    return f'<p class="about">{escape(" ".join(parts))}</p>'


def _gain(book: Book) -> str:
    """Return a drawing of what the first model has gained on the cold one, result by result."""
    first = book.first or COLD
    both = [one for one in book.ledger.results if {first, COLD} <= one.scores.keys() and not one.is_replayed]
    if first == COLD or len(both) < 2:
        return ""
    sums = list(accumulate(one.scores[first] - one.scores[COLD] for one in both))
    trials = [one.trial for one in both]
    changes = [one.trial for one in book.standing.changes]
    caption = (
        f"Above the line {first} was worth more, below it {COLD}; dashed where another model took over. A nat is a "
        "factor of e in the probability of what came."
    )
    title = f"<h3>Nats by which {escape(first)} is ahead of {COLD}, result by result</h3>"
    return (
        f'<figure class="panel" style="margin-bottom: 1.2rem">{title}{_drawn(sums, trials, changes)}'
        f"<figcaption>{escape(caption)}</figcaption></figure>"
    )


def _drawn(sums: Sequence[float], trials: Sequence[int], changes: Sequence[int]) -> str:
    low, high = min(0.0, *sums), max(0.0, *sums)
    tall, wide = (HEIGHT - 2 * EDGE) / ((high - low) or 1.0), (WIDTH - 2 * EDGE) / (len(sums) - 1)

    def y(value: float) -> float:
        return HEIGHT - EDGE - (value - low) * tall

    line = " ".join(f"{EDGE + wide * i:.1f},{y(value):.1f}" for i, value in enumerate(sums))
    marks = "".join(
        f'<line x1="{EDGE + wide * i:.1f}" x2="{EDGE + wide * i:.1f}" y1="{EDGE}" y2="{HEIGHT - EDGE}" '
        f'stroke="var(--failed)" stroke-dasharray="4 4"/>'
        for i, trial in enumerate(trials)
        if trial in changes
    )
    texts = [(4.0, y(high) + 4, f"{high:+.0f}"), (4.0, y(low) + 4, f"{low:+.0f}"), (4.0, y(0.0) + 4, "0")]
    texts = texts if min(high, -low) * tall > 14.0 else [one for one in texts if one[2] not in ("+0", "-0")]
    texts += [(EDGE, HEIGHT - 8, f"trial {trials[0]}"), (WIDTH - EDGE - 40, HEIGHT - 8, f"trial {trials[-1]}")]
    words = "".join(
        f'<text x="{x:.0f}" y="{at:.0f}" fill="var(--soft)" font-size="13">{text}</text>' for x, at, text in texts
    )
    return (
        f'<svg viewBox="0 0 {WIDTH:.0f} {HEIGHT:.0f}" width="100%" style="max-width: {WIDTH:.0f}px" '
        f'role="img" aria-label="{sums[-1]:+.1f} nats">'
        f'<line x1="{EDGE}" x2="{WIDTH - EDGE}" y1="{y(0.0):.1f}" y2="{y(0.0):.1f}" stroke="var(--line)"/>{marks}'
        f'<polyline points="{line}" fill="none" stroke="var(--accent)" stroke-width="2"/>{words}</svg>'
    )


def _calibration(status: ModelsStatus) -> str:
    rows = []
    for one in status.models:
        found = one.calibration
        told = (
            ["–"] * 6
            if found is None
            else [
                *(f"{found[f'coverage_{level}']:.0%}" for level in (50, 90, 95)),
                f"{found['ks']:.2f} (p {found['ks_p']:.2g})",
                f"{found['ece']:.0%}",
                "–" if found["factor"] is None else number(found["factor"], 2),
            ]
        )
        times = ", ".join(number(one.told[target], 2) for target in one.told) or "1"
        rows.append([one.model, one.newest, one.scored, *told, times])
    names = [
        "model",
        "newest version",
        "results",
        "in 50 %",
        "in 90 %",
        "in 95 %",
        "KS of PIT",
        "error",
        "for 90 %",
        "told ×",
    ]
    about = (
        "<p class='about'>Of a model that knows how sure it is, half of the results lie in its 50 % intervals, and so "
        "on; KS of PIT and error say how far from that it is. For 90 %: with standard deviations so many times as "
        "large, 90 % intervals would have held 90 % of the results. Told ×: what predictions of proposals and maps are "
        "told with, wider at once where a model has been too sure, narrower late where it was too careful. Points are "
        "chosen as if nothing were corrected (docs/models.md).</p>"
    )
    return "<h3>How sure, and how rightly</h3>" + table(names, rows, numeric=range(2, 10)) + about


def _changes(status: ModelsStatus) -> str:
    if not status.changes:
        return ""
    rows = [[one["trial"], one["model"], one["before"], one["why"]] for one in status.changes[:MOST_ROWS]]
    names = ["after trial", "leads", "no longer", "why"]
    return "<h3>Who took over</h3>" + table(names, rows, cut=len(status.changes), wide=3)
