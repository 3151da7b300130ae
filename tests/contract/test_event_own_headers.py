"""Headers that load balancers write into events, row by row. Source: ALB user guide, "X-Forwarded
headers", "Request tracing", "Edit attributes", "Access logs".

Each attribute and its values: test_targets_load_balancer_attributes.py; certificates of clients:
test_routing_mutual_tls.py; claims of signed-in users: not in this version.
"""

import re
from collections.abc import Callable, Iterator
from email.utils import parsedate_to_datetime

import pytest

from tests.support.deviations import told
from tests.support.http2 import ask
from tests.support.stack import Front, Stack, event, request

FRESH = r"1-[0-9a-f]{8}-[0-9a-f]{24}"
ROOT = "Root=1-67891233-abcdef012345678912345678"
Forwarded = Callable[..., str | None]
MODE, PORT = "routing__http__xff_header_processing__mode", "routing__http__xff_client_port__enabled"


@pytest.fixture(scope="module")
def other(traffic: Stack) -> Front:
    """A load balancer on another port than 80 and 443."""
    return traffic.front(port=8080)


@pytest.fixture
def forwarded(other: Front) -> Iterator[Forwarded]:
    """Tells what X-Forwarded-For is for a client's, once mode and port are set."""

    def found(mode: str, port: str, *incoming: str) -> str | None:
        other.set(**{MODE: mode, PORT: port})
        with other.connect() as client:
            client.write(request("GET /", *(f"X-Forwarded-For: {one}" for one in incoming)))
            value: str | None = event(client.read())["headers"].get("x-forwarded-for")
            return value and value.replace(str(client.local_port), "PORT")

    yield found
    other.set(**{MODE: "append", PORT: "false"})


def test_x_forwarded_for_append_default_adds_client_ip_after_comma_or_creates_it(
    forwarded: Forwarded,
) -> None:
    assert forwarded("append", "false") == "127.0.0.1"
    assert forwarded("append", "false", "203.0.113.7") == "203.0.113.7, 127.0.0.1"
    assert forwarded("append", "false", "a, [::1]:5") == "a, [::1]:5, 127.0.0.1"
    assert forwarded("append", "false", "a", "b") == "a,b, 127.0.0.1"
    assert forwarded("append", "false", "") == "127.0.0.1"


def test_x_forwarded_for_preserve_clients_header_untouched_absent_if_absent(
    forwarded: Forwarded,
) -> None:
    assert forwarded("preserve", "false") is None
    assert forwarded("preserve", "true", "a,  b") == "a,  b"
    assert forwarded("preserve", "false", "") == ""


def test_x_forwarded_for_remove_dropped(forwarded: Forwarded) -> None:
    assert forwarded("remove", "false", "a", "b") is None
    assert forwarded("remove", "true") is None


def test_x_forwarded_for_with_client_port_ip_port_append_only(
    forwarded: Forwarded,
) -> None:
    assert forwarded("append", "true") == "127.0.0.1:PORT"
    assert forwarded("append", "true", "1.2.3.4:5") == "1.2.3.4:5, 127.0.0.1:PORT"
    assert forwarded("append", "true", " ") == "127.0.0.1:PORT"


def test_x_forwarded_proto_of_the_front_connection_always_set_clients_value_replaced(
    single: Front, single_h2: Front
) -> None:
    for proto in ("https", "", "a b", "http, https", "https\r\nX-Forwarded-Proto: x"):
        headers = event(single.get("/", f"X-Forwarded-Proto: {proto}"))["headers"]
        assert headers["x-forwarded-proto"] == "http"
    for lines in ((), (("x-forwarded-proto", "http"),)):
        headers = event(ask(single_h2, "GET", "/", *lines))["headers"]
        assert headers["x-forwarded-proto"] == "https"


