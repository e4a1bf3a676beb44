import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.bill import Work, make_bill, shares_s
from orchestrator.consumables import Use
from orchestrator.prices import Prices

PRICES = Prices.model_validate(
    {
        "currency": "EUR",
        "per_kwh": 0.5,
        "per_sample": 2.0,
        "per_g": {"TiO2": 0.1},
        "per_ml": {"ethanol": 0.02},
        "devices": {"box": {"power": "2 kW", "per_hour": 3}, "arm": {"per_hour": 10.0}},
    }
)
spans = st.lists(
    st.tuples(st.integers(0, 50), st.integers(0, 20), st.sets(st.integers(0, 5), min_size=1, max_size=4)), max_size=15
)


def work(device, start_s, end_s, *trials):
    return Work(device=device, trials=trials, start_s=start_s, end_s=end_s)


@given(spans)
def test_shares_are_those_of_every_second(told):
    made = [work("box", float(start), float(start + length), *trials) for start, length, trials in told]
    expected = dict.fromkeys(range(6), 0.0)
    for second in range(80):
        there = {t for one in made if one.start_s <= second < one.end_s for t in one.trials}
        for trial in there:
            expected[trial] += 1.0 / len(there)
    found = shares_s(made)
    assert found == pytest.approx({trial: s for trial, s in expected.items() if s or trial in found})


@given(spans, st.floats(0.1, 20.0))
def test_the_lines_sum_up_to_the_campaign(told, amount):
    made = [work("box", 60.0 * start, 60.0 * (start + length), *trials) for start, length, trials in told]
    uses = [Use(material="TiO2", amount=amount, unit="mg", trial=1, device="doser", at_s=0.0)]
    bill = make_bill(made, uses, [1, 2], PRICES)
    minutes = {m for one in made for m in range(int(one.start_s // 60), int(one.end_s // 60))}
    hours = len(minutes) / 60
    assert bill.hours.get("box", 0.0) == pytest.approx(hours)
    assert bill.energy_kwh == pytest.approx(2 * hours)
    assert bill.total == pytest.approx(hours * 3 + 2 * hours * 0.5 + amount / 1000 * 0.1 + 2 * 2.0)
    summary = bill.summary()
    parts = (summary.instruments, summary.energy, summary.materials, summary.samples)
    assert summary.total == pytest.approx(sum(part for part in parts if part is not None))


def test_a_furnace_run_is_shared_by_its_samples():
    bill = make_bill([work("box", 0.0, 7200.0, 1, 2, 3, 4)], [], [], PRICES)
    assert [line.hours["box"] for line in bill.lines] == pytest.approx([0.5] * 4)
    assert [line.instruments for line in bill.lines] == pytest.approx([1.5] * 4)


def test_what_is_not_counted_is_named():
    uses = [Use(material=name, amount=1.0, unit=unit, trial=1, device="d", at_s=0.0) for name, unit in
            [("TiO2", "mg"), ("ZnO", "mg"), ("ethanol", "mL"), ("water", "mL")]]  # fmt: skip
    bill = make_bill([work("arm", 0.0, 1.0, 1), work("lamp", 0.0, 1.0, 1)], uses, [], PRICES)
    assert bill.unknown == ["no power is given for arm, lamp", "no price is given for ZnO, water"]
    free = make_bill([work("arm", 0.0, 3600.0, 1)], uses, [1], None)
    assert free.unknown == ["the lab file names no prices (costs)"]
    assert free.summary().total is None
    assert free.hours == {"arm": 1.0}
