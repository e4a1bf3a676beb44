import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.links.url import (
    SCHEMES,
    BadURL,
    CaAddress,
    HttpAddress,
    ModbusRtuAddress,
    ModbusTcpAddress,
    Rfc2217Address,
    SerialAddress,
    SharedAddress,
    SimAddress,
    TcpAddress,
    host_and_port,
    parse_url,
    scheme_of,
)

WORDS = st.text("abcdefghijklmnopqrstuvwxyz0123456789-_.", min_size=1, max_size=12)
PRINTABLE = st.text(
    st.characters(categories=["L", "N", "P", "S", "Zs"]).filter(str.isprintable), min_size=1, max_size=12
)
HOSTS = st.one_of(
    WORDS,
    st.ip_addresses(v=4).map(str),
    st.ip_addresses(v=6).map(str),
    st.just("fe80::1%eth0"),
)
PORTS = st.integers(1, 65_535)
HEX = st.integers(0, 0xFFFF).map(lambda number: f"{number:04x}")
PLACES = st.one_of(
    st.lists(PRINTABLE.filter(lambda name: "/" not in name), min_size=1, max_size=3).map(
        lambda names: {"path": "/" + "/".join(names)}
    ),
    st.builds(lambda vendor, product: {"usb": f"{vendor}:{product}"}, HEX, HEX),
    st.builds(lambda vendor, product, serial: {"usb": f"{vendor}:{product}:{serial}"}, HEX, HEX, PRINTABLE),
)
SETTINGS = st.fixed_dictionaries(
    {
        "baud": st.integers(1, 4_000_000),
        "parity": st.sampled_from(["N", "E", "O"]),
        "data_bits": st.sampled_from([7, 8]),
        "stop_bits": st.sampled_from([1, 2]),
    }
)
LINES = st.builds(lambda place, settings: SerialAddress(**place, **settings), PLACES, SETTINGS)
ADDRESSES = {
    "serial": LINES,
    "tcp": st.builds(TcpAddress, host=HOSTS, port=PORTS),
    "rfc2217": st.builds(
        Rfc2217Address, host=HOSTS, port=PORTS, line=SETTINGS.map(lambda settings: SerialAddress(**settings))
    ),
    "modbus+rtu": st.builds(ModbusRtuAddress, line=LINES, unit=st.integers(1, 247)),
    "modbus+tcp": st.builds(
        ModbusTcpAddress, host=HOSTS, port=PORTS, unit=st.one_of(st.integers(0, 247), st.just(255))
    ),
    "ca": st.builds(
        CaAddress,
        prefix=st.text("ABCdef019_:.<>;[]-", min_size=1, max_size=12),
        servers=st.lists(st.builds("{}:{}".format, WORDS, PORTS), max_size=3).map(tuple),
    ),
    "http": st.builds(
        HttpAddress,
        host=HOSTS,
        port=PORTS,
        base=st.lists(WORDS, max_size=3).map(lambda words: "".join(f"/{word}" for word in words)),
    ),
    "sim": st.builds(SimAddress, world=WORDS, instrument=st.one_of(st.just(""), WORDS)),
}
SHAREABLE = ("serial", "tcp", "rfc2217", "modbus+rtu", "modbus+tcp", "http")
ADDRESSES["shared"] = st.builds(SharedAddress, port=st.one_of(*(ADDRESSES[scheme] for scheme in SHAREABLE)))


def test_every_scheme_has_its_strategy_and_its_example_is_one():
    assert set(ADDRESSES) == set(SCHEMES)
    for scheme, example in SCHEMES.items():
        assert scheme_of(parse_url(example)) == scheme


@pytest.mark.parametrize("scheme", ADDRESSES)
@given(data=st.data())
def test_an_address_survives_being_written(scheme, data):
    address = data.draw(ADDRESSES[scheme])
    assert parse_url(str(address)) == address
    assert scheme_of(address) == scheme


@given(scheme=st.sampled_from(sorted(SCHEMES)), rest=st.text(max_size=30))
def test_any_text_is_an_address_that_can_be_written_or_a_bad_url(scheme, rest):
    for text in (rest, f"{scheme}:{rest}", f"{scheme}://{rest}", f"{scheme}://host:1{rest}"):
        try:
            address = parse_url(text)
        except BadURL:
            continue
        assert parse_url(str(address)) == address


def test_a_serial_address():
    expected = SerialAddress(path="/dev/pts/3", baud=115_200, parity="E", data_bits=7, stop_bits=2)
    assert parse_url("serial:///dev/pts/3?baud=115200&parity=E&data=7&stop=2") == expected


