"""Desync mitigation: what each mode does with requests of each class, and what the log says of it.

Sources: ALB user guide, "Desync mitigation mode"; http_desync_guardian, "Classification reasons".
"""

from typing import Any

import pytest

from tests.e2e.test_limits_through_proxy import get, post, te
from tests.support.stack import Front, Stack, event, request

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
ACCEPTABLE = {
    "GET with an empty body": get("Content-Length: 0"),
    "HEAD with an empty body": get("Content-Length: 0", line="HEAD / HTTP/1.1"),
}
AMBIGUOUS = {
    "GET with a body": get("Content-Length: 3") + "abc",
    "HEAD with a body": get("Content-Length: 3", line="HEAD / HTTP/1.1") + "abc",
    "GET in chunks": get("Transfer-Encoding: chunked") + "3\r\nabc\r\n0\r\n\r\n",
    "GET in no chunks": get("Transfer-Encoding: chunked") + "0\r\n\r\n",
    "a name like Transfer-Encoding": post("Transfer_Encoding: chunked", "Content-Length: 0"),
    "a name like Content-Length": get("content_length: 5"),
    "a name like Content-Length in chunks": te("3\r\nabc\r\n0\r\n\r\n", "CONTENT_LENGTH: -"),
}
ODD = {
    "a name like Content-Length without a value": post("Content_Length:", "Content-Length: 0"),
    "a dot in a name like Content-Length": get("content.length: 5"),
    "two hyphens": get("Content--Length: 5"),
    "a byte above 0x7f in a value": get("A: \xc3\xa9"),
}
SEVERE = {
    "two lengths": post("Content-Length: 1", "Content-Length: 2", body="ab"),
    "a length that is none": post("Content-Length: 1x", body="a"),
    "NUL in a header": get("A: \0"),
    "a bad method": get(line="G@T / HTTP/1.1"),
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
def test_compliant_requests_pass_in_every_mode(guarded: tuple[str, Front], data: str) -> None:
    _, front = guarded
    assert outcome(front, data) == (200, False)


@rows(ACCEPTABLE)
def test_acceptable_requests_pass_but_in_strictest_mode(
    guarded: tuple[str, Front], data: str
) -> None:
    mode, front = guarded
    assert outcome(front, data) == ((400, True) if mode == "strictest" else (200, False))


@rows(AMBIGUOUS)
def test_ambiguous_requests_pass_and_end_their_connection_unless_only_monitored(
    guarded: tuple[str, Front], data: str
) -> None:
    mode, front = guarded
    expected = {"monitor": (200, False), "defensive": (200, True), "strictest": (400, True)}
    assert outcome(front, data) == expected[mode]


@rows(ODD)
def test_odd_headers_are_refused_in_strictest_mode(guarded: tuple[str, Front], data: str) -> None:
    mode, front = guarded
    assert outcome(front, data) == ((400, True) if mode == "strictest" else (200, False))


@rows(SEVERE)
def test_severe_requests_are_refused_in_every_mode(guarded: tuple[str, Front], data: str) -> None:
    _, front = guarded
    assert outcome(front, data) == (400, True)


def test_a_function_gets_the_body_of_a_get_before_the_connection_ends(single: Front) -> None:
    with single.connect() as client:
        client.write(request("GET /-/digest", body="abc"))
        found = client.read()
        assert (found.status, found.closed) == (200, True)
        assert b'"bytes": 3' in found.body
        assert client.ends()
