import os
import signal
import subprocess
import sys

import pytest

from drivers.links.url import BadURL
from orchestrator.errors import InUse, StorageError
from orchestrator.record.ports import port_of, ports_held, runtime_folder

HOLDER = """
import sys
from pathlib import Path
from orchestrator.record.ports import ports_held
with ports_held(sys.argv[2:], campaign=Path("/data/first"), folder=Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.readline()
"""


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "run"


def held(urls, folder, tmp_path):
    return ports_held(urls, campaign=tmp_path / "second", folder=folder)


def test_settings_and_names_of_one_port_are_one_port(tmp_path):
    (tmp_path / "ttyUSB0").touch()
    (tmp_path / "by-id").symlink_to(tmp_path / "ttyUSB0")
    line = port_of(f"serial://{tmp_path}/ttyUSB0?baud=9600")
    assert port_of(f"serial://{tmp_path}/by-id?baud=115200") == line
    assert port_of(f"modbus+rtu://{tmp_path}/ttyUSB0?baud=9600&unit=3") == line
    assert port_of("tcp://LAB-1.example.:702") == port_of("tcp://lab-1.example:702")
    assert (
        port_of("rfc2217://localhost:2217?baud=9600") == port_of("tcp://127.0.0.1:2217") == port_of("tcp://[::1]:2217")
    )
    assert port_of("sim:film-station/laser") is None


def test_devices_that_answer_several_clients_are_told_apart():
    assert port_of("modbus+tcp://10.0.0.7:502/1") != port_of("modbus+tcp://10.0.0.7:502/2")
    assert port_of("http://10.0.0.8:8080/a") != port_of("http://10.0.0.8:8080/b")
    assert port_of("ca://LAB:HS1:?addr=127.0.0.1:5064") == port_of("ca://LAB:HS1:")
    assert len({port_of(url) for url in ("ca://LAB:HS1:", "ca://LAB:HS2:", "tcp://10.0.0.7:502")}) == 3


def test_what_is_no_url_has_no_port():
    with pytest.raises(BadURL):
        port_of("furnace number one")


def test_two_campaigns_with_one_device_exclude_each_other_as_processes(folder, tmp_path):
    command = [sys.executable, "-c", HOLDER, folder, "tcp://10.0.0.4:702", "ca://LAB:HS1:", "sim:film-station/laser"]
    environment = {**os.environ, "PYTHONPATH": os.getcwd()}
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment, text=True) as first:
        assert first.stdout.readline() == "held\n"
        with (
            pytest.raises(
                InUse, match=rf"the ca port LAB:HS1: is in use by the campaign in /data/first \(process {first.pid}\)"
            ),
            held(["http://10.0.0.9:80", "ca://LAB:HS1:"], folder, tmp_path),
        ):
            pass
        with held(["sim:film-station/laser", "http://10.0.0.9:80"], folder, tmp_path):
            pass  # what was refused left nothing held, and simulators are nobody's
        first.send_signal(signal.SIGKILL)
        first.wait()
        with held(["tcp://10.0.0.4:702", "ca://LAB:HS1:"], folder, tmp_path):
            pass


def test_devices_of_one_campaign_may_share_a_port(folder, tmp_path):
    urls = ["modbus+rtu:///dev/ttyUSB9?unit=1", "modbus+rtu:///dev/ttyUSB9?unit=2"]
    refused = pytest.raises(InUse, match="serial port /dev/ttyUSB9 is in use")
    with held(urls, folder, tmp_path), refused, held(urls[:1], folder, tmp_path):
        pass


def test_a_campaign_of_simulators_makes_no_file(folder, tmp_path):
    with held(["sim:film-station/laser"], folder, tmp_path):
        assert not folder.exists()


def test_a_folder_of_somebody_else_is_refused(tmp_path, monkeypatch):
    (tmp_path / "run").mkdir()
    monkeypatch.setattr(os, "getuid", lambda: 12345)
    with pytest.raises(StorageError, match="belongs to somebody else"), held(["tcp://a:1"], tmp_path / "run", tmp_path):
        pass


def test_the_folder_is_this_users_own(tmp_path):
    assert runtime_folder({"XDG_RUNTIME_DIR": "/run/user/7"}).as_posix() == "/run/user/7/labpilot"
    assert runtime_folder({}).name == f"labpilot-{os.getuid()}"
