"""A web server on this machine that answers as the Materials Project's REST API does, with phases that we know."""

import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

from surrogate.reactions.materials_project import KJ_MOL_PER_EV
from surrogate.reactions.substances import shipped_table
from surrogate.xrd.library import embedded_library

KEY = "a-users-own-key"
VERSION = "2025.09.25"


def documents():
    """Return a document for each shipped phase whose structure is embedded, and two that nobody has."""
    table, found = shipped_table(), []
    structures = {phase.name: phase for phase in embedded_library().phases}
    for number, (name, one) in enumerate(table.phases.items(), 1):
        if name not in structures:
            continue
        structure = structures[name]
        found.append(
            document(
                f"mp-{number}", structure.formula, one.enthalpy_kj_mol / one.n_atoms / KJ_MOL_PER_EV,
                group=structure.space_group_number, volume=structure.volume_angstrom3, nsites=_atoms(structure),
            )
        )  # fmt: skip
    return [
        *found,
        document("mp-901", "TiO2", -3.40, above=0.04, group=60),
        document("mp-902", "BaTi2O5", -3.55, group=5),
    ]


def _atoms(structure):
    """Return the atoms in the cell, by its mass: sites may be shared."""
    from pymatgen.core import Composition

    formula = Composition(structure.formula)
    return structure.density_g_cm3 * structure.volume_angstrom3 * 0.602214 / formula.weight * formula.num_atoms


def document(mp_id, formula, energy, *, above=0.0, group=1, volume=60.0, nsites=5):
    from pymatgen.core import Composition

    return {
        "material_id": mp_id,
        "formula_pretty": Composition(formula).reduced_formula,
        "formation_energy_per_atom": energy,
        "energy_above_hull": above,
        "volume": volume,
        "nsites": nsites,
        "symmetry": {"crystal_system": "Cubic", "symbol": "?", "number": group},
        "band_gap": 1.0,
    }


def system_of(document):
    from pymatgen.core import Composition

    return "-".join(sorted(Composition(document["formula_pretty"]).chemical_system.split("-")))


class Project(ThreadingHTTPServer):
    """Answers about its documents, and keeps what it was asked."""

    def __init__(self, known, page):
        super().__init__(("127.0.0.1", 0), Answers)
        self.known, self.page, self.asked = known, page, []
        self.counts = True
        """Whether it says how many there are."""
        self.broken = None
        """What is answered instead, where something is to go wrong: (status, body, headers)."""

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_address[1]}/"


class Answers(BaseHTTPRequestHandler):
    """One request at a time, as the API's documentation says."""

    server: Project

    def do_GET(self):  # noqa: N802 - the server's name for it
        place = urlsplit(self.path)
        query = {key: values[0] for key, values in parse_qs(place.query).items()}
        self.server.asked.append((place.path, query, dict(self.headers.items())))
        if self.server.broken is not None:
            self._answer(*self.server.broken)
        elif self.headers.get("X-API-KEY") != KEY:
            self._answer(403, b'{"message": "Invalid authentication credentials"}', {})
        elif place.path == "/heartbeat":
            self._answer(200, json.dumps({"status": "OK", "db_version": VERSION}).encode(), {})
        elif place.path == "/materials/summary/":
            self._answer(200, json.dumps(self._summary(query)).encode(), {})
        else:
            self._answer(404, b'{"detail": "Not Found"}', {})

    def _summary(self, query):
        systems, most = query["chemsys"].split(","), float(query["energy_above_hull_max"])
        found = [one for one in self.server.known if system_of(one) in systems and one["energy_above_hull"] <= most]
        first, n = int(query.get("_skip", 0)), min(int(query["_limit"]), self.server.page)
        fields = query["_fields"].split(",")
        rows = [{name: one[name] for name in fields} for one in found[first : first + n]]
        meta = {"api_version": "0.1", **({"total_doc": len(found)} if self.server.counts else {})}
        return {"data": rows, "errors": None, "meta": meta}

    def _answer(self, status, body, headers):
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@contextmanager
def project(known=None, page=1000):
    """Serve documents, by default those that we know."""
    with Project(documents() if known is None else known, page) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