def test_x_forwarded_port_listener_port_decimal_string(
    single: Front, other: Front, single_h2: Front
) -> None:
    for front, port in ((single, "80"), (other, "8080")):
        for lines in ((), ("X-Forwarded-Port: 1",), ("X-Forwarded-Port: 1", "x-forwarded-port: 2")):
            assert event(front.get("/", *lines))["headers"]["x-forwarded-port"] == port
        assert event(front.get("/", host="a:99"))["headers"]["x-forwarded-port"] == port
    assert event(ask(single_h2))["headers"]["x-forwarded-port"] == "443"


# X-Amzn-Trace-Id


def traced(front: Front, *incoming: str) -> str:
    lines = (f"X-Amzn-Trace-Id: {value}" for value in incoming)
    found: str = event(front.get("/", *lines))["headers"]["x-amzn-trace-id"]
    return found


def test_trace_id_format_version_1_time_8_hex_digits_of_epoch_seconds_id_24_hex_digits(
    single: Front,
) -> None:
    answer = single.get()
    header = event(answer)["headers"]["x-amzn-trace-id"]
    found = re.fullmatch("Root=1-([0-9a-f]{8})-([0-9a-f]{24})", header)
    assert found
    date = answer.header("Date")
    assert date
    assert abs(int(found[1], 16) - parsedate_to_datetime(date).timestamp()) < 10
    assert len({traced(single) for _ in range(50)}) == 50


def test_trace_id_absent_root(single: Front, single_h2: Front) -> None:
    for value in (traced(single), event(ask(single_h2))["headers"]["x-amzn-trace-id"]):
        assert re.fullmatch(f"Root={FRESH}", value)
    assert re.fullmatch(f"Root={FRESH}", traced(single, ""))


def test_trace_id_has_root_no_self_self_and_original(single: Front) -> None:
    assert re.fullmatch(f"Self={FRESH};{ROOT}", traced(single, ROOT))


def test_trace_id_has_root_and_custom_fields_kept_in_place(single: Front) -> None:
    for fields in (f"{ROOT};CalledFrom=app", f"A=b;{ROOT};C=d;"):
        assert re.fullmatch(f"Self={FRESH};{fields}", traced(single, fields))


def test_trace_id_has_self_value_replaced_by_a_new_one(single: Front) -> None:
    for before, after in (("", f";{ROOT}"), (f"{ROOT};", ";A=b"), ("A=b;", f";{ROOT};C=d")):
        old = "Self=1-67891234-12456789abcdef0123456789"
        value = traced(single, before + old + after)
        assert re.fullmatch(f"{before}Self={FRESH}{after}", value)
        assert old not in value


def test_trace_id_request_headers_together_over_7_kb_rewritten_to_a_fresh_root_only(
    single: Front,
) -> None:
    lines = f"Host: example.com\r\nX-Amzn-Trace-Id: {ROOT};A=b\r\nX: \r\n"
    for bytes_total, expected in ((7168, f"Self={FRESH};{ROOT};A=b"), (7169, f"Root={FRESH}")):
        filler = "x" * (bytes_total - len(lines))
        seen = event(single.get("/", f"X-Amzn-Trace-Id: {ROOT};A=b", f"X: {filler}"))
        assert re.fullmatch(expected, seen["headers"]["x-amzn-trace-id"])


def test_trace_id_has_neither_root_nor_self_add_root_and_keep_the_custom_fields(
    single: Front,
) -> None:
    for fields in ("CalledFrom=app", "garbage", "root=1-a-b", "A=b;Roots=1"):
        assert re.fullmatch(f"Root={FRESH};{fields}", traced(single, fields))


def test_trace_id_in_several_lines_counts_as_one(single: Front) -> None:
    other = "Root=1-67891234-abcdef012345678912345678;A=b"
    assert re.fullmatch(f"Self={FRESH};{ROOT},{other}", traced(single, ROOT, other))


def test_trace_id_not_added_to_responses_updated_only_on_the_request(single: Front) -> None:
    assert single.get().header("x-amzn-trace-id") is None
    assert single.get("/", f"X-Amzn-Trace-Id: {ROOT}").header("x-amzn-trace-id") is None
    result = {"statusCode": 200, "headers": {"X-Amzn-Trace-Id": ROOT}}
    assert single.reply(result).header("x-amzn-trace-id") == ROOT


