"""A controller in a process of its own, which does what it is told line by line: see test_controllers.py."""

import sys
from pathlib import Path

from drivers.clock import RealClock
from orchestrator.directory import CampaignDirectory
from orchestrator.errors import LabpilotError
from orchestrator.journal import Journal
from orchestrator.record.lease import Pace, acquire


def main(path, renew_s, stale_s):
    engine = CampaignDirectory(Path(path)).database(migrate=True)
    try:
        lease = acquire(engine, pace=Pace(renew_s=float(renew_s), stale_s=float(stale_s)))
    except LabpilotError as error:
        print(f"refused {type(error).__name__}: {error}", flush=True)
        return
    with lease.kept():
        journal = Journal(engine, RealClock(), epoch=lease.epoch)
        print(f"epoch {lease.epoch}", flush=True)
        for line in sys.stdin:
            if line.strip() == "end":
                break
            try:
                if line.strip() == "confirm":
                    journal.confirm()
                else:
                    journal.append("note", {"text": line.strip()}, durable=True)
                (Path(path) / "sent").open("a").write(line)
                print("sent", flush=True)
            except LabpilotError as error:
                print(f"refused {type(error).__name__}: {error}", flush=True)
        journal.close()
    print("released", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
