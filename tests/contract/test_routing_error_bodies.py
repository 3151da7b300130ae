"""The load balancer's own pages, row by row. Source: live load balancers, for 502 and 503."""

import re
from collections.abc import Callable

import pytest

from tests.support.envoy import Answer
from tests.support.http2 import ask
from tests.support.rules import path, rule, url_rewrite
from tests.support.stack import Front, Stack, fixed, forward, redirect, request

PAGE = (
    "<html>\r\n<head><title>{0}</title></head>\r\n<body>\r\n<center><h1>{0}</h1></center>\r\n"
    "</body>\r\n</html>\r\n"
)
DATE = r"[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT"


@pytest.fixture(scope="module")
def empty(traffic: Stack) -> Front:
    """In front of a target group without a target."""
    made = traffic.elb.create_target_group(Name=traffic.name(), TargetType="lambda")
    return traffic.front(forward(made["TargetGroups"][0]["TargetGroupArn"]))


@pytest.fixture(scope="module")
def impatient(traffic: Stack) -> Front:
    return traffic.front(idle_timeout__timeout_seconds="1")


@pytest.fixture(scope="module")
def secure(traffic: Stack) -> Front:
    """An HTTPS listener in front of the function."""
    arn = traffic.server.client("acm").request_certificate(
        DomainName="www.example.com", KeyAlgorithm="EC_prime256v1"
    )["CertificateArn"]
    return traffic.front(forward(traffic.group()), port=443, certificate=arn)


def is_page(answer: Answer, title: str, length: int) -> bool:
    assert answer.body.decode() == PAGE.format(title)
    assert len(answer.body) == 92 + 2 * len(title) == length
    assert answer.status == int(title.split(" ")[0])
    headers = {name.lower(): value for name, value in answer.headers}
    assert re.fullmatch(DATE, headers["date"])
    assert headers["content-length"] == str(length)
    assert (headers["server"], headers["content-type"]) == ("awselb/2.0", "text/html")
    return True


def test_502_122(single: Front) -> None:
    answer = single.get("/-/raise")
    assert answer.reason == "Bad Gateway"
    assert is_page(answer, "502 Bad Gateway", 122)


def test_503_162_status_line_503_service_temporarily_unavailable(empty: Front) -> None:
    answer = empty.get()
    assert answer.reason == "Service Temporarily Unavailable"
    assert is_page(answer, "503 Service Temporarily Unavailable", 162)


def test_502_over_h2_server_content_type_content_length_122(secure: Front) -> None:
    answer = ask(secure, "GET", "/-/raise")
    assert is_page(answer, "502 Bad Gateway", 122)
    assert {name for name, _ in answer.headers} == {
        "server",
        "date",
        "content-type",
        "content-length",
    }


def test_504_132(impatient: Front) -> None:
    assert is_page(impatient.get("/-/sleep/page-504/1.5"), "504 Gateway Time-out", 132)


def test_500_142(traffic: Stack, front: Front) -> None:
    transforms = [url_rewrite(".*", "x")]
    with rule(front, path("/x"), action=forward(traffic.group()), Transforms=transforms):
        assert is_page(front.get("/x"), "500 Internal Server Error", 142)


@pytest.mark.parametrize(
    ("status", "title", "length"),
    [(301, "301 Moved Permanently", 134), (302, "302 Found", 110)],
)
def test_301_302(front: Front, status: int, title: str, length: int) -> None:
    with rule(front, path("/x"), action=redirect(status, host="b.com")):
        answer = front.get("/x")
    assert answer.reason == title.partition(" ")[2]
    assert is_page(answer, title, length)


@pytest.mark.parametrize(
    ("send", "title", "length"),
    [
        pytest.param(
            lambda front: front.send("GARBAGE\r\n\r\n"), "400 Bad Request", 122, id="400 122"
        ),
        pytest.param(
            lambda front: front.send(request("TRACE /")), "405 Not Allowed", 122, id="405 122"
        ),
        pytest.param(
            lambda front: front.send(request("POST /", "Content-Length: 1048577", body=None)),
            "413 Request Entity Too Large",
            148,
            id="413 148",
        ),
        pytest.param(
            lambda front: front.get("/".ljust(16_385, "a")),
            "414 Request-URI Too Large",
            142,
            id="414 142",
        ),
        pytest.param(
            lambda front: front.send(request("POST /", "Transfer-Encoding: gzip", body=b"")),
            "501 Not Implemented",
            130,
            id="501 130",
        ),
    ],
)
def test_nginx_texts(
    single: Front, send: Callable[[Front], Answer], title: str, length: int
) -> None:
    assert is_page(send(single), title, length)


@pytest.mark.parametrize("number", [463, 507])
def test_same_template_with_the_number_and_a_plain_reason(front: Front, number: int) -> None:
    with rule(front, path("/x*"), action=redirect(host="b.com")):
        answer = (
            front.get("/", "X-Forwarded-For: " + ", ".join(["10.0.0.1"] * 31))
            if number == 463
            else front.get("/x".ljust(8_200, "x"))
        )
    title = re.search("<title>(.*)</title>", answer.body.decode())
    assert title
    assert re.fullmatch(rf"{number} [A-Z][A-Za-z ]+", title[1])
    assert is_page(answer, title[1], 92 + 2 * len(title[1]))


@pytest.mark.parametrize(
    ("data", "status"),
    [("GARBAGE\r\n\r\n", 400), ("GET / HT", 408)],
)
def test_400_and_408_close_the_connection_connection_close(
    impatient: Front, data: str, status: int
) -> None:
    with impatient.connect() as client:
        client.write(data)
        answer = client.read()
        assert (answer.status, answer.header("Connection")) == (status, "close")
        assert client.ends()


def test_others_leave_it_open(single: Front, empty: Front) -> None:
    for front, target in ((single, "/-/raise"), (empty, "/")):
        with front.connect() as client:
            for _ in range(2):
                client.write(request(f"GET {target}"))
                assert not client.read().closed


@pytest.mark.parametrize("target", ["/-/raise", "/a.B/C"])
def test_grpc_callers_get_grpc_status_14_grpc_message_unavailable_headers(
    traffic: Stack, secure: Front, target: str
) -> None:
    made = traffic.elb.create_target_group(
        Name=traffic.name(),
        TargetType="ip",
        Protocol="HTTP",
        ProtocolVersion="GRPC",
        Port=80,
        VpcId="vpc-1",
    )["TargetGroups"][0]["TargetGroupArn"]
    target_port = {"Id": "127.0.0.1", "Port": 1}  # where nobody listens
    traffic.elb.register_targets(TargetGroupArn=made, Targets=[target_port])
    with rule(secure, path("*"), action=forward(made)):
        lines = (("content-type", "application/grpc"), ("te", "trailers"))
        answer = ask(secure, "POST", target, *lines)
    assert answer.status == 502
    assert answer.header("grpc-status") == "14"
    assert answer.header("grpc-message") == "unavailable"


def test_server_header_goes_away_with_server_enabled_false(
    traffic: Stack, single: Front, empty: Front
) -> None:
    key = "routing.http.response.server.enabled"

    def enable(front: Front, value: str) -> None:
        traffic.elb.modify_listener_attributes(
            ListenerArn=front.listener, Attributes=[{"Key": key, "Value": value}]
        )

    front = traffic.front(fixed(200, "fixed"))
    for one, target in ((empty, "/"), (front, "/"), (single, "/-/raise")):
        assert one.get(target).header("Server") == "awselb/2.0"
        enable(one, "false")
        assert one.get(target).header("Server") is None
        enable(one, "true")
        assert one.get(target).header("Server") == "awselb/2.0"
