from orchestrator.directory import CampaignDirectory
from orchestrator.execution import start
from orchestrator.history import read_standing
from orchestrator.journey import Whereabouts
from tests.orchestrator.test_journeys import VIRTUAL, events_of


def test_whereabouts_folded_from_the_journal_are_those_that_were_known_live(bakery, tmp_path):
    start(bakery(), tmp_path / "out", VIRTUAL)
    engine = CampaignDirectory.open(tmp_path / "out").database(migrate=False)
    with engine.connect() as connection:
        standing = read_standing(connection)
    engine.dispose()
    assert standing.whereabouts == Whereabouts.of(events_of(tmp_path / "out"))
    assert all(journey.has_left for journey in standing.whereabouts.journeys.values())
