"""Files of models beside a journal."""

import resource

from orchestrator.models.files import ModelFiles
from surrogate.registry.ledger import Forecast, read


def told(trial):
    return Forecast(trial=trial, target="y", model="cold", version="cold-1", mean=0.0, sd=1.0)


def test_what_a_full_disk_did_not_take_is_written_once_there_is_room(tmp_path):
    problems = []
    files = ModelFiles(tmp_path, report=problems.append)
    files.add([told(1)])
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (files.registry.ledger.stat().st_size + 10, limit[1]))
    try:
        files.add([told(2)])
        files.add([told(3)])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
    assert len(problems) == 1 and "the journal has what they say" in problems[0]
    files.add([told(4)])
    found = read(files.registry.ledger)
    assert [line.trial for line in found.lines] == [1, 2, 3, 4] and not found.problems
