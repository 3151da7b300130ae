"""What the load balancer answers by itself, over HTTP/2: the statuses and pages of HTTP/1.1.

Sources: ALB user guide, "Troubleshoot your load balancers", "Listeners" (HTTP/2); RFC 9113.
"""

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import hpack
import pytest
from hyperframe.frame import (
    ContinuationFrame,
    DataFrame,
    Frame,
    GoAwayFrame,
    HeadersFrame,
    RstStreamFrame,
    SettingsFrame,
    WindowUpdateFrame,
)

from albatross.model import pages
from tests.e2e.test_http2_conformance import (
    PREFACE,
    SETTINGS,
    Line,
    block,
    connect,
    received,
    wire,
)
from tests.support.stack import Front, Stack, fixed, forward, redirect

FRAME_BYTES = 16_384
HOST = "www.example.com"
MIB = 1024 * 1024
# Field lines count as over HTTP/1.1, `Name: value` and the end of a line; Host is one of them.
HOST_BYTES = len(f"Host: {HOST}\r\n")


def request(
    method: str, path: str, *lines: Line, body: bytes | None = None, host: str = HOST
) -> list[Frame]:
    head = (":method", method), (":scheme", "https"), (":path", path), (":authority", host)
    encoded = block(*head, *lines)
    parts = [encoded[i : i + FRAME_BYTES] for i in range(0, len(encoded), FRAME_BYTES)]
    frames: list[Frame] = [HeadersFrame(1, parts[0], flags=["END_STREAM"] * (body is None))]
    frames += [ContinuationFrame(1, part) for part in parts[1:]]
    frames[-1].flags.add("END_HEADERS")
    for start in range(0, len(body or b""), FRAME_BYTES):
        frames.append(DataFrame(1, (body or b"")[start : start + FRAME_BYTES]))
    if body is not None:
        frames.append(DataFrame(1, b"", flags=["END_STREAM"]))
    return frames


def ask(front: Front, frames: list[Frame]) -> tuple[dict[str, str], bytes, bool]:
    """Return headers and body of the response, and whether the connection takes no more."""
    headers: dict[str, str] = {}
    body, ends = b"", False
    decoder = hpack.Decoder()
    with connect(front) as client:
        client.write(PREFACE + SETTINGS.serialize())
        seen = received(client)
        next(one for one in seen if isinstance(one, WindowUpdateFrame))
        acknowledged = SettingsFrame(0, flags=["ACK"])  # now there is room for all
        client.write(wire([acknowledged, *frames]))
        for frame in seen:
            match frame:
                case HeadersFrame():
                    headers = {str(k): str(v) for k, v in decoder.decode(frame.data)}
                case DataFrame():
                    body += frame.data
                case GoAwayFrame():
                    assert frame.error_code == 0
                    ends = True
                case RstStreamFrame():
                    break
            if "END_STREAM" in frame.flags:
                return headers, body, ends
    raise EOFError("there was no response")


@pytest.fixture(scope="module")
def front(traffic: Stack) -> Iterator[Front]:
    made = traffic.server.client("acm").request_certificate(DomainName=HOST)
    front = traffic.front(port=443, certificate=made["CertificateArn"])
    elb = traffic.elb
    empty = elb.create_target_group(Name=traffic.name(), TargetType="lambda")["TargetGroups"][0]
    nobody = [{"TargetGroupArn": traffic.group(), "Weight": 0}]
    unmade = {"Rewrites": [{"Regex": "^/unmade", "Replace": "no path"}]}
    with ExitStack() as rules:
        for priority, path, action in [
            (1, "/fixed", fixed(403, "no")),
            (2, "/moved*", redirect(302, path="/" + "#{path}" * 2)),
            (3, "/empty", forward(empty["TargetGroupArn"])),
            (4, "/nobody", {"Type": "forward", "ForwardConfig": {"TargetGroups": nobody}}),
        ]:
            rules.enter_context(front.rule(action, priority, path_pattern=[path]))
        elb.create_rule(
            ListenerArn=front.listener,
            Priority=5,
            Conditions=[{"Field": "path-pattern", "Values": ["/unmade"]}],
            Actions=[forward(traffic.group())],
            Transforms=[{"Type": "url-rewrite", "UrlRewriteConfig": unmade}],
        )
        yield front


def lines_of(size: int) -> list[Line]:
    """Return field lines that have `size` bytes together with Host."""
    left, lines = size - HOST_BYTES, []
    while left:
        take = left if left < 12_000 else 10_000
        lines.append(("x-a", "b" * (take - len("x-a: \r\n"))))
        left -= take
    return lines


