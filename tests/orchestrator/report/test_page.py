import base64
import hashlib
import re
from html.parser import HTMLParser

import pytest

from orchestrator.report import page as page_module
from orchestrator.report import posterior, write_report
from orchestrator.report.posterior import Posterior

pytestmark = pytest.mark.usefixtures("no_posterior")

VOID = {"meta", "img", "br", "hr", "input", "link"}
URL_ATTRIBUTES = {"src", "href", "action", "data", "poster", "srcset", "formaction", "background", "cite"}


class Checker(HTMLParser):
    """Collects what is wrong with a page: elements left open, ids given twice, addresses, inline handlers."""

    def __init__(self):
        super().__init__(convert_charrefs=True)
        self.open, self.problems, self.ids, self.urls, self.targets, self.scripts = [], [], set(), [], [], []
        self._script = None

    def handle_starttag(self, tag, attrs):
        for name, value in attrs:
            if name == "id":
                if value in self.ids:
                    self.problems.append(f"id {value} twice")
                self.ids.add(value)
            if name in URL_ATTRIBUTES:
                (self.targets if value.startswith("#") else self.urls).append(value)
            if name.startswith("on"):
                self.problems.append(f"inline handler {name}")
        if tag == "script":
            self._script = [dict(attrs), ""]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if not self.open or self.open[-1] != tag:
            self.problems.append(f"</{tag}> closes {self.open[-3:]}")
        else:
            self.open.pop()
        if tag == "script":
            self.scripts.append(tuple(self._script))
            self._script = None

    def handle_data(self, data):
        if self._script is not None:
            self._script[1] += data


@pytest.fixture(params=["sara", "bench"])
def page(request, fabricate):
    path = getattr(fabricate(), request.param)(2)
    text = write_report(path).path.read_text(encoding="utf-8")
    checker = Checker()
    checker.feed(text)
    checker.close()
    return text, checker


def test_the_page_is_well_formed(page):
    text, checker = page
    assert checker.problems == []
    assert checker.open == []
    assert text.startswith("<!doctype html>")
    assert {target[1:] for target in checker.targets} <= checker.ids


def test_nothing_is_fetched_from_anywhere(page):
    text, checker = page
    assert checker.urls == []
    style = "".join(re.findall(r"<style>(.*?)</style>", text, re.DOTALL))
    assert "url(" not in style
    assert "@import" not in style
    ours = checker.scripts[-1][1]
    assert not re.search(r"https?://|fetch\(|XMLHttpRequest|WebSocket|import\(|eval\(|new Function|innerHTML", ours)


def test_the_policy_forbids_requests_and_allows_only_these_scripts(page):
    text, checker = page
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', text)[1]
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    assert rules["default-src"] == "'none'"
    assert "connect-src" not in rules
    executed = [body for attributes, body in checker.scripts if "type" not in attributes]
    assert len(executed) == 2
    hashes = {f"'sha256-{base64.b64encode(hashlib.sha256(body.encode()).digest()).decode()}'" for body in executed}
    assert set(rules["script-src"].split()) == hashes
    assert text.index("Content-Security-Policy") < text.index("<script")


def test_plotly_is_embedded_once(page):
    text, _ = page
    assert text.count("plotly.js v") == 1
    assert "</script" not in page_module._plotly()


def test_every_place_that_the_script_draws_in_is_on_some_page(fabricate, monkeypatch):
    script = "\n".join(page_module._asset(name) for name in page_module.SCRIPTS)
    wanted = set(re.findall(r'(?:lab\.by|lab\.chart|wire)\("([^"]+)"', script)) - {"data"}
    found = set()
    a_map = {"kind": "map", "x": [1.0], "y": [1.0], "mean": [[0.0]], "sd": [[1.0]]}
    for kind, payload in (("sara", a_map), ("sara", None), ("bench", None)):
        monkeypatch.setattr(posterior, "predict_posterior", lambda _reading, found=payload: Posterior(payload=found))
        maker = fabricate(f"{kind} {payload is None}")
        checker = Checker()
        checker.feed(write_report(getattr(maker, kind)(1)).path.read_text(encoding="utf-8"))
        found |= checker.ids
    assert len(wanted) > 20
    assert wanted <= found


def test_the_stylesheet_knows_both_schemes_and_paper(page):
    text, _ = page
    assert "prefers-color-scheme: dark" in text
    assert '[data-scheme="dark"]' in text
    assert "@media print" in text
    assert "@media (max-width" in text
