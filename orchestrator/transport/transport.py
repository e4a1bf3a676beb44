"""What samples are carried with, put together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from drivers.clock import Clock
from orchestrator.attention import Attention
from orchestrator.plan import Furnace
from orchestrator.runner import Runner
from orchestrator.scheduling.dispatcher import Dispatcher
from orchestrator.scheduling.layout import Layout
from orchestrator.transport.admission import Admission
from orchestrator.transport.carrier import Carrier
from orchestrator.transport.claims import Claims
from orchestrator.transport.departure import Departure
from orchestrator.transport.doubts import Doubts
from orchestrator.transport.tracker import Tracker


@dataclass(frozen=True, slots=True, kw_only=True)
class Transport:
    """Brings samples in, from place to place, and out again."""

    tracker: Tracker
    claims: Claims
    doubts: Doubts
    carrier: Carrier
    admission: Admission
    departure: Departure

    @classmethod
    def of(
        cls,
        *,
        layout: Layout,
        furnaces: Mapping[str, Furnace],
        runner: Runner,
        dispatcher: Dispatcher,
        clock: Clock,
        attention: Attention,
    ) -> Transport:
        """Put it together for one laboratory; furnaces by station."""
        stop = runner.stop
        tracker = Tracker(where=attention.where, journal=attention.journal, stop=stop)
        claims = Claims(layout=layout, dispatcher=dispatcher, stop=stop)
        doubts = Doubts(layout=layout, attention=attention, tracker=tracker)
        carrier = Carrier(
            furnaces=furnaces, runner=runner, claims=claims, doubts=doubts, attention=attention, tracker=tracker
        )
        departure = Departure(clock=clock, stop=stop, claims=claims, carrier=carrier, doubts=doubts, tracker=tracker)
        return cls(
            tracker=tracker,
            claims=claims,
            doubts=doubts,
            carrier=carrier,
            admission=Admission(layout=layout, dispatcher=dispatcher, stop=stop, tracker=tracker),
            departure=departure,
        )