def test_a_serial_address_has_the_usual_defaults():
    assert parse_url("serial:///dev/ttyUSB0") == SerialAddress(
        path="/dev/ttyUSB0", baud=9600, parity="N", data_bits=8, stop_bits=1
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("serial://usb:0403:6001:A50285BI", SerialAddress(usb="0403:6001:A50285BI")),
        ("serial://usb:1a86:7523?baud=115200", SerialAddress(usb="1a86:7523", baud=115_200)),
        ("serial://usb:303a:1001:F4:12:FA:00:11:22", SerialAddress(usb="303a:1001:F4:12:FA:00:11:22")),
        ("serial:///dev/by-path/pci-0000:00:14.0-usb", SerialAddress(path="/dev/by-path/pci-0000:00:14.0-usb")),
        ("serial:///dev/tty%20a%3F", SerialAddress(path="/dev/tty a?")),
        ("tcp://10.0.0.5:702", TcpAddress(host="10.0.0.5", port=702)),
        ("tcp://[::1]:702", TcpAddress(host="::1", port=702)),
        ("tcp://XRD.Example.org:702", TcpAddress(host="xrd.example.org", port=702)),
        ("rfc2217://moxa:4001?baud=19200", Rfc2217Address(host="moxa", port=4001, line=SerialAddress(baud=19_200))),
        ("modbus+rtu:///dev/ttyS0?unit=7", ModbusRtuAddress(line=SerialAddress(path="/dev/ttyS0"), unit=7)),
        ("modbus+rtu:///dev/ttyS0", ModbusRtuAddress(line=SerialAddress(path="/dev/ttyS0"), unit=1)),
        ("modbus+tcp://plc", ModbusTcpAddress(host="plc", port=502, unit=1)),
        ("modbus+tcp://plc:1502/255", ModbusTcpAddress(host="plc", port=1502, unit=255)),
        ("modbus+tcp://plc/0", ModbusTcpAddress(host="plc", port=502, unit=0)),
        ("ca://LAB:HS1:", CaAddress(prefix="LAB:HS1:")),
        ("ca://LAB[2]:?addr=ioc1:5064,ioc2:5066", CaAddress(prefix="LAB[2]:", servers=("ioc1:5064", "ioc2:5066"))),
        ("http://[fe80::1%eth0]/api/", HttpAddress(host="fe80::1%eth0", port=80, base="/api")),
        ("http://dosing:8080", HttpAddress(host="dosing", port=8080)),
        ("sim:film-station/stage", SimAddress(world="film-station", instrument="stage")),
        ("sim:furnace", SimAddress(world="furnace")),
    ],
)  # fmt: skip
def test_what_an_address_means(text, expected):
    assert parse_url(text) == expected


@pytest.mark.parametrize("text", ["shared:sim:furnace/tcp", "shared:ca://LAB:", "shared:shared:tcp://a:1", "shared:"])
def test_only_a_port_whose_bytes_go_in_and_out_is_shared(text):
    with pytest.raises(BadURL):
        parse_url(text)


def test_host_and_port_are_as_a_url_has_them():
    assert host_and_port(HttpAddress(host="::1", port=80, base="/x")) == "[::1]:80"
    assert host_and_port(TcpAddress(host="plc", port=702)) == "plc:702"


