import pytest

from orchestrator.reading import read_snapshot
from orchestrator.status.facts import best_trial, lab_kind
from orchestrator.status.looks import read_status


def test_the_best_is_the_greatest_or_the_least_as_the_objective_wants(fabricate):
    maker = fabricate()
    path = maker.bench(2)
    values = {t.number: t.values["hydrogen"] for t in _trials(path) if t.outcome == "measured"}
    best = read_status(path).best
    assert best is not None
    assert (best.trial, best.value) == max(values.items(), key=lambda item: item[1])
    assert best.unit == "umol"
    least = {"objectives": [{"name": "hydrogen", "direction": "minimize"}]}
    found = best_trial(_trials(path), least)
    assert found is not None
    assert found.value == min(values.values())


def _trials(path):
    return read_snapshot(path).trials


@pytest.mark.parametrize(
    ("urls", "kind"),
    [
        (["sim:film-station/laser", "sim:film-station/stage"], "simulated"),
        (["sim:replay/robot"], "replayed"),
        (["serial:/dev/ttyUSB0"], "real"),
        (["serial:/dev/ttyUSB0", "sim:film-station/stage"], "partly simulated"),
        ([], "simulated"),
    ],
)
def test_only_sim_addresses_are_no_hardware(urls, kind):
    assert lab_kind({"devices": {str(i): {"url": url} for i, url in enumerate(urls)}}) == kind
