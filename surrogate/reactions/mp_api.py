"""As much of the Materials Project's REST API as a table of energies needs (https://api.materialsproject.org/docs).

`materials/summary/` answers ``{"data": [...], "meta": {"total_doc": n}}`` in pages (``_limit``, ``_skip``), `heartbeat`
the version of the database. The user's key goes into the header X-API-KEY and nowhere else: only over https or to this
very machine, through a proxy only where that cannot read it, and never on to where an answer redirects.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from http.client import HTTPException
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlencode, urlsplit
from urllib.request import HTTPRedirectHandler, ProxyHandler, Request, build_opener, getproxies

from surrogate.reactions.errors import NotFetched

KEY_VARIABLE, ENDPOINT_VARIABLE = "MP_API_KEY", "MP_API_ENDPOINT"
ENDPOINT = "https://api.materialsproject.org/"
TIMEOUT_S = 30.0
PAGE = 1000
SYSTEMS_AT_ONCE = 100
"""Chemical systems in one request, so that its line stays short."""
FIELDS = (
    "material_id",
    "formula_pretty",
    "formation_energy_per_atom",
    "energy_above_hull",
    "volume",
    "nsites",
    "symmetry",
)
_HERE = ("localhost", "127.0.0.1", "::1")
_OTHERWISE = "or give a file of your own as the table"


class Api:
    """The Materials Project, asked with a key.

    Args:
        key: The user's.
        endpoint: Where it answers.
        timeout_s: For each answer.

    Raises:
        NotFetched: The endpoint would have the key travel unencrypted, or it holds what no header can.
    """

    def __init__(self, key: str, endpoint: str = ENDPOINT, timeout_s: float = TIMEOUT_S) -> None:
        place = urlsplit(endpoint)
        if place.scheme != "https" and not (place.scheme == "http" and place.hostname in _HERE):
            raise NotFetched(f"{endpoint} is not https: your key would travel in the clear; use {ENDPOINT}")
        if not (key.isascii() and key.isprintable()) or " " in key:
            raise NotFetched(
                f"{KEY_VARIABLE} holds what no key has (spaces, line ends, or characters beyond ASCII); copy it again "
                f"from materialsproject.org/api, {_OTHERWISE}"
            )
        self._key, self.endpoint, self._timeout_s = key, endpoint.rstrip("/") + "/", timeout_s
        proxies = {scheme: proxy for scheme, proxy in getproxies().items() if scheme == "https"}
        self._opener = build_opener(_NoRedirect, ProxyHandler(proxies))

    @classmethod
    def of(cls, environment: Mapping[str, str] | None = None) -> Api:
        """Return the API with the key in MP_API_KEY, at MP_API_ENDPOINT where that is set.

        Raises:
            NotFetched: There is no key.
        """
        given = os.environ if environment is None else environment
        key = given.get(KEY_VARIABLE, "").strip()
        if not key:
            raise NotFetched(f"{KEY_VARIABLE} is not set; set it to your key of materialsproject.org, {_OTHERWISE}")
        return cls(key, given.get(ENDPOINT_VARIABLE, "").strip() or ENDPOINT)

    def version(self) -> str:
        """Return the version of the database, as ``2025.09.25``; raises as `phases` does."""
        answer = self._get("heartbeat", {})
        return str(answer.get("db_version") or "not told")

    def phases(self, systems: Sequence[str], most_above_hull_ev: float) -> list[Mapping[str, Any]]:
        """Return the documents of chemical systems (``Ba-O-Ti``) within so many eV per atom of the hull, with `FIELDS`.

        Raises:
            NotFetched: It did not answer, or nothing that makes sense; says what to do.
        """
        found: list[Mapping[str, Any]] = []
        for first in range(0, len(systems), SYSTEMS_AT_ONCE):
            query = {
                "chemsys": ",".join(systems[first : first + SYSTEMS_AT_ONCE]),
                "energy_above_hull_max": most_above_hull_ev,
                "deprecated": "false",
                "_fields": ",".join(FIELDS),
                "_limit": PAGE,
            }
            found += self._pages("materials/summary/", query)
        return found

    def _pages(self, route: str, query: Mapping[str, Any]) -> list[Mapping[str, Any]]:
        found: list[Mapping[str, Any]] = []
        while True:
            answer = self._get(route, {**query, "_skip": len(found)})
            rows, meta = answer.get("data"), answer.get("meta")
            total = meta.get("total_doc") if isinstance(meta, Mapping) else 0.0
            if not isinstance(rows, list) or not isinstance(total, int | None):
                raise NotFetched(f"{self.endpoint}{route} answered without data and meta: is it the Materials Project?")
            found += rows
            if not rows or (total is not None and len(found) >= total):
                return found

    def _get(self, route: str, query: Mapping[str, Any]) -> Mapping[str, Any]:
        url = f"{self.endpoint}{route}{'?' + urlencode(query) if query else ''}"
        headers = {"X-API-KEY": self._key, "Accept": "application/json", "User-Agent": "labpilot"}
        try:
            with self._opener.open(Request(url, headers=headers), timeout=self._timeout_s) as answer:
                found = json.loads(answer.read())
        except HTTPError as error:
            error.close()
            raise NotFetched(self._refused(error)) from error
        except (OSError, HTTPException) as error:
            reason = getattr(error, "reason", None) or error
            raise NotFetched(
                f"{self.endpoint} did not answer ({reason}); try again with a network, {_OTHERWISE}"
            ) from error
        except ValueError as error:
            raise NotFetched(
                f"{self.endpoint}{route} answered no JSON ({error}): is it the Materials Project?"
            ) from error
        if not isinstance(found, dict):
            raise NotFetched(f"{self.endpoint}{route} answered no JSON object: is it the Materials Project?")
        return found

    def _refused(self, error: HTTPError) -> str:
        """Say what an answer other than 200 means; never the key."""
        match error.code:
            case 401 | 403:
                return f"{self.endpoint} refused the key in {KEY_VARIABLE}; look it up at materialsproject.org/api"
            case 429:
                return f"{self.endpoint} was asked too often with this key; try again in a minute"
        return f"{self.endpoint} answered {error.code} {error.reason}; try again later, {_OTHERWISE}"


class _NoRedirect(HTTPRedirectHandler):
    """Leaves a redirect an error: urllib would hand the key on to wherever it leads."""

    def redirect_request(self, *_: Any, **__: Any) -> None:
        """Follow nothing."""
        return
