"""Limits on what a request may have, row by row: at their values, and one byte above. Sources: ALB
user guide, "Quotas", "Troubleshoot your Application Load Balancers".
"""

import pytest

from albatross.model import pages
from tests.support.backends import Backends
from tests.support.envoy import Answer
from tests.support.groups import make_group
from tests.support.stack import Front, Stack, chunked, event, forward, request

MIB = 1024 * 1024
HOST = "Host: example.com\r\n"


def is_page(answer: Answer, status: int, *, closes: bool | None = None) -> bool:
    """Check that the answer is the page of `status`. `closes`: whether the connection ends."""
    assert (answer.status, answer.body.decode()) == (status, pages.page(status))
    assert answer.header("Server") == "awselb/2.0"
    assert answer.header("Content-Type") == "text/html"
    return closes is None or answer.closed is closes


@pytest.mark.parametrize("name", ["x-long", "Cookie", "Referer"])
@pytest.mark.parametrize("size", [16_382, 16_383])
def test_one_header_of_less_than_16384_bytes(single: Front, name: str, size: int) -> None:
    headers = event(single.get("/", f"{name}: ".ljust(size, "b")))["headers"]
    assert len(headers[name.lower()]) == size - len(f"{name}: ")


@pytest.mark.parametrize("name", ["x-long", "Cookie", "Referer"])
def test_a_header_line_of_16384_bytes_or_more_is_refused_400(single: Front, name: str) -> None:
    assert is_page(single.get("/", f"{name}: ".ljust(16_384, "b")), 400, closes=True)


@pytest.mark.parametrize(
    ("size", "status"),
    [
        pytest.param(65_535, 200, id="64 K - 1"),
        pytest.param(65_536, 200, id="64 K"),
        pytest.param(65_537, 400, id="64 K + 1"),
    ],
)
def test_all_headers_over_64_k_400(single: Front, size: int, status: int) -> None:
    left, lines = size - len(HOST), []
    while left:
        take = left if left < 12_000 else 10_000
        lines.append("x-a: ".ljust(take - 2, "b"))
        left -= take
    assert single.get("/", *lines).status == status


@pytest.mark.parametrize(
    ("size", "status"),
    [
        pytest.param(16_370, 200, id="a request line of 16 K - 1"),
        pytest.param(16_371, 200, id="a request line of 16 K"),
        pytest.param(16_372, 400, id="a request line of 16 K + 1"),
        pytest.param(16_384, 400, id="a target of 16 K"),
        pytest.param(16_385, 414, id="a target of 16 K + 1"),
    ],
)
@pytest.mark.parametrize("prefix", ["/", "/?q="])
def test_request_line_over_16_k_400_request_target_alone_over_16_k_414(
    single: Front, prefix: str, size: int, status: int
) -> None:
    answer = single.get(prefix.ljust(size, "a"))
    assert answer.status == status
    assert status == 200 or is_page(answer, status, closes=status == 400)


@pytest.mark.parametrize(("size", "status"), [(16_373, 200), (16_374, 400)])
def test_a_method_counts_in_the_request_line(single: Front, size: int, status: int) -> None:
    assert single.send(request(f"{'M' * size} /")).status == status


@pytest.mark.parametrize(("addresses", "status"), [(29, 200), (30, 200), (31, 463)])
def test_x_forwarded_for_with_over_30_addresses_463(
    single: Front, addresses: int, status: int
) -> None:
    answer = single.get("/", f"X-Forwarded-For: {', '.join(['10.0.0.1'] * addresses)}")
    assert answer.status == status
    assert status == 200 or is_page(answer, 463)


def test_463_counts_the_addresses_of_all_lines(single: Front) -> None:
    line = f"X-Forwarded-For: {', '.join(['10.0.0.1'] * 16)}"
    assert single.get("/", line, line).status == 463


def halves(size: int) -> bytes:
    return chunked(b"x" * (size // 2), b"x" * (size - size // 2))


class TestLambdaBodyOver1Mb413:
    def test_one_mebibyte_passes_with_its_length(self, single: Front) -> None:
        assert b'"bytes": 1048576' in single.post("/-/digest", body=b"x" * MIB).body

    def test_one_mebibyte_passes_in_chunks(self, single: Front) -> None:
        data = request("PUT /-/digest", "Transfer-Encoding: chunked", body=halves(MIB))
        assert b'"bytes": 1048576' in single.send(data).body

    def test_one_byte_more_is_refused_by_its_length_alone(
        self, single: Front, traffic: Stack
    ) -> None:
        head = request("POST /-/count/large", f"Content-Length: {MIB + 1}", body=None)
        assert is_page(single.send(head), 413, closes=True)
        assert traffic.noted("large") == 0

    def test_one_byte_more_is_refused_in_chunks(self, single: Front, traffic: Stack) -> None:
        data = request("POST /-/count/chunked", "Transfer-Encoding: chunked", body=halves(MIB + 1))
        assert is_page(single.send(data), 413)  # open if all has come by then
        assert traffic.noted("chunked") == 0

    def test_with_expect(self, single: Front) -> None:
        with single.connect() as client:
            lines = ("Expect: 100-continue", f"Content-Length: {MIB + 1}")
            client.write(request("POST /", *lines, body=None))
            assert client.read().status == 100
            assert is_page(client.read(), 413, closes=True)

    def test_not_for_servers(self, traffic: Stack, servers: Backends) -> None:
        front = traffic.front(forward(make_group(traffic, servers.start("large"))))
        assert b'"bytes": 1048577' in front.post("/", body=b"x" * (MIB + 1)).body
