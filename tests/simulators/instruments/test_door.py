import asyncio
import http.client
import json

import pytest

from simulators.instruments.door import DoorStation
from simulators.ports import opened
from simulators.world import WorldFile


class Station:
    def __init__(self, desk, seed=5, **options):
        self.desk = desk
        self.world = DoorStation(state=desk.state, clock=desk, seed=seed, options=options)
        self.door = self.world.door

    def ask(self, method, path, body=None):
        content = b"" if body is None else json.dumps(body).encode()
        head = f"{method} {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(content)}\r\n\r\n".encode()
        reply = self.desk.ask(self.door, head + content)
        head, _, found = reply.partition(b"\r\n\r\n")
        return int(head.split(b" ")[1]), json.loads(found)

    def put(self, target):
        return self.ask("PUT", "/door", {"target": target})

    def state(self):
        return self.ask("GET", "/door")[1]["state"]


@pytest.fixture
def station(desk):
    return Station(desk)


def test_exact_exchange(desk, station):
    body = b'{"target": "open"}'
    request = b"PUT /door HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)
    assert desk.ask(station.door, request) == (
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 121\r\nConnection: close\r\n\r\n"
        b'{"state": "opening", "target": "open", "position_percent": 0.0, "remaining_s": 4.0, '
        b'"is_obstructed": false, "age_s": 0.0}'
    )


def test_the_way_takes_four_seconds(desk, station):
    station.put("open")
    for time_s, percent in ((0.0, 0.0), (1.0, 25.0), (3.0, 75.0)):
        desk.time_s = time_s
        found = station.ask("GET", "/door")[1]
        assert (found["state"], found["position_percent"]) == ("opening", percent)
        assert found["remaining_s"] == pytest.approx(4.0 - time_s)
    desk.time_s = 4.0
    assert station.state() == "open"


def test_it_turns_round_on_the_way(desk, station):
    station.put("open")
    desk.time_s = 3.0
    found = station.put("closed")[1]
    assert (found["state"], found["remaining_s"]) == ("closing", 3.0)
    desk.time_s = 6.0
    assert station.state() == "closed"


def test_holding_stops_it(desk, station):
    station.put("open")
    desk.time_s = 1.0
    assert station.put("hold")[1]["state"] == "stopped"
    desk.time_s = 9.0
    assert station.ask("GET", "/door")[1]["position_percent"] == 25.0
    station.put("open")
    desk.time_s = 12.0
    assert station.state() == "open"


def test_jams_come_as_often_as_asked_and_anywhere(desk):
    places = []
    for seed in range(200):
        desk.state = WorldFile(":memory:")
        desk.time_s = 0.0
        station = Station(desk, seed=seed, jam_probability=0.3)
        station.put("open")
        desk.time_s = 5.0
        if station.state() == "jammed":
            places.append(station.door.position(5.0))
    assert len(places) == pytest.approx(60, abs=20)
    assert 0.1 <= min(places) < 0.25
    assert 0.75 < max(places) <= 0.9


def test_a_jam_is_refused_until_somebody_frees_it(desk):
    station = Station(desk, jam_probability=1.0)
    station.put("open")
    desk.time_s = 5.0
    where = station.door.position(5.0)
    for target in ("open", "closed", "home"):
        assert station.put(target) == (409, {"error": "the door is jammed"})
    assert station.door.position(99.0) == where
    station.door.front_panel()
    assert station.state() in ("opening", "closing")


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("PUT", "/door", {"target": "ajar"}, 422),
        ("PUT", "/door", {}, 422),
        ("PUT", "/door", {"target": ["open"]}, 422),
        ("POST", "/door", {"target": "open"}, 405),
        ("GET", "/window", None, 404),
    ],
    ids=lambda value: str(value)[:24],
)
def test_what_it_refuses(desk, station, method, path, body, status):
    assert station.ask(method, path, body)[0] == status
    assert list(desk.state.keys("act/")) == []


def test_interlocks(desk):
    station = Station(desk, furnace_hot_until_s=10.0, person_comes_at_s=20.0, person_goes_at_s=30.0)
    assert station.put("open") == (409, {"error": "interlock furnace_cold: 800 Cel is above 60 Cel"})
    desk.time_s = 10.0
    assert station.put("open")[0] == 200
    desk.time_s = 25.0
    assert station.put("closed") == (409, {"error": "interlock nobody_in_the_way: somebody stands in the door"})
    cold, free = station.ask("GET", "/interlocks")[1]["interlocks"]
    assert (cold["holds"], free["holds"], free["reason"]) == (True, False, "somebody stands in the door")
    desk.time_s = 30.0
    assert station.put("closed")[0] == 200


def test_a_person_stops_a_door_that_closes_but_not_one_that_opens(desk):
    station = Station(desk, person_comes_at_s=6.0, person_goes_at_s=7.0)
    station.put("open")
    desk.time_s = 5.0
    station.put("closed")
    desk.time_s = 6.5
    found = station.ask("GET", "/door")[1]
    assert (found["state"], found["is_obstructed"], found["position_percent"]) == ("stopped", True, 75.0)
    station.put("open")
    desk.time_s = 8.0
    assert station.state() == "open"


def test_a_loss_of_power_forgets_where_it_is(desk, station):
    station.put("open")
    desk.time_s = 2.0
    station.door.restart()
    found = station.ask("GET", "/door")[1]
    assert (found["state"], found["position_percent"]) == ("unknown", None)
    assert station.put("open")[0] == 409
    assert station.put("home")[1]["remaining_s"] == pytest.approx(4.0)
    desk.time_s = 6.0
    assert station.state() == "closed"
    assert station.put("open")[0] == 200


def test_it_survives_the_death_of_its_process_on_its_way(tmp_path, desk):
    desk.state = WorldFile(tmp_path / "world.db")
    station = Station(desk)
    station.put("open")
    desk.time_s = 1.0
    station.world.close()
    desk.state = WorldFile(tmp_path / "world.db")
    station = Station(desk)
    assert station.ask("GET", "/door")[1]["position_percent"] == 25.0
    desk.time_s = 4.0
    assert station.state() == "open"
    desk.state.close()


def test_the_standard_library_talks_to_it_on_a_real_port():
    world = DoorStation(state=WorldFile(":memory:"), clock=_Still(), seed=1, options={})

    def talk(host):
        found = []
        for method, path, body in [("PUT", "/door", '{"target": "open"}'), ("GET", "/door", None)]:
            client = http.client.HTTPConnection(host, timeout=5.0)
            client.request(method, path, body)
            reply = client.getresponse()
            found.append((reply.status, json.loads(reply.read())["state"]))
            client.close()
        return found

    async def main():
        async with opened(world.instruments) as urls:
            host = urls["door"].removeprefix("http://")
            assert await asyncio.get_running_loop().run_in_executor(None, talk, host) == [(200, "opening")] * 2

    asyncio.run(main())


class _Still:
    def now_s(self):
        return 0.0
