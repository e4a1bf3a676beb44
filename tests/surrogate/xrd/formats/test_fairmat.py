"""The second reader: where it has an opinion, and that a difference is noticed."""

import numpy as np
import pytest

from surrogate.formats.errors import Disagreement, NotUnderstood
from surrogate.xrd.formats import fairmat, xrdml


@pytest.mark.parametrize("name", ["xrdml", "brml", "bruker_raw_4.00", "rasx"])
def test_it_reads_the_same_numbers(seeds, name):
    scan = fairmat.read(seeds.SEEDS[name]()).scans[0]
    np.testing.assert_allclose(scan.axis.values, seeds.TWO_THETA, rtol=1e-12)
    np.testing.assert_array_equal(scan.values, seeds.COUNTS)


def test_equal_counts_which_it_joins_are_parted_again(seeds):
    scan = fairmat.read(seeds.xrdml(seeds.xrdml_scan((7,) * 12))).scans[0]
    np.testing.assert_array_equal(scan.values, np.full(12, 7.0))


def test_a_map_is_read_as_its_rows(seeds):
    def row(omega, factor):
        text = seeds.xrdml_scan(np.array(seeds.COUNTS) * factor)
        ends = "<startPosition>12.25</startPosition><endPosition>12.36</endPosition>"
        return text.replace(ends, f"<commonPosition>{omega}</commonPosition>")

    data = seeds.xrdml(row(12.0, 1), row(12.1, 2), row(12.2, 3))
    assert [scan.values.max() for scan in fairmat.read(data).scans] == [14602.0, 29204.0, 43806.0]


@pytest.mark.parametrize("name", ["ras", "nexus", "bruker_raw_2", "bruker_raw_1.01"])
def test_it_is_not_asked_about_what_it_does_not_read(seeds, name):
    assert not fairmat.recognises(seeds.SEEDS[name]())


@pytest.mark.parametrize(
    "make",
    [
        lambda s: s.xrdml(s.xrdml_scan(more="<commonBeamAttenuationFactor>10</commonBeamAttenuationFactor>")),
        lambda s: s.xrdml(s.xrdml_scan(), s.xrdml_scan(np.array(s.COUNTS)[:5])),
        lambda s: s.raw4(record=4),
        lambda s: s.raw4(ranges=2),
        lambda s: s.rasx(images=True),
        lambda s: s.rasx(factors=s.FACTORS),
        lambda s: s.brml(s.brml_scan(positions=np.cumsum(np.linspace(0.01, 0.05, 12)))),
    ],
    ids=["factor", "ranges", "record", "two ranges", "images", "attenuated", "steps"],
)
def test_it_has_no_opinion_where_it_is_known_to_be_wrong(seeds, make):
    data = make(seeds)
    assert fairmat.recognises(data)
    with pytest.raises((NotUnderstood, NotImplementedError)):
        fairmat.read(data)


def test_a_difference_between_the_two_is_noticed(seeds, open_file, monkeypatch):
    right = xrdml.read

    def wrong(data):
        content = right(data)
        content.scans[0].values[6] *= 24.16
        return content

    monkeypatch.setattr(xrdml, "read", wrong)
    with pytest.raises(Disagreement, match=r"xrdml and fairmat read different values in scan 1: 352784.32 and 14602"):
        open_file(seeds.xrdml())


def test_no_file_is_left_behind(seeds, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    fairmat.read(seeds.xrdml())
    assert list(tmp_path.iterdir()) == []
