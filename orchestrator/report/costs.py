"""What a campaign took: a card, and tables by device, by material and by trial."""

from __future__ import annotations

from html import escape

from orchestrator.bill import Bill, Line
from orchestrator.reading import Snapshot
from orchestrator.report.sections import MOST_ROWS, table
from orchestrator.words import number, plural, quantity


def costs(snapshot: Snapshot) -> str:
    """Return where hours, energy, materials and money went."""
    bill = snapshot.bill
    if not bill.lines:
        return "<p>Nothing was begun yet.</p>"
    return "".join([_about(snapshot), _devices(bill), _materials(bill), _trials(bill)])


def _about(snapshot: Snapshot) -> str:
    bill = snapshot.bill
    parts = [
        f"{number(sum(bill.hours.values()), 3)} instrument hours and {number(bill.energy_kwh, 3)} kWh.",
        "An hour that several trials shared is divided among them.",
    ]
    if bill.prices is not None:
        measured = sum(trial.outcome == "measured" for trial in snapshot.trials)
        each = (
            f", {money(bill, bill.total / measured)} for each of {plural(measured, 'measured trial')}"
            if measured
            else ""
        )
        parts.insert(0, f"{money(bill, bill.total)} in all{each}.")
    parts += [f"Not counted: {text}." for text in bill.unknown]
    return f'<p class="about">{escape(" ".join(parts))}</p>'


def _devices(bill: Bill) -> str:
    told = bill.prices
    rows = []
    for device, hours in bill.hours.items():
        priced = None if told is None else told.devices.get(device)
        energy_kwh = None if priced is None or priced.power_w is None else hours * priced.power_w / 1000
        cost = None if priced is None or told is None else hours * priced.per_hour + (energy_kwh or 0.0) * told.per_kwh
        rows.append([device, number(hours, 4), number(energy_kwh, 4), "–" if cost is None else money(bill, cost)])
    names = ["device", "hours", "energy (kWh)", "cost"]
    return "<h3>Instruments</h3>" + table(names, rows, cut=len(rows), numeric=(1, 2, 3))


def _materials(bill: Bill) -> str:
    if not bill.amounts:
        return ""
    rows = []
    for (name, unit), amount in bill.amounts.items():
        price = None if bill.prices is None else bill.prices.of(unit).get(name)
        used = quantity(amount / 1000, "g") if unit == "mg" else quantity(amount, unit)
        rows.append([name, used, "–" if price is None else money(bill, amount * price)])
    return "<h3>Materials</h3>" + table(["material", "used", "cost"], rows, cut=len(rows), numeric=(1, 2))


def _trials(bill: Bill) -> str:
    if bill.prices is None:
        return ""
    dearest = sorted(bill.lines, key=lambda line: -line.total)
    rows = [_row(bill, line) for line in dearest[:MOST_ROWS]]
    names = ["trial", "instrument hours", "energy (kWh)", "instruments", "energy", "materials", "sample", "total"]
    head = "<h3>By trial, the dearest first</h3>"
    return head + table(names, rows, cut=len(dearest), numeric=range(1, len(names)))


def _row(bill: Bill, line: Line) -> list[str]:
    parts = (line.instruments, line.energy, line.materials, line.sample, line.total)
    return [
        str(line.trial) if line.trial else "none",
        number(sum(line.hours.values()), 4),
        number(line.energy_kwh, 4),
        *(money(bill, part) for part in parts),
    ]


def money(bill: Bill, amount: float) -> str:
    """Print an amount of money."""
    return quantity(round(amount) if abs(amount) >= 10_000 else f"{amount:.2f}", bill.currency)
