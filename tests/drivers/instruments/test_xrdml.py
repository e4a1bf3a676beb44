"""XRDML files: read whole or not at all. Element names as in the schemas XRDMeasurement 1.x and 2.x."""

import numpy as np
import pytest

from drivers.instruments.xrdml import BadFile, read_xrdml

FILE = """<?xml version="1.0" encoding="UTF-8"?>
<xrdMeasurements xmlns="http://www.xrdml.com/XRDMeasurement/1.5" status="Completed">
<sample type="To be analyzed"><id>t1</id></sample>
<xrdMeasurement measurementType="Scan" status="Completed">
<usedWavelength intended="K-Alpha 1"><kAlpha1 unit="Angstrom">1.5405980</kAlpha1></usedWavelength>
<scan appendNumber="0" mode="Continuous" scanAxis="Gonio" status="Completed"><dataPoints>
<positions axis="2Theta" unit="deg"><startPosition>10.0</startPosition><endPosition>10.4</endPosition></positions>
<positions axis="Omega" unit="deg"><startPosition>5.0</startPosition><endPosition>5.2</endPosition></positions>
<commonCountingTime unit="seconds">2.0</commonCountingTime>
<intensities unit="counts">100 200 300 400 500</intensities>
</dataPoints></scan></xrdMeasurement></xrdMeasurements>
"""


def test_a_whole_file_is_read():
    scan = read_xrdml(FILE.encode())
    assert scan.two_theta_deg == pytest.approx([10.0, 10.1, 10.2, 10.3, 10.4])
    assert scan.counts.tolist() == [100.0, 200.0, 300.0, 400.0, 500.0]
    assert (scan.sample_id, scan.wavelength_angstrom, scan.count_time_s) == ("t1", 1.540598, 2.0)


def test_the_second_schema_says_counts():
    text = FILE.replace("intensities", "counts").replace("Measurement/1.5", "Measurement/2.1")
    assert np.array_equal(read_xrdml(b"\xef\xbb\xbf" + text.encode()).counts, read_xrdml(FILE.encode()).counts)


@pytest.mark.parametrize("end", range(0, len(FILE) - 2, 7))
def test_no_part_of_a_file_is_a_file(end):
    with pytest.raises(BadFile):
        read_xrdml(FILE[:end].encode())


@pytest.mark.parametrize(
    ("old", "new", "match"),
    [
        ('unit="counts"', 'unit="cps"', "is in 'cps' and not in 'counts'"),
        ('axis="2Theta" unit="deg"', 'axis="2Theta" unit="rad"', "is in 'rad'"),
        ('unit="seconds"', 'unit="minutes"', "is in 'minutes'"),
        ('unit="Angstrom"', 'unit="nm"', "is in 'nm'"),
        ("1.5405980", "15.4", "outside 0.2 to 3.0"),
        ("100 200", "100 nan", "a count is no number"),
        ("100 200", "100 2x0", "a count is no number"),
        ("100 200", "100 -200", "a count is -200"),
        ("100 200 300 400 500", "100", "are no scan"),
        ("<endPosition>10.4", "<endPosition>9.0", "are no scan"),
        ("<endPosition>10.4", "<endPosition>inf", "is no range"),
        ("<startPosition>10.0</startPosition>", "", "0 startPosition and not one"),
        ('axis="2Theta"', 'axis="Phi"', "0 positions of 2Theta"),
        ("</intensities>", "</intensities><counts unit='counts'>1 2</counts>", "2 lists of counts"),
        ("</scan>", "</scan><scan/>", "2 scan and not one"),
        ('scanAxis="Gonio" status="Completed"', 'scanAxis="Gonio" status="Aborted"', "'Aborted' and not completed"),
        ("http://www.xrdml.com/XRDMeasurement/", "http://example.com/", "root is"),
        ("<xrdMeasurements", '<!DOCTYPE x [<!ENTITY a "b">]><xrdMeasurements', "document type"),
        ("100 200", "100 \ufffd", "a count is no number"),
    ],
)
def test_what_is_wrong_is_said(old, new, match):
    assert old in FILE
    with pytest.raises(BadFile, match=match):
        read_xrdml(FILE.replace(old, new, 1).encode())


def test_other_encodings_cannot_hide_a_document_type():
    with pytest.raises(BadFile, match="UTF-8"):
        read_xrdml(FILE.replace("UTF-8", "UTF-16").encode("utf-16"))
