"""Bytes on a socket that would steer the proxy or the host reach neither them nor the function.

What events are otherwise is in tests/contract/test_event_*.py.
"""

import pytest

from tests.support.stack import OWN, client_headers, event, request


@pytest.mark.parametrize(
    "line",
    [
        "X-Albatross-Target-Group: arn:x",
        "x-albatross-method: EVIL",
        "X-ALBATROSS-Connection: evil",
        "X-Albatross-Size: 1",
        "x-envoy-retry-on: 5xx",
        "x-envoy-max-retries: 3",
        "x-envoy-upstream-rq-timeout-ms: 1",
        "x-envoy-original-path: /evil",
        "x-envoy-internal: true",
        "x-envoy-external-address: 1.2.3.4",
        "x-envoy-force-trace: 1",
        "x-envoy-decorator-operation: x",
    ],
)
def test_what_would_steer_the_proxy_or_the_host_goes_no_further(multi, line):
    seen = event(multi.get("/a", line))
    assert (seen["path"], seen["httpMethod"], client_headers(seen)) == ("/a", "GET", {})
    assert "/t" in seen["requestContext"]["elb"]["targetGroupArn"]


def test_a_method_cannot_be_forged(multi):
    for lines, body in (
        (["X-Albatross-Method: EVIL"], None),
        (["Transfer-Encoding: chunked"], b"0\r\nX-Albatross-Method: EVIL\r\n\r\n"),
    ):
        seen = event(multi.send(request("DELETE /", *lines, body=body)))
        assert (seen["httpMethod"], client_headers(seen)) == ("DELETE", {})


@pytest.mark.parametrize(
    "named", ["x-albatross-target-group", "x-albatross-method", "x-forwarded-port"]
)
def test_connection_cannot_name_what_the_load_balancer_writes(multi, named):
    seen = event(multi.send(request("FOO /", f"Connection: {named}")))
    assert seen["httpMethod"] == "FOO"
    assert seen["multiValueHeaders"].keys() == OWN


@pytest.mark.parametrize("named", ["host", "x-forwarded-for", "x-forwarded-proto"])
def test_connection_that_names_what_others_rely_on_is_refused(multi, named):
    assert multi.get("/", f"Connection: {named}").status == 400


def test_no_header_makes_the_proxy_ask_twice(traffic, single):
    lines = (
        "x-envoy-retry-on: 5xx,gateway-error,retriable-status-codes",
        "x-envoy-max-retries: 5",
        "x-envoy-retriable-status-codes: 503",
    )
    assert single.get("/-/count/retry", *lines).body == b"counted"
    assert traffic.noted("retry") == 1


def test_no_header_makes_the_proxy_impatient(single):
    lines = (
        "x-envoy-upstream-rq-timeout-ms: 1",
        "x-envoy-expected-rq-timeout-ms: 1",
        "grpc-timeout: 1m",
    )
    assert single.get("/-/sleep/impatient/0.05", *lines).status == 200
