"""Desync mitigation, row by row: what each mode does with requests of each class.

Sources: ALB user guide, "Desync mitigation mode"; http_desync_guardian, "Classification reasons".
"""

import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.test_limits_through_proxy import get, post, te
from tests.support.stack import Front, Stack, event, forward, request

GUARDED = "GET /next HTTP/1.1\r\nHost: a\r\n\r\n"
COMPLIANT = {
    "GET": get(),
    "HEAD": get(line="HEAD / HTTP/1.1"),
    "POST with a length": post("Content-Length: 3", body="abc"),
    "POST with an empty body": post("Content-Length: 0"),
    "POST in chunks": te("3\r\nabc\r\n0\r\n\r\n"),
    "DELETE with a body": post("Content-Length: 3", body="abc").replace("POST", "DELETE"),
    "a header with an empty value": get("A:"),
    "a header with an underscore": get("A_b: c"),
}
# The reasons of each class. Those that the proxy treats alike in all modes are in deviations.md.
ACCEPTABLE = {
    "GetHeadZeroContentLength, GET": get("Content-Length: 0"),
    "GetHeadZeroContentLength, HEAD": get("Content-Length: 0", line="HEAD / HTTP/1.1"),
    "NonCompliantHeader, a byte above 0x7f in a value": get("A: \xc3\xa9"),
    "NonCompliantHeader, a name like Content-Length, empty": post(
        "Content_Length:", "Content-Length: 0"
    ),
    "NonCompliantHeader, a dot in a name like Content-Length": get("content.length: 5"),
    "NonCompliantHeader, two hyphens in a name like Content-Length": get("Content--Length: 5"),
}
AMBIGUOUS = {
    "UndefinedContentLengthSemantics, GET": get("Content-Length: 3") + "abc",
    "UndefinedContentLengthSemantics, HEAD": (
        get("Content-Length: 3", line="HEAD / HTTP/1.1") + "abc"
    ),
    "UndefinedTransferEncodingSemantics, GET": (
        get("Transfer-Encoding: chunked") + "3\r\nabc\r\n0\r\n\r\n"
    ),
    "UndefinedTransferEncodingSemantics, no chunks": (
        get("Transfer-Encoding: chunked") + "0\r\n\r\n"
    ),
    "SuspiciousHeader, Transfer_Encoding": post("Transfer_Encoding: chunked", "Content-Length: 0"),
    "SuspiciousHeader, content_length": get("content_length: 5"),
    "SuspiciousHeader, in chunks": te("3\r\nabc\r\n0\r\n\r\n", "CONTENT_LENGTH: -"),
}
SEVERE = {
    "BadContentLength": post("Content-Length: 1x", body="a"),
    "BadContentLength, negative": post("Content-Length: -1", body="a"),
    "BadContentLength, too large": post(f"Content-Length: {10**30}", body="a"),
    "BadHeader, NUL in a value": get("A: \0"),
    "BadHeader, NUL in a name": get("A\0: b"),
    "BadUri, NUL": get(line="GET /\0 HTTP/1.1"),
    "BadMethod": get(line="G@T / HTTP/1.1"),
    "MultipleContentLength": post("Content-Length: 1", "Content-Length: 2", body="ab"),
    "SuspiciousTeClPresent": te("0\r\n\r\n", "Transfer_Encoding: chunked", "Content-Length: 5"),
}


@pytest.fixture(scope="module", params=["monitor", "defensive", "strictest"])
def guarded(request: pytest.FixtureRequest, traffic: Stack) -> tuple[str, Front]:
    front = traffic.front(routing__http__desync_mitigation_mode=request.param)
    return request.param, front


def outcome(front: Front, data: str) -> tuple[int, bool]:
    """Return the status, and whether the answer ends the connection; else another one is served."""
    with front.connect() as client:
        client.write(data)
        found = client.read(head=data.startswith("HEAD"))
        if not found.closed:
            client.write(GUARDED)
            assert event(client.read())["path"] == "/next"
    return found.status, found.closed


def rows(cases: dict[str, str]) -> Any:
    return pytest.mark.parametrize(
        "data", [pytest.param(one, id=id_) for id_, one in cases.items()]
    )


@rows(COMPLIANT)
def test_compliant_monitor_pass_defensive_pass_strictest_pass(
    guarded: tuple[str, Front], data: str
) -> None:
    _, front = guarded
    assert outcome(front, data) == (200, False)


@rows(ACCEPTABLE)
def test_acceptable_monitor_pass_defensive_pass_strictest_400(
    guarded: tuple[str, Front], data: str
) -> None:
    mode, front = guarded
    assert outcome(front, data) == ((400, True) if mode == "strictest" else (200, False))


@rows(AMBIGUOUS)
def test_ambiguous_monitor_pass_defensive_pass_then_close_strictest_400(
    guarded: tuple[str, Front], data: str
) -> None:
    mode, front = guarded
    expected = {"monitor": (200, False), "defensive": (200, True), "strictest": (400, True)}
    assert outcome(front, data) == expected[mode]


@rows(SEVERE)
def test_severe_defensive_400_and_close_strictest_400_and_close_monitor_alike(
    guarded: tuple[str, Front], data: str
) -> None:
    _, front = guarded
    assert outcome(front, data) == (400, True)


def test_get_with_a_body_passes_by_default_but_closes_connections(single: Front) -> None:
    with single.connect() as client:
        client.write(request("GET /-/digest", body="abc"))
        found = client.read()
        assert (found.status, found.closed) == (200, True)
        assert b'"bytes": 3' in found.body
        assert client.ends()


def test_http_2_requests_are_out_of_scope(traffic: Stack) -> None:
    certificate = traffic.server.client("acm").request_certificate(DomainName="a.example.com")
    front = traffic.front(
        forward(traffic.group()),
        port=443,
        certificate=certificate["CertificateArn"],
        routing__http__desync_mitigation_mode="strictest",
    )
    to = ["--connect-to", f"::{front.address}:{front.real_port}", "--insecure"]
    wanted = ["--request", "GET", "--data", "abc", "--write-out", " %{http_code} %{http_version}"]
    for version, expected in (("--http1.1", "400 1.1"), ("--http2", "200 2")):
        ran = subprocess.run(
            ["curl", "--silent", version, *to, *wanted, "https://a.example.com/"],
            capture_output=True,
            text=True,
            timeout=20,
            check=True,
        )
        assert ran.stdout.endswith(expected)


def test_reasons_that_all_modes_treat_alike_are_deviations() -> None:
    page = (Path(__file__).parents[2] / "docs" / "deviations.md").read_text()
    for said in (
        # the severe ones in the mode monitor
        "So are severe ones, which AWS serves in the mode monitor.",
        # DuplicateContentLength, BothTeClPresent, SpaceInUri, EmptyHeader
        "with a Content-Length twice or beside Transfer-Encoding, with a space in the target, and "
        "with a header whose name is no token are refused with 400",
        # BadTransferEncoding, MultipleTransferEncodingChunked
        "`Transfer-Encoding: identity` is answered with 501",
        # NonCompliantVersion, BadVersion
        "A request line with another version than HTTP/1.0 and HTTP/1.1",
        # AmbiguousUri, BadUri
        "with a #, with a byte above 0x7f",
    ):
        assert said in page
