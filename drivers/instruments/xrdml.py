"""Reads PANalytical's XRDML files: one scan of two theta in equal steps, and nothing that could be half a file.

Element names as in the schemas XRDMeasurement 1.x (``intensities``) and 2.x (``counts``).
"""

from __future__ import annotations

from dataclasses import dataclass
from xml.etree import ElementTree

import numpy as np
from numpy.typing import NDArray

from drivers.instruments.wire import finite

NAMESPACE = "http://www.xrdml.com/XRDMeasurement/"


class BadFile(ValueError):
    """This is no whole XRDML file of one scan."""


@dataclass(frozen=True, slots=True, kw_only=True)
class XrdmlScan:
    """What a file says."""

    sample_id: str
    two_theta_deg: NDArray[np.float64]
    """``n`` angles, ascending."""
    counts: NDArray[np.float64]
    """``n`` counts."""
    wavelength_angstrom: float
    """Of K-alpha 1."""
    count_time_s: float
    """For each step."""


def read_xrdml(data: bytes) -> XrdmlScan:
    """Read a file.

    Raises:
        BadFile: It is cut, damaged, in another unit, unfinished, or holds more or less than one scan.
    """
    measurements = _parsed(data)
    measurement = _only(measurements, "xrdMeasurement")
    scan = _only(measurement, "scan")
    for element in (measurements, measurement, scan):
        if element.get("status", "Completed") != "Completed":
            raise BadFile(f"{_tag(element)} is {element.get('status')!r} and not completed")
    points = _only(scan, "dataPoints")
    counts = _counts(points)
    start_deg, stop_deg = _range_deg(points)
    if counts.size < 2 or not stop_deg > start_deg:
        raise BadFile(f"{counts.size} counts from {start_deg} to {stop_deg} deg are no scan")
    return XrdmlScan(
        sample_id=(_only(_only(measurements, "sample"), "id").text or "").strip(),
        two_theta_deg=np.linspace(start_deg, stop_deg, counts.size),
        counts=counts,
        wavelength_angstrom=_number(_only(_only(measurement, "usedWavelength"), "kAlpha1"), "Angstrom", 0.2, 3.0),
        count_time_s=_number(_only(points, "commonCountingTime"), "seconds", 1e-4, 1e5),
    )


def _parsed(data: bytes) -> ElementTree.Element:
    try:
        text = data.decode("utf-8-sig")
        # a document type could define entities that expand without end, or fetch other files
        if "<!DOCTYPE" in text or "<!ENTITY" in text:
            raise BadFile("it has a document type, and is not read")
        root = ElementTree.fromstring(text)
    except UnicodeDecodeError as error:
        raise BadFile("it is no UTF-8") from error
    except ElementTree.ParseError as error:
        raise BadFile(f"it is no whole XML: {error}") from error
    if not root.tag.startswith(f"{{{NAMESPACE}") or _tag(root) != "xrdMeasurements":
        raise BadFile(f"its root is {root.tag!r} and not xrdMeasurements")
    return root


def _tag(element: ElementTree.Element) -> str:
    return element.tag.rpartition("}")[2]


def _only(parent: ElementTree.Element, name: str) -> ElementTree.Element:
    found = parent.findall(f"{{*}}{name}")
    if len(found) != 1:
        raise BadFile(f"{_tag(parent)} has {len(found)} {name} and not one")
    return found[0]


def _number(element: ElementTree.Element, unit: str, low: float, high: float) -> float:
    _check_unit(element, unit)
    try:
        value = finite(element.text or "")
    except ValueError:
        raise BadFile(f"{_tag(element)} is {element.text!r} and no number") from None
    if not low <= value <= high:
        raise BadFile(f"{_tag(element)} is {value}, outside {low} to {high} {unit}")
    return value


def _check_unit(element: ElementTree.Element, unit: str) -> None:
    if element.get("unit") != unit:
        raise BadFile(f"{_tag(element)} is in {element.get('unit')!r} and not in {unit!r}")


def _range_deg(points: ElementTree.Element) -> tuple[float, float]:
    found = [item for item in points.findall("{*}positions") if item.get("axis") == "2Theta"]
    if len(found) != 1:
        raise BadFile(f"dataPoints has {len(found)} positions of 2Theta and not one")
    _check_unit(found[0], "deg")
    ends = [_only(found[0], name) for name in ("startPosition", "endPosition")]
    try:
        return finite(ends[0].text or ""), finite(ends[1].text or "")
    except ValueError:
        raise BadFile(f"2Theta from {ends[0].text!r} to {ends[1].text!r} is no range") from None


def _counts(points: ElementTree.Element) -> NDArray[np.float64]:
    found = [*points.findall("{*}intensities"), *points.findall("{*}counts")]
    if len(found) != 1:
        raise BadFile(f"dataPoints has {len(found)} lists of counts and not one")
    _check_unit(found[0], "counts")
    try:
        counts = np.array([finite(word) for word in (found[0].text or "").split()])
    except ValueError:
        raise BadFile("a count is no number") from None
    if counts.size and counts.min() < 0.0:
        raise BadFile(f"a count is {counts.min()}")
    return counts
