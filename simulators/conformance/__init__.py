"""The conformance kit: proves a driver against its simulator, fault by fault, before it touches hardware."""

from simulators.conformance.live import check_live
from simulators.conformance.results import CaseResult, Report
from simulators.conformance.suite import check_driver

__all__ = ["CaseResult", "Report", "check_driver", "check_live"]
