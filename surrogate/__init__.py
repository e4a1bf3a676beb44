"""What we know: spectra to observations, and probabilistic models of them."""

from surrogate.analysis import ANALYSES, Analysis, AnalysisResult, Finding, MeasurementData

__all__ = ["ANALYSES", "Analysis", "AnalysisResult", "Finding", "MeasurementData"]
