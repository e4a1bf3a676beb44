import re

from orchestrator.reading import read_snapshot
from orchestrator.report.sections import key_figures


def figures(path):
    text = re.sub(r"<[^>]+>", "|", key_figures(read_snapshot(path)))
    return re.sub(r"\|+", "|", text)


def test_the_uncertainty_of_the_map_is_defined_and_compared_with_its_largest(fabricate):
    maker = fabricate()
    path = maker.sara(0, end=False)
    for number, uncertainty in enumerate((0.159, 2.5, 1.55), start=1):
        maker.stripe(number, 8, 64, uncertainty=uncertainty)
    maker.end()
    said = figures(path)
    assert "|Map uncertainty|1.55|mean standard deviation of the map over the search space; 2.5 at its largest|" in said
    assert "at first" not in said


def test_every_kind_of_measurement_is_counted(fabricate):
    said = figures(fabricate().sara(3))
    for role in ("film", "mirror", "blank"):
        assert re.search(rf"\d+ {role}", said), said
