from orchestrator.analysis import Analysis
from surrogate import AnalysisResult
from surrogate.analysis import Finding


def bound(*targets):
    return Analysis(name="reading", version="1", options={}, function=None, targets=targets)


def test_an_objective_that_an_analysis_does_not_yield_is_named_with_what_there_is():
    found = AnalysisResult(findings=(Finding(parameters={}, values={"read_temperature": 20.0}),), values={})
    assert bound("read_temperature").missing(found) == ""
    assert "gives no value of 'temperature'; it gives read_temperature" in bound("temperature").missing(found)
    assert "it gives nothing" in bound("temperature").missing(AnalysisResult())