@pytest.mark.parametrize("text", ["visa://10.0.0.5:702", "stage", "", "Serial:///dev/ttyUSB0", "/dev/ttyUSB0", "COM3"])
def test_an_unknown_scheme_names_those_that_exist(text):
    with pytest.raises(BadURL, match=r"serial: \(as in serial:///dev/ttyUSB0.*\), sim: \(as in sim:WORLD/INSTRUMENT"):
        parse_url(text)


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("tpc://h:1", "tcp"),
        ("modbus-tcp://h:1", "modbus+tcp"),
        ("Serial:///dev/x", "serial"),
        ("rfc2271://h:1", "rfc2217"),
    ],
)
def test_a_scheme_that_is_nearly_right_is_guessed(text, hint):
    with pytest.raises(BadURL, match=f"did you mean '{hint}'".replace("+", r"\+")):
        parse_url(text)


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("serial://dev/ttyUSB0", "three slashes"),
        ("serial:dev/ttyUSB0", "three slashes"),
        ("serial://", "three slashes"),
        ("serial:////server/share", "three slashes"),
        ("serial:///dev/ttyUSB0?bud=9600", "unknown option 'bud'; did you mean 'baud'"),
        ("serial:///dev/ttyUSB0?colour=red", "there are baud, parity, data, stop"),
        ("serial:///dev/ttyUSB0?baud=fast", "no positive whole number"),
        ("serial:///dev/ttyUSB0?baud=0", "no positive whole number"),
        ("serial:///dev/ttyUSB0?baud=", "no positive whole number"),
        ("serial:///dev/ttyUSB0?baud=4000001", "up to 4000000"),
        ("serial:///dev/ttyUSB0?baud=" + "9" * 5000, "up to 4000000"),
        ("serial:///dev/ttyUSB0?baud=9600&baud=19200", "baud is there twice"),
        ("serial:///dev/ttyUSB0?parity=X", "none of N, E, O"),
        ("serial:///dev/ttyUSB0?data=9", "none of 7, 8"),
        ("serial:///dev/ttyUSB0#1", "no part behind '#'"),
        ("serial:///dev/tty%00", "no control characters"),
        ("serial:///dev/tty USB0", "no space"),
        ("serial:///dev/tty\tUSB0", "no space and only plain"),
        ("serial:///dev/tt\u00fc", "only plain characters"),
        ("serial://usb:0403:6001:", "usb:VENDOR:PRODUCT:SERIAL"),
        ("serial://usb:xyz:6001:A", "usb:VENDOR:PRODUCT:SERIAL"),
        ("serial://usb:04031:6001:A", "usb:VENDOR:PRODUCT:SERIAL"),
        ("serial://usb:0403", "usb:VENDOR:PRODUCT:SERIAL"),
        ("tcp://10.0.0.5", "write tcp://192.168.0.5:702"),
        ("tcp://10.0.0.5:0", "write tcp://192.168.0.5:702"),
        ("tcp://:702", "write tcp://192.168.0.5:702"),
        ("tcp:10.0.0.5:702", "write tcp://192.168.0.5:702"),
        ("tcp://10.0.0.5:70000", "Port out of range"),
        ("tcp://10.0.0.5:seven", "Port could not be cast"),
        ("tcp://10.0.0.5:702/x", "nothing stands behind the port"),
        ("tcp://10.0.0.5:702?a=1", "unknown option 'a'; there are none"),
        ("tcp://[::1:702", "Invalid IPv6 URL"),
        ("tcp://[hello]:702", "hello"),
        ("tcp://[v1.x]:702", "is no host"),
        ("tcp://a,b:702", "'a,b' is no host"),
        ("rfc2217://h:1/x", "nothing but options"),
        ("rfc2217://h", "write rfc2217://"),
        ("rfc2217://h:1?unit=1", "unknown option 'unit'"),
        ("modbus+rtu://h:502", "write modbus+rtu:///dev/ttyUSB1"),
        ("modbus+rtu:///dev/ttyUSB1?unit=0", "from 1 to 247, not '0'"),
        ("modbus+rtu:///dev/ttyUSB1?unit=248", "from 1 to 247, not '248'"),
        ("modbus+rtu:///dev/ttyUSB1?unit=one", "from 1 to 247, not 'one'"),
        ("modbus+rtu:///dev/ttyUSB1#unit=1", "no part behind '#'"),
        ("modbus+tcp://h:502/248", "from 1 to 247, or 0, or 255, not '248'"),
        ("modbus+tcp://h:502/1/2", "not '1/2'"),
        ("modbus+tcp://h:502/-1", "not '-1'"),
        ("modbus+tcp://h:0/1", "write modbus+tcp://"),
        ("modbus+tcp://h:502?unit=1", "unknown option 'unit'"),
        ("ca:LAB:HS1:", "write ca://LAB:HS1:"),
        ("ca://", "write ca://LAB:HS1:"),
        ("ca://a/b", "write ca://LAB:HS1:"),
        ("ca://LAB:?addr=ioc", "addr='ioc' is no host:port"),
        ("ca://LAB:?addr=ioc:0", "addr='ioc:0' is no host:port"),
        ("ca://LAB:?addr=ioc:70000", "is no host:port"),
        ("ca://LAB:?addr=a%26b:5064", "is no host:port"),
        ("ca://LAB:?adr=ioc:5064", "did you mean 'addr'"),
        ("http://h?x=1", "unknown option 'x'"),
        ("http:///api", "write http://"),
        ("sim:/stage", "write sim:WORLD/INSTRUMENT"),
        ("sim:", "write sim:WORLD/INSTRUMENT"),
        ("sim:a/", "write sim:WORLD/INSTRUMENT"),
        ("sim:a/b/c", "write sim:WORLD/INSTRUMENT"),
        ("sim:a?seed=1", "write sim:WORLD/INSTRUMENT"),
    ],
)
def test_what_is_wrong_with_an_address_is_said(text, match):
    with pytest.raises(BadURL, match=match.replace("+", r"\+")):
        parse_url(text)


@pytest.mark.parametrize(
    "text",
    [
        "tcp://me:hunter2@h:1",
        "tcp://hunter2@h:1",
        "http://me:hunter2@h:1/api",
        "rfc2217://me:hunter2@h:1",
        "modbus+tcp://:hunter2@h:1/1",
    ],
)
def test_a_password_is_refused_and_not_repeated(text):
    with pytest.raises(BadURL, match="holds no user or password") as caught:
        parse_url(text)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    "text", ["https://me:hunter2@h:1", "tcp://me:hunter2@h:99999", "serial://me:hunter2@h/x", "ca://me:hunter2@h"]
)
def test_no_message_repeats_a_password(text):
    with pytest.raises(BadURL) as caught:
        parse_url(text)
    assert "hunter2" not in str(caught.value)
