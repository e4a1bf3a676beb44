"""`labpilot orders` and `labpilot notify-test`, as a person types them."""

import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from filelock import FileLock

from orchestrator.cli import main as cli
from orchestrator.people.questions import Choice, Question
from orchestrator.people.spool import Spool
from tests.orchestrator.conftest import SARA

LAB = {
    "labpilot": 1,
    "name": "lab",
    "devices": {"furnace": {"driver": "furnace", "url": "sim:furnace/furnace"}},
    "limits": {"furnace.fire": {"target": {"high": "1100 degC"}}},
}
TRIAL = {
    "number": 1,
    "parameters": {},
    "is_control": False,
    "proposal_id": None,
    "proposal_reason": "",
    "predictions": {},
}
ASKED = {
    "n": 1,
    "asked_s": 0.0,
    "charged_s": 0.0,
    "wall_s": 0.0,
    "policy": "p",
    "fallback_reason": "",
    "diagnostics": {},
}
QUESTION = Question(
    key="fire-1",
    kind="approval",
    text="heat to 1100 degC?",
    choices=(Choice(name="approve", text="the step is done"), Choice(name="refuse")),
    default="refuse",
    deadline_s=7200.0,
)


@pytest.fixture
def campaign(office):
    async def begin(desk):
        body = {"name": "n", "mode": "wall", "seed": 1, "planner": "p", "config": SARA, "lab": LAB, "provenance": {}}
        desk._journal.append("campaign_created", {**body, "versions": {}})
        desk._journal.append("asked", {**ASKED, "index": 0, "trials": [TRIAL, {**TRIAL, "number": 2}]})
        desk._journal.append("trial_failed", {"reason": "melted"}, trial=2)
        desk._note("question_asked", QUESTION.data(), durable=True)

    office.run(begin)
    return office


def read_by_controller(office):
    async def work(desk):
        await desk.run()

    office.run(work)


def say(capsys, *words):
    code = cli.supervise([str(word) for word in words])
    told = capsys.readouterr()
    return code, told.out, told.err


def test_without_a_controller_the_order_waits_and_the_person_is_told(campaign, capsys):
    code, out, _ = say(capsys, "orders", "pause", campaign.path, "--reason", "filter", "--as", "Ada")
    assert code == 0
    assert "no controller runs: it is read at the next start" in out
    assert len(Spool(campaign.path).waiting()) == 1
    read_by_controller(campaign)
    assert campaign.events("order")[0].body["name"] == "Ada"


def test_an_order_that_nothing_would_read_is_refused(campaign, capsys):
    async def end(desk):
        desk._journal.append("campaign_ended", {"status": "finished", "reason": "all done"}, durable=True)

    campaign.run(end)
    code, _, err = say(capsys, "orders", "pause", campaign.path, "--reason", "filter")
    assert code == 2
    assert "has finished (all done); nothing would read an order" in err
    assert Spool(campaign.path).waiting() == []


def test_an_order_before_it_in_the_spool_is_counted_in(campaign, capsys):
    assert say(capsys, "orders", "pause", campaign.path, "--reason", "r")[0] == 0
    code, _, err = say(capsys, "orders", "pause", campaign.path, "--reason", "r")
    assert code == 2
    assert "the campaign is set to pause" in err
    assert say(capsys, "orders", "go-on", campaign.path, "--reason", "r")[0] == 0
    read_by_controller(campaign)
    assert [event.body["is_done"] for event in campaign.events("order")] == [True, True]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["skip", "DIR", "7", "--reason", "r"], "no trial 7: the campaign has trials 1 to 2"),
        (["skip", "DIR", "2", "--reason", "r"], "trial 2 is final already: failed"),
        (["requeue", "DIR", "1", "--reason", "r"], "only a failed or lost trial"),
        (["answer", "DIR", "fire", "approve", "--reason", "r"], "did you mean 'fire-1'"),
        (["answer", "DIR", "fire-1", "aprove", "--reason", "r"], "did you mean 'approve'"),
        (["hold", "DIR", "--device", "furnce", "--reason", "r"], "did you mean 'furnace'"),
        (["hold", "DIR", "--reason", "r"], "exactly one of device and step_kind"),
        (["set-limit", "DIR", "furnace.fire.target", "--high", "1200 degC", "--reason", "r"], "wider than 1100 degC"),
        (["set-budget", "DIR", "--duration", "soon", "--reason", "r"], "--duration"),
        (["abort", "DIR", "--reason", " "], "an order to abort needs a reason"),
        (["handled", "DIR", "magic", "--reason", "r"], "what cannot be 'magic'"),
        (["suggest", "DIR", '{"dwell": 250}', "--reason", "r"], "parameter 'peak_temperature' is missing"),
        (["suggest", "DIR", "dwell=250", "--reason", "r"], "the point must be JSON"),
        (["forbid", "DIR", "hot", '{"where": "peak_temperatur >= 900"}', "--reason", "r"], "did you mean"),
        (["hint", "DIR", "a", '{"box": {"dwell": [300, 400]}}', "--confidence", "2", "--reason", "r"], "confidence"),
        (["allow", "DIR", "hot", "--reason", "r"], "no area 'hot' is forbidden"),
        (["pause", "DIR"], "--reason"),
    ],
)
def test_a_mistake_is_told_and_nothing_is_given(campaign, capsys, words, message):
    code, _, err = say(capsys, "orders", *[campaign.path if word == "DIR" else word for word in words])
    assert code == 2
    assert message in err
    assert Spool(campaign.path).waiting() == []


