"""A simulated temperature controller that speaks a few lines of a Lake Shore Model 336, and its world."""

from __future__ import annotations

from drivers.links.framing import Line
from simulators.instruments.base import FramedInstrument
from simulators.solo import Solo

LINE = Line(b"\r\n")


class LakeShore(FramedInstrument):
    """Answers questions only; a command that sets something is carried out in silence, as by the real one."""

    has_front_panel = True

    def __init__(self, *, state, clock):
        super().__init__(LINE, state=state, clock=clock)
        self.heard = []
        self.clamps_at_k = 400.0
        self._kept = state.get("lakeshore", {"target_k": 10.0, "range": 0})

    def answer(self, request):
        text = request.decode()
        self.heard.append(text)
        reply = self._question(text) if "?" in text else self._order(text)
        return None if reply is None else LINE.wrap(reply.encode())

    def _question(self, text):
        answers = {
            "*IDN?": "LSCI,MODEL336,LSA0042/#######,2.9",
            "*OPC?": "1",
            "KRDG? A": f"+{self._kept['target_k']:07.3f}",
            "SETP? 1": f"+{self._kept['target_k']:07.3f}",
            "RANGE? 1": str(self._kept["range"]),
        }
        return answers.get(text)

    def _order(self, text):
        word, _, arguments = text.partition(" ")
        match word, arguments.split(","):
            case "SETP", ["1", value]:
                self._keep("set", target_k=min(float(value), self.clamps_at_k))
            case "RANGE", ["1", value]:
                self._keep("range", range=int(value))
            case "*CLS", _:
                self._did("clear")

    def _keep(self, what, **changes):
        self._kept = {**self._kept, **changes}
        self._state.put(lakeshore=self._kept)
        self._did(what, **changes)

    def front_panel(self):
        self._kept = {**self._kept, "target_k": 33.0}
        self._state.put(lakeshore=self._kept)


class LakeShoreWorld(Solo):
    name = "lakeshore"

    def build(self, *, state, clock, seed, options):
        return {"cryostat": LakeShore(state=state, clock=clock)}
