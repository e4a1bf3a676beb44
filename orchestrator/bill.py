"""The bill: instrument hours, energy, materials and money of a campaign and of each trial, from the journal's tables.

A device's hours are those in which it worked on anything; an hour that several trials share (a furnace run, a robot
with many vials) is divided among them, so that the trials and what belongs to none sum up to the campaign.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from orchestrator.consumables import Use
from orchestrator.prices import DevicePrices, Prices

HOUR_S = 3600.0
WATT_HOURS = 1000.0
NO_TRIAL = 0
"""What makes the laboratory ready belongs to no trial."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """A device that worked for some trials."""

    device: str
    trials: tuple[int, ...]
    start_s: float
    end_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """What one trial took, or what belongs to none."""

    trial: int
    """0 is none."""
    hours: Mapping[str, float]
    """By device."""
    energy_kwh: float
    """Of the devices whose power is known."""
    instruments: float
    energy: float
    materials: float
    sample: float

    @property
    def total(self) -> float:
        """All of it, in the currency of the bill."""
        return self.instruments + self.energy + self.materials + self.sample


@dataclass(frozen=True, slots=True, kw_only=True)
class Amount:
    """How much of a material was used."""

    material: str
    amount: float
    unit: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """The totals of a bill; money is None where the lab file names no prices."""

    currency: str
    total: float | None
    instruments: float | None
    energy: float | None
    materials: float | None
    samples: float | None
    hours: Mapping[str, float]
    """By device."""
    energy_kwh: float
    """Of the devices whose power is known."""
    amounts: Sequence[Amount]
    not_counted: Sequence[str]
    """What was used and is not counted, one sentence each."""


@dataclass(frozen=True, kw_only=True)
class Bill:
    """What a campaign took."""

    prices: Prices | None
    """None where the lab file names none: then all money is zero, and means nothing."""
    lines: Sequence[Line]
    amounts: Mapping[tuple[str, str], float] = field(default_factory=dict)
    """By material and unit."""

    @property
    def currency(self) -> str:
        """What money is in; empty where there are no prices."""
        return "" if self.prices is None else self.prices.currency

    @cached_property
    def hours(self) -> dict[str, float]:
        """Hours by device."""
        found: dict[str, float] = {}
        for line in self.lines:
            for device, hours in line.hours.items():
                found[device] = found.get(device, 0.0) + hours
        return dict(sorted(found.items()))

    @property
    def energy_kwh(self) -> float:
        """Energy of the devices whose power is known."""
        return sum(line.energy_kwh for line in self.lines)

    @property
    def total(self) -> float:
        """All money."""
        return sum(line.total for line in self.lines)

    @property
    def unknown(self) -> list[str]:
        """Say what was used and is not counted, one sentence each."""
        if self.prices is None:
            return ["the lab file names no prices (costs)"]
        powerless = [device for device in self.hours if _told(self.prices, device).power_w is None]
        priceless = [name for name, unit in self.amounts if name not in self.prices.of(unit)]
        found = [f"no power is given for {', '.join(powerless)}"] if powerless else []
        return found + ([f"no price is given for {', '.join(priceless)}"] if priceless else [])

    def summary(self) -> Summary:
        """Return the totals."""
        has_prices = self.prices is not None

        def money(part: str) -> float | None:
            return sum(getattr(line, part) for line in self.lines) if has_prices else None

        return Summary(
            currency=self.currency,
            total=money("total"),
            instruments=money("instruments"),
            energy=money("energy"),
            materials=money("materials"),
            samples=money("sample"),
            hours=self.hours,
            energy_kwh=self.energy_kwh,
            amounts=[Amount(material=name, amount=value, unit=unit) for (name, unit), value in self.amounts.items()],
            not_counted=self.unknown,
        )


def make_bill(work: Iterable[Work], uses: Iterable[Use], begun: Iterable[int], prices: Prices | None) -> Bill:
    """Add everything up.

    begun: the trials that were begun.
    """
    hours = _hours_by_trial(work)
    used: dict[int, list[Use]] = {}
    amounts: dict[tuple[str, str], float] = {}
    for use in uses:
        used.setdefault(use.trial, []).append(use)
        amounts[(use.material, use.unit)] = amounts.get((use.material, use.unit), 0.0) + use.amount
    started = set(begun)
    lines = [
        _line(trial, hours.get(trial, {}), used.get(trial, ()), prices, is_sample=trial in started)
        for trial in sorted({*hours, *used, *started})
    ]
    return Bill(prices=prices, lines=lines, amounts=amounts)


def _line(
    trial: int, hours: Mapping[str, float], uses: Sequence[Use], prices: Prices | None, *, is_sample: bool
) -> Line:
    told = prices or Prices(currency="none")
    energy_kwh = sum(time_h * (_told(told, device).power_w or 0.0) for device, time_h in hours.items()) / WATT_HOURS
    return Line(
        trial=trial,
        hours=dict(sorted(hours.items())),
        energy_kwh=energy_kwh,
        instruments=sum(time_h * _told(told, device).per_hour for device, time_h in hours.items()),
        energy=energy_kwh * told.per_kwh,
        materials=sum(use.amount * told.of(use.unit).get(use.material, 0.0) for use in uses),
        sample=told.per_sample if is_sample else 0.0,
    )


def _told(prices: Prices, device: str) -> DevicePrices:
    return prices.devices.get(device, _NOTHING_TOLD)


_NOTHING_TOLD = DevicePrices()


def _hours_by_trial(work: Iterable[Work]) -> dict[int, dict[str, float]]:
    by_device: dict[str, list[Work]] = {}
    for one in work:
        by_device.setdefault(one.device, []).append(one)
    found: dict[int, dict[str, float]] = {}
    for device, spans in by_device.items():
        for trial, seconds in shares_s(spans).items():
            found.setdefault(trial, {})[device] = seconds / HOUR_S
    return found


def shares_s(spans: Iterable[Work]) -> dict[int, float]:
    """Divide the time in which a device worked among the trials that it worked for at each instant."""
    found: dict[int, float] = {}
    for together in _overlapping(sorted(spans, key=lambda span: (span.start_s, span.end_s))):
        edges = sorted({edge for span in together for edge in (span.start_s, span.end_s)})
        for start_s, end_s in zip(edges, edges[1:], strict=False):
            there = {t for span in together if span.start_s <= start_s and span.end_s >= end_s for t in span.trials}
            for trial in there:
                found[trial] = found.get(trial, 0.0) + (end_s - start_s) / len(there)
    return found


def _overlapping(spans: Sequence[Work]) -> Iterator[list[Work]]:
    """Yield the groups of spans that hang together; most are of one."""
    group: list[Work] = []
    reached_s = float("-inf")
    for span in spans:
        if group and span.start_s >= reached_s:
            yield group
            group = []
        group.append(span)
        reached_s = span.end_s if len(group) == 1 else max(reached_s, span.end_s)
    if group:
        yield group
