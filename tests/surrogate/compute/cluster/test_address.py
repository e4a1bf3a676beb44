import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from surrogate.compute.cluster import ClusterAddress, UnsafeCluster
from surrogate.compute.cluster.places import refuse_open
from tests.surrogate.compute.cluster.machines import certificates


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    return certificates(tmp_path_factory.mktemp("tls"))


@pytest.mark.parametrize(
    ("written", "url"),
    [
        ("tcp://127.0.0.1:8786", "tcp://127.0.0.1:8786"),
        ("tcp://localhost", "tcp://localhost:8786"),
        ("tcp://127.3.2.1:9000", "tcp://127.3.2.1:9000"),
        ("tcp://[::1]:8786", "tcp://[::1]:8786"),
    ],
)
def test_one_machine_needs_no_tls(written, url):
    address = ClusterAddress.of(written, {}, {})
    assert address.url == url and address.security() is None


def test_files_of_tls_come_from_options_or_the_environment(files):
    environment = {f"LABPILOT_CLUSTER_{part.upper()}": path for part, path in files.items()}
    address = ClusterAddress.of("tls://far.example.org:8786", {}, environment)
    assert {part: getattr(address, part) for part in files} == files
    security = address.security()
    assert security.require_encryption and security.tls_ca_file == files["ca"]
    mixed = ClusterAddress.of("tls://far.example.org", {"ca": files["ca"]}, environment | {"LABPILOT_CLUSTER_CA": "no"})
    assert mixed.ca == files["ca"] and mixed.place == ("far.example.org", 8786)
    assert ClusterAddress.of("tcp://127.0.0.1", {}, environment).ca is None


@given(st.ip_addresses().filter(lambda one: not one.is_loopback), st.integers(1, 65535))
def test_no_address_off_this_machine_is_taken_without_tls(ip, port):
    host = f"[{ip}]" if ip.version == 6 else str(ip)
    with pytest.raises(
        UnsafeCluster, match=r"(?s)whoever is in the network could run code.*--tls-ca-file.*give tls://"
    ):
        ClusterAddress(scheduler=f"tcp://{host}:{port}")


@pytest.mark.parametrize(
    ("written", "words"),
    [
        ("127.0.0.1:8786", "no address of a scheduler; write tls://HOST:8786"),
        ("http://127.0.0.1:8786", "no address of a scheduler"),
        ("tcp://127.0.0.1:port", "no address of a scheduler"),
        ("tcp://127.0.0.1:99999", "no address of a scheduler"),
        ("tls://", "no address of a scheduler"),
        ("tls://[::1", "no address of a scheduler"),
        ("tcp://127.0.0.1:0", "no address of a scheduler"),
        ("tcp://127.0.0.1.example.org:8786", "is not on this machine"),
        ("tls://far.example.org:8786", "needs the certificate of the authority .*--cluster-ca FILE, or set LABPILOT_"),
    ],
)
def test_what_is_wrong_with_an_address_is_said(written, words):
    with pytest.raises(UnsafeCluster, match=words):
        ClusterAddress.of(written, {}, {})


def test_files_without_tls_are_no_mistake_that_passes(files):
    with pytest.raises(UnsafeCluster, match="takes no ca: tcp:// is without TLS"):
        ClusterAddress.of("tcp://127.0.0.1", files, {})


@pytest.mark.parametrize("part", ["ca", "cert", "key"])
def test_files_that_cannot_be_used_are_refused_before_anything_is_sent(files, tmp_path, part):
    nonsense = tmp_path / "nonsense.pem"
    nonsense.write_text("no certificate")
    nonsense.chmod(0o600)
    for path, words in ((nonsense, "PEM"), (tmp_path / "nowhere.pem", "cannot be read: No such file")):
        with pytest.raises(UnsafeCluster, match=words):
            ClusterAddress.of("tls://far.example.org", {**files, part: str(path)}, {})


def test_a_key_of_another_certificate_is_refused(files, tmp_path):
    other = certificates(tmp_path, "other")
    with pytest.raises(UnsafeCluster, match="are no certificate and its private key"):
        ClusterAddress.of("tls://far.example.org", {**files, "key": other["key"]}, {})


def test_a_key_that_others_may_read_is_refused(tmp_path):
    files = certificates(tmp_path)
    os.chmod(files["key"], 0o640)
    with pytest.raises(UnsafeCluster, match="chmod 600"):
        ClusterAddress.of("tls://far.example.org", files, {})


@pytest.mark.parametrize(
    ("scheduler", "worker", "words"),
    [
        (
            "tcp://10.0.0.5:8786",
            "tcp://127.0.0.1:9000",
            "the scheduler at tcp://10.0.0.5:8786 can be reached from other",
        ),
        ("tcp://127.0.0.1:8786", "tcp://0.0.0.0:9000", "the worker at tcp://0.0.0.0:9000 can be reached"),
        ("tls://10.0.0.5:8786", "tcp://10.0.0.6:9000", "the worker"),
    ],
)
def test_what_listens_to_others_without_tls_is_refused(scheduler, worker, words):
    with pytest.raises(UnsafeCluster, match=words):
        refuse_open([("scheduler", scheduler), ("worker", worker)])


def test_what_has_tls_or_listens_to_this_machine_alone_is_not():
    refuse_open([("scheduler", "tls://10.0.0.5:8786"), ("worker", "tls://0.0.0.0:9000")])
    refuse_open([("scheduler", "tcp://127.0.0.1:8786"), ("worker", "tcp://[::1]:9000")])
