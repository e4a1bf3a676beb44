import socket
import traceback

import pytest

from surrogate.reactions.errors import NotFetched
from surrogate.reactions.mp_api import ENDPOINT, FIELDS, Api
from tests.surrogate.reactions.materials_project_server import KEY, VERSION, document, project


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch):
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def server():
    with project() as running:
        yield running


def test_a_request_is_what_the_api_documents(server):
    found = Api(KEY, server.url).phases(["Ba-Ti-O", "Ba-O-Ti"], 0.05)
    ((path, query, headers),) = server.asked
    assert path == "/materials/summary/"
    assert query == {
        "chemsys": "Ba-Ti-O,Ba-O-Ti", "energy_above_hull_max": "0.05", "deprecated": "false",
        "_fields": ",".join(FIELDS), "_limit": "1000", "_skip": "0",
    }  # fmt: skip
    assert headers["X-Api-Key"] == KEY
    assert {one["formula_pretty"] for one in found} >= {"BaTiO3", "BaTi2O5"}
    assert all(set(one) == set(FIELDS) for one in found)


def test_pages_are_put_together():
    known = [document(f"mp-{n}", "MgO", -3.0) for n in range(25)]
    with project(known, page=10) as server:
        found = Api(KEY, server.url).phases(["Mg-O"], 0.05)
        assert [one["material_id"] for one in found] == [f"mp-{n}" for n in range(25)]
        assert [query["_skip"] for _, query, _ in server.asked] == ["0", "10", "20"]


def test_pages_of_an_unknown_number_are_put_together():
    known = [document(f"mp-{n}", "MgO", -3.0) for n in range(25)]
    with project(known, page=10) as server:
        server.counts = False
        assert len(Api(KEY, server.url).phases(["Mg-O"], 0.05)) == 25


def test_many_systems_are_asked_for_in_several_requests():
    with project([document("mp-1", "MgO", -3.0)]) as server:
        systems = [f"{one}-{other}" for one in "CFHIKNOPSU" for other in "BCFHIKNOPSUVW"]
        assert Api(KEY, server.url).phases([*systems, "Mg-O"], 0.05)[0]["material_id"] == "mp-1"
        assert [len(query["chemsys"].split(",")) for _, query, _ in server.asked] == [100, 31]


def test_the_version_of_the_database_is_told(server):
    assert Api(KEY, server.url).version() == VERSION


@pytest.mark.parametrize("environment", [{}, {"MP_API_KEY": "  "}], ids=["none", "blank"])
def test_without_a_key_it_says_what_to_set(environment):
    with pytest.raises(
        NotFetched, match=r"MP_API_KEY is not set; set it to your key of materialsproject\.org, or give"
    ):
        Api.of(environment)


def test_key_and_endpoint_come_from_the_environment(server):
    assert Api.of({"MP_API_KEY": KEY}).endpoint == ENDPOINT
    assert Api.of({"MP_API_KEY": f" {KEY}\n", "MP_API_ENDPOINT": server.url}).version() == VERSION


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        ((429, b"", {}), "asked too often with this key; try again in a minute"),
        ((503, b"down", {}), "answered 503 Service Unavailable; try again later, or give a file"),
        ((200, b"<html>a portal</html>", {}), "answered no JSON"),
        ((200, b"[]", {}), "answered no JSON object"),
        ((200, b'{"data": [], "met": 1}', {}), "answered without data and meta"),
        ((200, b'{"data": [], "meta": {"total_doc": "many"}}', {}), "answered without data and meta"),
        ((200, b'{"data": [', {"Content-Length": "100"}), "did not answer"),
    ],
    ids=["often", "down", "portal", "list", "another", "uncounted", "cut off"],
)
def test_an_answer_that_is_none_says_what_to_do(server, broken, message):
    server.broken = broken
    with pytest.raises(NotFetched, match=message) as raised:
        Api(KEY, server.url, timeout_s=5.0).phases(["Mg-O"], 0.05)
    assert KEY not in str(raised.value)


def test_a_wrong_key_is_told_and_not_repeated(server):
    with pytest.raises(NotFetched, match="refused the key in MP_API_KEY") as raised:
        Api("another-key", server.url).version()
    assert "another-key" not in str(raised.value)


def test_without_a_network_it_says_so():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and never listens
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/"
        with pytest.raises(NotFetched, match="did not answer .*; try again with a network, or give a file"):
            Api(KEY, url).version()


def test_a_server_that_is_silent_is_given_up():
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/"
        with pytest.raises(NotFetched, match="did not answer .*timed out"):
            Api(KEY, url, timeout_s=0.1).version()


def test_the_key_is_not_handed_on_by_a_redirect(server):
    with project() as elsewhere:
        server.broken = (302, b"", {"Location": f"{elsewhere.url}heartbeat"})
        with pytest.raises(NotFetched, match="answered 302"):
            Api(KEY, server.url).version()
        assert elsewhere.asked == []


def test_the_key_goes_through_no_proxy_that_could_read_it(server, monkeypatch):
    with project() as proxy:
        monkeypatch.setenv("http_proxy", proxy.url)
        assert Api(KEY, server.url).version() == VERSION
        assert proxy.asked == []


@pytest.mark.parametrize("key", ["a-users\nown-key", "a-users-ówn-key", "a-users‑own‑key", "a-users own-key"])
def test_a_key_that_was_copied_badly_is_told_and_not_repeated(server, key):
    with pytest.raises(NotFetched, match="MP_API_KEY holds what no key has .*; copy it again from") as raised:
        Api.of({"MP_API_KEY": key, "MP_API_ENDPOINT": server.url}).version()
    assert "users" not in "".join(traceback.format_exception(raised.value))
    assert server.asked == []


def test_the_key_does_not_travel_in_the_clear():
    with pytest.raises(NotFetched, match="is not https: your key would travel in the clear"):
        Api(KEY, "http://api.materialsproject.org/")
