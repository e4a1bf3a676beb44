"""A controller that keeps a guard and does nothing else, to be killed: python -m ... LAB_FILE SOCKET LOG EPOCH."""

import asyncio
import sys
from pathlib import Path

from drivers.clock import RealClock
from orchestrator.guard.keeper import GuardKeeper, GuardPlace
from orchestrator.guard.loading import load


async def main():
    lab_file, socket, log, epoch = sys.argv[1:]

    async def stop(device):
        return ""

    place = GuardPlace(lab_file=Path(lab_file), socket=Path(socket), log=Path(log))
    loaded = load(place.lab_file, {})
    async with GuardKeeper(place, loaded, RealClock(), int(epoch), stop, lambda event: None).running():
        print("beating", flush=True)
        await asyncio.sleep(600)


if __name__ == "__main__":
    asyncio.run(main())