# Host


def host_of(front: Front, line: str, host: str) -> str:
    found: str = event(front.send(request(line, host=host)))["headers"]["host"]
    return found


def test_host_80_443_example_com_stays(single: Front, single_h2: Front) -> None:
    for host in ("example.com", "[::1]", "example.com.", "a_b"):
        assert host_of(single, "GET /", host) == host
        if host != "a_b":
            assert event(ask(single_h2, authority=host))["headers"]["host"] == host


def test_host_80_443_example_com_80_any_port_is_stripped(single: Front, single_h2: Front) -> None:
    for port in ("80", "443", "8080", "99999", ""):
        assert host_of(single, "GET /", f"example.com:{port}") == "example.com"
        assert host_of(single, "GET /", f"[::1]:{port}") == "[::1]"
        if port:
            seen = event(ask(single_h2, authority=f"example.com:{port}"))
            assert seen["headers"]["host"] == "example.com"


def test_host_80_443_absolute_form_dns_name(single: Front, other: Front) -> None:
    for target in ("https://dns_name/index.html", "http://dns-name:81/", "HTTP://dns-name/"):
        if "_" not in target:
            assert host_of(single, f"GET {target}", "example.com") == "dns-name"
    assert host_of(other, "GET http://dns-name/", "example.com") == "dns-name:8080"
    assert host_of(other, "GET http://dns-name:81/", "example.com") == "dns-name:81"


def test_host_other_8080_port_appended_if_missing(other: Front) -> None:
    for host in ("example.com", "[::1]", "Example.COM"):
        assert host_of(other, "GET /", host) == f"{host}:8080"
        for port in (80, 8080, 1234):
            assert host_of(other, "GET /", f"{host}:{port}") == f"{host}:{port}"


def test_host_any_preserve_true_unchanged(single: Front, other: Front) -> None:
    assert told("absolute request target", "preserve_host_header")
    for front in (single, other):
        front.set(routing__http__preserve_host_header__enabled="true")
        try:
            for host in ("Example.com", "example.com:80", "example.com:8080"):
                assert host_of(front, "GET /", host) == host
            # What a request target names instead is a deviation.
            assert host_of(front, "GET http://dns-name:81/", "example.com") == "dns-name:81"
        finally:
            front.set(routing__http__preserve_host_header__enabled="false")


def test_host_several_host_lines_functions_get_the_first_which_is_a_deviation(
    single: Front, multi: Front
) -> None:
    assert told("several Host lines", "functions get the first")
    assert event(single.get("/", "Host: b.com", host="a.com"))["headers"]["host"] == "a.com"
    seen = event(multi.get("/", "Host: b.com", host="a.com"))
    assert seen["multiValueHeaders"]["host"] == ["a.com"]


def test_host_http_1_0_without_host_the_load_balancers_dns_name(
    single: Front, other: Front
) -> None:
    for version in (" HTTP/1.0", ""):
        data = f"GET /x{version}\r\n\r\n"
        assert event(single.send(data))["headers"]["host"] == single.dns_name
        assert event(other.send(data))["headers"]["host"] == f"{other.dns_name}:8080"
    given = "GET / HTTP/1.0\r\nHost: a.com:80\r\n\r\n"
    assert event(single.send(given))["headers"]["host"] == "a.com"
    assert single.send("GET / HTTP/1.1\r\n\r\n").status == 400


def test_host_for_lambda_targets_the_value_is_not_lower_cased(
    single: Front, single_h2: Front
) -> None:
    assert told("Host in lower case", "functions do not")
    name = "vokerhtt-ALB-4XF8jCVDRJg4-1316758055.us-west-2.elb.amazonaws.com"
    assert host_of(single, "GET /", name) == name
    assert host_of(single, f"GET http://{name}/", "x") == name
    assert event(ask(single_h2, authority=name))["headers"]["host"] == name