REFUSED: dict[str, tuple[int, list[Frame]]] = {
    "TRACE": (405, request("TRACE", "/")),
    "a target of more than 16 K": (414, request("GET", "/".ljust(16_385, "a"))),
    "a query of more than 16 K": (414, request("GET", "/?".ljust(16_385, "a"))),
    "a request line of more than 16 K": (400, request("GET", "/".ljust(16_372, "a"))),
    "a header of 16,384 bytes": (400, request("GET", "/", ("x-a", "b" * (16_384 - 5)))),
    "headers of more than 64 K": (400, request("GET", "/", *lines_of(65_537))),
    "more than 30 forwarded addresses": (
        463,
        request("GET", "/", ("x-forwarded-for", ", ".join(["1.2.3.4"] * 31))),
    ),
    "a body of more than 1 MB by its length": (
        413,
        request("POST", "/", ("content-length", str(MIB + 1)), body=b"x")[:-1],
    ),
    "a body of more than 1 MB without a length": (
        413,
        request("POST", "/", body=b"x" * (MIB + 1)),
    ),
    "a fragment": (400, request("GET", "/a#b")),
    "a fragment in the query": (400, request("GET", "/?a#b")),
    "UTF-8 in the target": (400, request("GET", "/?q=\xe9")),
    "OPTIONS *": (400, request("OPTIONS", "*")),
    "a transform that fails": (500, request("GET", "/unmade")),
    "a Location of more than 8 K": (507, request("GET", "/moved".ljust(5000, "a"))),
    "a target group without targets": (503, request("GET", "/empty")),
    "weights that are all 0": (503, request("GET", "/nobody")),
    "a function that raises": (502, request("GET", "/-/raise")),
    "a function whose result is no response": (502, request("POST", "/-/reply", body=b'"no"')),
    "a header that is not UTF-8": (400, request("GET", "/", (b"x-a", b"\xff"))),  # type: ignore[arg-type]
}
# Those of the proxy; the Lambda host's 400 leaves the connection as it is.
ENDS = {400, 408}


@pytest.mark.parametrize("case", REFUSED)
def test_a_refusal_has_its_page(front: Front, case: str) -> None:
    status, frames = REFUSED[case]
    headers, body, ends = ask(front, frames)
    assert headers[":status"] == str(status)
    assert body.decode() == pages.page(status)
    assert headers["server"] == "awselb/2.0"
    assert headers["content-type"] == "text/html"
    assert headers["content-length"] == str(len(body))
    assert headers["date"]
    assert not ends or status in ENDS


@pytest.mark.parametrize(
    ("status", "frames"),
    [
        pytest.param(502, request("HEAD", "/-/raise"), id="a function that raises"),
        pytest.param(503, request("HEAD", "/empty"), id="no target"),
        pytest.param(414, request("HEAD", "/".ljust(16_385, "a")), id="a long target"),
        pytest.param(403, request("HEAD", "/fixed"), id="a fixed response"),
        pytest.param(302, request("HEAD", "/moved"), id="a redirect"),
    ],
)
def test_head_gets_the_length_of_a_page_and_no_page(
    front: Front, status: int, frames: list[Frame]
) -> None:
    headers, body, ends = ask(front, frames)
    assert headers[":status"] == str(status)
    assert body == b""
    expected = {403: 2}.get(status) or len(pages.page(status))
    assert headers["content-length"] == str(expected)
    assert not ends


@pytest.mark.parametrize(
    "frames",
    [
        pytest.param(request("GET", "/".ljust(16_371, "a")), id="a request line of 16 K"),
        pytest.param(
            request("GET", "/", ("x-a", "b" * (16_383 - 5))), id="a header of 16,383 bytes"
        ),
        pytest.param(request("GET", "/", *lines_of(65_536)), id="headers of 64 K"),
        pytest.param(
            request("GET", "/", ("x-forwarded-for", ", ".join(["1.2.3.4"] * 30))),
            id="30 forwarded addresses",
        ),
        pytest.param(request("POST", "/-/digest", body=b"x" * MIB), id="a body of 1 MB"),
        pytest.param(
            request("POST", "/-/digest", ("content-length", str(MIB)), body=b"x" * MIB),
            id="a body of 1 MB with its length",
        ),
        pytest.param(request("GET", "/-/digest", body=b"abc"), id="GET with a body"),
        pytest.param(request("GET", "/%e9?q=%C3%A9"), id="escapes"),
        pytest.param(request("GET", '/?a="<>[]{}|^`\\'), id="odd characters"),
        pytest.param(request("GET", "/", ("x_y", "1")), id="an underscore in a name"),
        pytest.param(request("GET", "/", host="[::1]:443"), id="an address of IPv6 as authority"),
    ],
)
def test_what_is_within_the_limits_passes_and_the_connection_goes_on(
    front: Front, frames: list[Frame]
) -> None:
    headers, _, ends = ask(front, frames)
    assert (headers[":status"], ends) == ("200", False)


def test_a_slow_function_is_a_504_and_a_silent_client_a_408(front: Front) -> None:
    impatient: Any = {"idle_timeout__timeout_seconds": "1"}
    front.set(**impatient)
    headers, body, _ = ask(front, request("GET", "/-/sleep/h2/1.4"))
    assert (headers[":status"], body.decode()) == ("504", pages.page(504))
    headers, body, _ = ask(front, request("POST", "/", ("content-length", "5"), body=b"ab")[:-1])
    assert (headers[":status"], body.decode()) == ("408", pages.page(408))
    front.set(idle_timeout__timeout_seconds="60")


@pytest.mark.parametrize("content_type", ["application/grpc", "application/grpc+proto"])
def test_grpc_to_a_function_is_an_incompatible_protocol(front: Front, content_type: str) -> None:
    lines = ("content-type", content_type), ("te", "trailers")
    headers, body, _ = ask(front, request("POST", "/", *lines, body=b"\0\0\0\0\0"))
    assert (headers[":status"], headers["grpc-status"], body) == ("464", "14", b"")
