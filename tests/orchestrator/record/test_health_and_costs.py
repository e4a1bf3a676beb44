import pytest

from orchestrator.health.finding import Level
from orchestrator.journal import Journal
from orchestrator.status.looks import read_findings, read_status
from tests.orchestrator.conftest import Fabricator
from tests.orchestrator.health.test_examination import named, powder
from tests.orchestrator.test_billing import fired


class Kept(Fabricator):
    """Writes a campaign into the store under test."""

    def keep(self, directory, engine):
        self.directory, self.engine, self.asks = directory, engine, 0
        self.journal = Journal(engine, self.clock, epoch=1, boot_id="boot")  # pyright: ignore[reportArgumentType]

    def __post_init__(self):
        """Make no directory: `keep` brings one."""


@pytest.fixture
def maker(directory, engine):
    kept = Kept(directory.path)
    kept.keep(directory, engine)
    yield kept
    kept.journal.close()


def test_the_same_is_found_in_every_store(maker):
    powder(maker)
    found = named(read_findings(maker.path))
    assert found["stock BaCO3"].level is Level.WARNING
    assert "30 of 50 containers are left" in found["stock magazine"].text
    assert found["pace of arm-1.transfer"].level is Level.OK


def test_the_same_was_spent_in_every_store(maker):
    fired(maker)
    maker.journal.append("batch_fired", {"batch": "batch-00001"}, durable=True)
    assert read_status(maker.path).costs.total == pytest.approx(123.0)
