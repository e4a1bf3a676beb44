import os
import re
import signal
import subprocess
import sys
import threading
from http.client import HTTPConnection

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.cli.main import supervise
from orchestrator.cli.serving import Seen, open_server
from orchestrator.errors import InputError
from orchestrator.metrics import CONTENT_TYPE, Family, _lines, exposition
from orchestrator.status.looks import Looks

SAMPLE = re.compile(r'([a-z_:][a-z0-9_:]*)\{((?:[a-z_]+="(?:[^"\\\n]|\\["\\n])*",?)*)\} (\S+)')
LABEL = re.compile(r'([a-z_]+)="((?:[^"\\]|\\.)*)"')
UNESCAPED = {"\\\\": "\\", '\\"': '"', "\\n": "\n"}


def read(text):
    """Read the format as its specification says; return types, and values by name and labels."""
    kinds, values, current = {}, {}, ""
    assert text.endswith("\n")
    for line in text[:-1].split("\n"):
        if line.startswith("# HELP "):
            current = line.split(" ")[2]
            assert current not in kinds, "the lines of one metric belong together"
        elif line.startswith("# TYPE "):
            _, _, name, kind = line.split(" ")
            assert name == current
            kinds[name] = kind
        else:
            match = SAMPLE.fullmatch(line)
            assert match is not None, line
            assert match[1] == current
            labels = {n: re.sub(r"\\.", lambda part: UNESCAPED[part[0]], v) for n, v in LABEL.findall(match[2])}
            key = (match[1], frozenset(labels.items()))
            assert key not in values
            values[key] = float(match[3])
    return kinds, values


def value(values, name, **labels):
    (found,) = [v for (n, have), v in values.items() if n == name and labels.items() <= dict(have).items()]
    return found


def test_a_campaign_is_told_in_numbers(fabricate):
    looks = Looks(fabricate().sara(6))
    kinds, values = read(exposition(looks.look(), looks.findings))
    assert value(values, "labpilot_trials_total", outcome="measured") == 4
    assert value(values, "labpilot_trials_total", outcome="lost") == 1
    assert value(values, "labpilot_trials_budget") == 48
    assert value(values, "labpilot_campaign_state", state="finished") == 1
    assert value(values, "labpilot_campaign_state", state="running") == 0
    assert value(values, "labpilot_incidents_total", kind="intervention") == 1
    assert value(values, "labpilot_controller_up") == 0
    assert value(values, "labpilot_finding_level", finding="clock") == 0
    assert value(values, "labpilot_last_event_timestamp_seconds") > 1767225600
    assert all(dict(labels)["campaign"] == "sara" for _, labels in values)
    assert all(name.endswith("_total") == (kind == "counter") for name, kind in kinds.items())


def test_the_best_has_its_unit_as_a_label(fabricate):
    looks = Looks(fabricate().bench(2))
    status = looks.look()
    assert status.best is not None
    _, values = read(exposition(status, looks.findings))
    assert value(values, "labpilot_objective_best", objective="hydrogen", unit="umol") == status.best.value


@given(st.text(), st.floats(allow_nan=False))
def test_any_label_and_number_is_read_back(text, number):
    family = Family(name="labpilot_x", kind="gauge", about="Something.", samples=[({"finding": text}, number)])
    _, values = read("".join(f"{line}\n" for line in _lines(family, {})))
    assert values == {("labpilot_x", frozenset({("finding", text)})): number}


def test_every_metric_stands_in_the_documentation(fabricate):
    from pathlib import Path

    page = (Path(__file__).parents[2] / "docs" / "metrics.md").read_text()
    looks = Looks(fabricate().bench(1))
    kinds, _ = read(exposition(looks.look(), looks.findings))
    assert [name for name in kinds if f"`{name}`" not in page] == []


def test_the_command_prints_once(fabricate, capsys):
    assert supervise(["metrics", str(fabricate().sara(2))]) == 0
    assert value(read(capsys.readouterr().out)[1], "labpilot_trials_total", outcome="measured") == 2


@pytest.fixture
def served(fabricate):
    maker = fabricate()
    path = maker.sara(1, end=False)
    server = open_server(path, 0)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    yield maker, server
    server.shutdown()
    server.server_close()
    thread.join()


def get(server, path="/metrics"):
    connection = HTTPConnection("127.0.0.1", server.server_port, timeout=10)
    connection.request("GET", path)
    answer = connection.getresponse()
    found = answer.status, answer.headers["Content-Type"], answer.read().decode()
    connection.close()
    return found


def test_the_server_answers_on_this_computer_only(served):
    _, server = served
    assert server.server_address[0] == "127.0.0.1"
    status, kind, text = get(server)
    assert (status, kind) == (200, CONTENT_TYPE)
    assert value(read(text)[1], "labpilot_trials_total", outcome="measured") == 1
    assert get(server, "/")[0] == 404


def test_a_campaign_that_cannot_be_read_for_a_moment_is_unavailable(served):
    maker, server = served
    maker.close()
    hidden = maker.path / "campaign.json"
    hidden.rename(maker.path / "away")
    server.seen._again_s = 0.0
    status, _, text = get(server)
    assert status == 503
    assert "no campaign directory" in text
    (maker.path / "away").rename(hidden)
    assert get(server)[0] == 200


def test_who_asks_at_once_again_gets_what_was_last_seen(fabricate):
    maker = fabricate()
    seen = Seen(maker.sara(1, end=False))
    first = seen.text()
    maker.stripe(2, points=2, pixels=8)
    maker.journal.flush()
    assert seen.text() is first
    seen._again_s = 0.0
    assert value(read(seen.text())[1], "labpilot_trials_total", outcome="measured") == 2


def test_a_port_that_is_taken_is_said(served):
    maker, server = served
    with pytest.raises(InputError, match=rf"cannot listen on 127.0.0.1:{server.server_port}: Address already in use"):
        open_server(maker.path, server.server_port)


def test_the_command_serves_until_ctrl_c(fabricate):
    path = fabricate().sara(1)
    command = [sys.executable, "-m", "orchestrator.cli.main", "metrics", str(path), "--serve", "0"]
    child = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True)
    assert child.stderr is not None
    port = re.match(r"http://127.0.0.1:(\d+)/metrics", child.stderr.readline())
    assert port is not None
    connection = HTTPConnection("127.0.0.1", int(port[1]), timeout=10)
    connection.request("GET", "/metrics")
    assert connection.getresponse().status == 200
    connection.close()
    os.kill(child.pid, signal.SIGINT)
    assert child.wait(20) == 0
    assert child.stderr.read() == ""
    child.stderr.close()
