"""The office of a campaign: who is told of what, in virtual time and on real ports."""

import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from orchestrator.errors import InputError
from orchestrator.execution import Settings, start
from tests.orchestrator.test_journeys import events_of

VIRTUAL = Settings(is_virtual=True, fsync=False)
PEOPLE = """
people:
  channels:
    here:
      url: 'json://127.0.0.1:{port}/hook'
      told_of: [finished, question, intervention, all_is_well]
      at_most_every: 1 s
"""


@pytest.fixture
def webhook():
    """A server that keeps what it is sent."""
    heard = []

    class Hook(BaseHTTPRequestHandler):
        def do_POST(self):
            heard.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_):
            pass

    server = HTTPServer(("127.0.0.1", 0), Hook)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server.server_port, heard
    server.shutdown()
    server.server_close()
    thread.join()


def test_in_virtual_time_the_journal_says_what_would_have_been_told(bakery, tmp_path, webhook):
    port, heard = webhook
    task = bakery("budget.trials=6", lab=PEOPLE.format(port=port) + "simulation: {bakery: {drop: 0.03}}\n")
    start(task, tmp_path / "out", VIRTUAL)
    told = [event.body for event in events_of(tmp_path / "out") if event.kind == "notified"]
    assert told and all(one["is_recorded_only"] and one["channel"] == "here" for one in told)
    topics = {topic for one in told for topic in one["topics"]}
    assert {"finished", "question", "intervention"} <= topics
    assert heard == []


def test_without_channels_nobody_is_told(bakery, tmp_path):
    start(bakery("budget.trials=3"), tmp_path / "out", VIRTUAL)
    assert not [event for event in events_of(tmp_path / "out") if event.kind in ("notified", "daily_word")]


def test_on_real_ports_a_channel_hears_of_the_end(weighing, tmp_path, webhook):
    port, heard = webhook
    ending = start(weighing(PEOPLE.format(port=port)), tmp_path / "out", Settings(is_virtual=False))
    assert ending.status == "finished"
    assert any("finished" in one["title"] or "finished" in one["message"] for one in heard), heard
    (told,) = [event.body for event in events_of(tmp_path / "out") if event.kind == "notified"]
    assert not told["is_recorded_only"]


def test_a_secret_that_is_not_set_keeps_a_campaign_from_beginning(weighing, tmp_path, monkeypatch):
    monkeypatch.delenv("LAB_HOOK", raising=False)
    lab = "people: {channels: {here: {url: $LAB_HOOK, told_of: [finished]}}}\n"
    with pytest.raises(InputError, match="LAB_HOOK"):
        start(weighing(lab), tmp_path / "out", Settings(is_virtual=False))


SHORT = """
labpilot: 1
name: weighing
lab: lab.yaml
parameters: [{name: x, kind: continuous, low: 0, high: 1}]
objectives: [{name: weight, direction: maximize, unit: mg}]
recipe:
  - command: {device: scale, command: weigh}
analysis: {kind: reading, options: {values: {weight: VALUE}}}
planner: {policy: random}
budget: {trials: 1}
"""
SHORT_LAB = """
labpilot: 1
name: weighing
devices:
  scale: {driver: balance, url: sim:balance}
"""


@pytest.fixture
def weighing(tmp_path):
    """A campaign that takes a moment on real ports: one weighing."""
    from orchestrator.check import check_campaign

    def made(lab):
        (tmp_path / "campaign.yaml").write_text(SHORT.replace("VALUE", "mass"))
        (tmp_path / "lab.yaml").write_text(SHORT_LAB + lab)
        return check_campaign(tmp_path / "campaign.yaml").require()

    return made
