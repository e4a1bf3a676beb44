import math

import pytest

from surrogate.analysis import ANALYSES, MeasurementData

READING = ANALYSES["reading"]


def result(**values):
    return MeasurementData(kind="result", metadata={"values": values, "taken_s": 4.0})


def test_values_are_observations_as_they_stand():
    found = READING([result(rate=3.0, ph=7)], options={"parameters": {"dye": 0.2}})
    assert found.values == {"rate": 3.0, "ph": 7.0}
    assert found.findings[0].values == found.values
    assert found.findings[0].parameters == {"dye": 0.2}
    assert found.findings[0].sd == {}


def test_replicates_are_averaged_and_their_noise_shrinks():
    found = READING([result(rate=v) for v in (1.0, 2.0, 3.0, 6.0)], options={"noise": {"rate": 0.4, "other": 1.0}})
    assert found.values == {"rate": 3.0}
    assert found.findings[0].sd == {"rate": pytest.approx(0.2)}


def test_values_are_picked_and_renamed():
    taken = [result(area_percent=81.0, temperature=40.0)]
    found = READING(taken, options={"values": {"yield": "area_percent"}, "noise": {"yield": 2.0}})
    assert found.values == {"yield": 81.0}
    assert found.findings[0].sd == {"yield": 2.0}


def test_an_answer_of_a_driver_goes_by_its_commands_name():
    facts = {"role": "meter.power", "value": 2.5, "taken_s": 9.0, "trial": 3, "is_ok": True, "unit": "W"}
    assert READING([MeasurementData(kind="reading", metadata=facts)], options={}).values == {"power": 2.5}


@pytest.mark.parametrize(
    ("taken", "options", "reason"),
    [
        ([], {}, "none of 0 measurements reports a number"),
        ([MeasurementData(kind="image")], {}, "none of 1 measurements"),
        ([result(a=1.0, b=2.0)], {"values": {"y": "c"}}, "reported a, b, but no 'c'"),
        ([result(a=math.nan)], {}, "reported a = nan"),
        ([result(a=1.0), result(a=math.inf)], {}, "no number to learn from"),
    ],
    ids=["nothing", "image", "missing", "nan", "inf"],
)
def test_no_number_gives_a_reason(taken, options, reason):
    found = READING(taken, options=options)
    assert found.findings == ()
    assert reason in found.cannot_tell


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"nose": {}}, "has no option 'nose'; did you mean 'noise'?"),
        ({"noise": {"y": 0.0}}, "the noise of 'y' is a standard deviation above 0, not 0.0"),
        ({"noise": 0.3}, "'noise' of the analysis 'reading' maps names to values; it is 0.3"),
        ({"values": {"y": 3}}, "the value 'y' needs the instrument's name for it, not 3"),
    ],
)
def test_bad_options_are_refused_in_a_sentence(options, sentence):
    assert any(sentence in problem for problem in READING.problems(options))
    with pytest.raises(ValueError, match="noise|nose|value"):
        READING([result(y=1.0)], options=options)