def test_advice_to_the_planner_is_given_and_taken_back(campaign, capsys):
    hot, long = '{"where": "peak_temperature >= 900"}', '{"box": {"dwell": [5000, 10000]}}'
    for words in (
        ("forbid", campaign.path, "hot", hot),
        ("hint", campaign.path, "long", long, "--confidence", "0.7"),
        ("suggest", campaign.path, '{"peak_temperature": 400, "dwell": 250}'),
        ("allow", campaign.path, "hot"),
        ("forget", campaign.path, "long"),
    ):
        code, _, err = say(capsys, "orders", *words, "--reason", "r")
        assert (code, err) == (0, "")
    read_by_controller(campaign)
    orders = [event.body for event in campaign.events("order")]
    assert [one["kind"] for one in orders] == ["forbid", "hint", "suggest", "allow", "forget"]
    assert orders[1]["arguments"] == {
        "label": "long",
        "area": {"box": {"dwell": [5000, 10000]}},
        "confidence": 0.7,
    }


def test_where_there_is_no_campaign_it_is_told(tmp_path, capsys):
    code, _, err = say(capsys, "orders", "stop", tmp_path, "--reason", "r")
    assert code == 2
    assert "is no campaign directory" in err
    assert not (tmp_path / "orders").exists()


def test_a_question_answered_already_shows_by_whom(campaign, capsys):
    assert say(capsys, "orders", "answer", campaign.path, "fire-1", "refuse", "--reason", "late", "--as", "Ada")[0] == 0
    read_by_controller(campaign)
    code, _, err = say(capsys, "orders", "answer", campaign.path, "fire-1", "approve", "--reason", "r")
    assert code == 2
    assert "question fire-1 was answered 'refuse' by Ada" in err


def test_a_running_controller_says_what_came_of_it(campaign, capsys):
    with FileLock(campaign.path / "controller.lock"):
        reading = threading.Timer(0.5, read_by_controller, [campaign])
        reading.start()
        code, out, _ = say(
            capsys, "orders", "hold", campaign.path, "--device", "furnace", "--reason", "r", "--wait", "20"
        )
        reading.join()
        assert (code, out) == (0, "done: no step is begun with furnace until it is released\n")
        began = time.monotonic()
        code, out, _ = say(capsys, "orders", "pause", campaign.path, "--reason", "r", "--wait", "0")
    assert time.monotonic() - began < 5
    assert code == 0
    assert "was not read yet" in out


def test_an_abort_is_given_even_where_the_journal_cannot_be_read(campaign, capsys):
    (campaign.path / "journal.sqlite").write_bytes(b"not a database" * 100)
    for suffix in ("-wal", "-shm"):
        (campaign.path / f"journal.sqlite{suffix}").unlink(missing_ok=True)
    assert say(capsys, "orders", "skip", campaign.path, "1", "--reason", "r")[0] == 6
    assert say(capsys, "orders", "abort", campaign.path, "--reason", "smoke")[0] == 0
    assert len(Spool(campaign.path).waiting()) == 1


def test_the_list_shows_orders_holds_and_open_questions(campaign, capsys):
    say(capsys, "orders", "hold", campaign.path, "--device", "furnace", "--reason", "it hums", "--as", "Ada")
    read_by_controller(campaign)
    say(capsys, "orders", "pause", campaign.path, "--reason", "lunch")
    code, out, _ = say(capsys, "orders", "list", campaign.path)
    assert code == 0
    assert "the campaign is set to pause, by " in out
    assert "held: device furnace, by Ada" in out
    assert "question fire-1" in out and "approve: the step is done" in out
    assert "'refuse' holds 2 h after that" in out
    assert "waits    pause" in out and "done     hold" in out


@contextmanager
def web_server():
    received = []

    class Hook(BaseHTTPRequestHandler):
        def do_POST(self):  # noqa: N802 - the server's name for it
            received.append(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_):
            pass

    with HTTPServer(("127.0.0.1", 0), Hook) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield server.server_address[1], received
        finally:
            server.shutdown()
            thread.join()


def lab_file(tmp_path, url):
    path = tmp_path / "lab.yaml"
    path.write_text(f"labpilot: 1\npeople:\n  channels:\n    ada: {{url: '{url}', told_of: [question]}}\n")
    return path


def test_a_test_message_is_sent(tmp_path, capsys):
    with web_server() as (port, received):
        code, out, _ = say(capsys, "notify-test", lab_file(tmp_path, f"json://127.0.0.1:{port}/"))
    assert (code, out) == (0, "ada: sent\n")
    assert len(received) == 1


def test_a_channel_that_cannot_be_reached_ends_with_3(tmp_path, capsys):
    with web_server() as (port, _):
        pass
    code, out, _ = say(capsys, "notify-test", lab_file(tmp_path, f"json://127.0.0.1:{port}/"))
    assert code == 3
    assert out.startswith("ada: not sent: ")


def test_a_missing_secret_or_no_channel_at_all_is_told(tmp_path, capsys):
    code, _, err = say(capsys, "notify-test", lab_file(tmp_path, "json://u:$NOT_SET_ANYWHERE@localhost"))
    assert code == 2
    assert "channel 'ada': the environment variable NOT_SET_ANYWHERE is not set" in err
    empty = tmp_path / "empty.yaml"
    empty.write_text("labpilot: 1\n")
    code, _, err = say(capsys, "notify-test", empty)
    assert code == 2
    assert "names no channels" in err
