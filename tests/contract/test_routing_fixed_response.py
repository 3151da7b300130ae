"""The action fixed-response, sentence by sentence. Sources: ALB user guide, "Action types for
listener rules"; elbv2 API, `FixedResponseActionConfig`.
"""

import re
from typing import Any

import pytest

from albatross.model import pages
from tests.support.rules import Document, refused
from tests.support.stack import Front, Stack, fixed, redirect, request

CONTENT_TYPES = [
    *("text/plain", "text/css", "text/html"),
    *("application/javascript", "application/json"),
]


@pytest.fixture(scope="module")
def front(traffic: Stack) -> Front:
    """A load balancer on port 80; tests set its default action."""
    return traffic.front(fixed())


def refusal(elb: Any, front: Front, **config: str) -> tuple[str, str]:
    action = {"Type": "fixed-response", "FixedResponseConfig": config}
    return refused(elb.modify_listener, ListenerArn=front.listener, DefaultActions=[action])


class TestStatusCode:
    @pytest.mark.parametrize("status", [200, 299, 400, 499, 500, 599])
    def test_pattern_2_4_5(self, front: Front, status: int) -> None:
        front.default(fixed(status, "body"))
        answer = front.get()
        assert (answer.status, answer.body) == (status, b"body")

    @pytest.mark.parametrize(
        "status", ["100", "301", "302", "600", "99", "2000", "20", "abc", "", " 200", "2xx"]
    )
    def test_no_other(self, elb: Any, front: Front, status: str) -> None:
        code, message = refusal(elb, front, StatusCode=status)
        assert code == "ValidationError"
        assert message == (
            f"1 validation error detected: Value '{status}' at "
            "'defaultActions.1.member.fixedResponseConfig.statusCode' failed to satisfy "
            r"constraint: Member must satisfy regular expression pattern: ^(2|4|5)\d\d$"
        )

    def test_required(self, elb: Any, front: Front) -> None:
        code, message = refusal(elb, front, MessageBody="a")
        assert code == "ValidationError"
        assert "Member must not be null" in message


class TestContentType:
    @pytest.mark.parametrize("content_type", CONTENT_TYPES)
    def test_one_of(self, front: Front, content_type: str) -> None:
        front.default(fixed(200, "{}", content_type))
        suffix = "; charset=utf-8" if content_type.startswith("text/") else ""
        assert front.get().header("Content-Type") == f"{content_type}{suffix}"

    @pytest.mark.parametrize(
        "content_type", ["text/xml", "image/png", "TEXT/PLAIN", "text/plain; charset=utf-8", "x"]
    )
    def test_no_other(self, elb: Any, front: Front, content_type: str) -> None:
        found = refusal(elb, front, StatusCode="200", ContentType=content_type)
        assert found == (
            "InvalidLoadBalancerAction",
            "The ContentType must be one of:'text/html', 'application/json', "
            "'application/javascript', 'text/css', 'text/plain'",
        )

    def test_default_when_body_given_text_plain(self, front: Front) -> None:
        front.default(fixed(200, "body"))
        assert front.get().header("Content-Type") == "text/plain; charset=utf-8"


class TestMessageBody:
    @pytest.mark.parametrize("length", [0, 1, 1024])
    def test_0_to_1024(self, front: Front, length: int) -> None:
        front.default(fixed(200, "b" * length))
        answer = front.get()
        assert answer.body == b"b" * length
        assert answer.header("Content-Length") == str(length)

    def test_no_more(self, elb: Any, front: Front) -> None:
        code, message = refusal(elb, front, StatusCode="200", MessageBody="b" * 1025)
        assert code == "ValidationError"
        assert "less than or equal to 1024" in message

    @pytest.mark.parametrize("body", ['{"a": "ü"}', "a\r\nb\t\n", "<%DATE%>", "%%", "%REQ(HOST)%"])
    def test_as_it_was_given(self, front: Front, body: str) -> None:
        front.default(fixed(200, body, "application/json"))
        assert front.get().body == body.encode()


def test_answer_server_date_content_type_content_length_body(front: Front) -> None:
    front.default(fixed(404, "gone", "text/html"))
    answer = front.get()
    headers = {name.lower(): value for name, value in answer.headers}
    date = headers.pop("date")
    assert re.fullmatch(r"[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT", date)
    assert headers == {
        "server": "awselb/2.0",
        "content-type": "text/html; charset=utf-8",
        "content-length": "4",
    }
    assert answer.body == b"gone"


@pytest.mark.parametrize("status", [413, 431, 463, 502])
def test_with_a_status_of_the_load_balancers_own(front: Front, status: int) -> None:
    front.default(fixed(status, "mine"))
    answer = front.get()
    assert (answer.status, answer.body) == (status, b"mine")


def test_204_has_no_body(front: Front) -> None:
    front.default(fixed(204, "body"))
    answer = front.get()
    assert (answer.status, answer.body) == (204, b"")
    assert answer.header("Content-Type") is None


@pytest.mark.parametrize("body", [None, ""])
@pytest.mark.parametrize(
    ("given", "sent"),
    [("text/html", "text/html; charset=utf-8"), ("application/json", "application/json")],
)
def test_a_type_of_nothing(front: Front, given: str, sent: str, body: str | None) -> None:
    front.default(fixed(404, body, given))
    answer = front.get()
    assert (answer.body, answer.header("Content-Length")) == (b"", "0")
    assert answer.header("Content-Type") == sent


def test_head_gets_the_headers_alone(front: Front) -> None:
    front.default(fixed(200, "body"))
    answer = front.send(request("HEAD /"), head=True)
    assert (answer.status, answer.body) == (200, b"")
    assert answer.header("Content-Type") == "text/plain; charset=utf-8"


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_without_a_body(front: Front, method: str) -> None:
    front.default(fixed(503))
    answer = front.send(request(f"{method} /"), head=method == "HEAD")
    assert (answer.status, answer.body) == (503, b"")
    assert answer.header("Content-Length") == "0"
    assert answer.header("Transfer-Encoding") is None


def test_what_is_refused_instead_has_its_own_page(front: Front) -> None:
    front.default(fixed(200, None, "application/json"))
    answer = front.send(request("TRACE /"))
    assert (answer.status, answer.body) == (405, pages.page(405).encode())
    assert answer.header("Content-Type") == "text/html"


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE", "OPTIONS", "FOO"])
def test_whatever_the_method(front: Front, method: str) -> None:
    front.default(fixed(200, "body"))
    assert front.send(request(f"{method} /", body="")).body == b"body"


@pytest.mark.parametrize("action", [fixed(), redirect(host="b.com")])
def test_of_another_type_with_its_configuration(elb: Any, front: Front, action: Document) -> None:
    other = {**fixed(), **redirect(host="b.com"), "Type": action["Type"]}
    code, message = refused(elb.modify_listener, ListenerArn=front.listener, DefaultActions=[other])
    assert code == "ValidationError"
    assert f"is not compatible with '{action['Type']}'" in message
