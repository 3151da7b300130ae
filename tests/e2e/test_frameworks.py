"""Applications of other people's frameworks behind a load balancer: they get what they expect.

Where frameworks differ, it is their own doing, and named in `Known`: the event is the same.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from tests.support.frameworks import Application, all_of, ask, front, json_of
from tests.support.stack import Front, Stack

PNG = bytes(range(256)) * 8
A, B = "a", "b"  # the cookies that the route /cookies sets


@dataclass(frozen=True)
class Known:
    """What an application makes of events and responses in a way of its own."""

    application: Application
    decodes_path: bool = True
    decodes_plus: bool = True
    client: str = "127.0.0.1"
    single_cookies: tuple[str, ...] = (A, B)  # that it sends without multi-value headers


FRAMEWORKS = {
    # The last of headers with the same name is what one header can hold.
    "Flask with apig-wsgi": Known(Application("flask_app.py", "apig_wsgi"), single_cookies=(B,)),
    "Flask with serverless-wsgi": Known(Application("flask_app.py", "serverless"), client=""),
    "FastAPI with Mangum": Known(Application("fastapi_app.py", "handler")),
    "Powertools": Known(
        Application("powertools_app.py", "handler"),
        decodes_path=False,
        decodes_plus=False,
        single_cookies=(B,),
    ),
    "Express with serverless-http": Known(
        Application("express_app.js", "serverlessHttp"), single_cookies=()
    ),
    "Express with serverless-express": Known(
        Application("express_app.js", "serverlessExpress"), single_cookies=(A,)
    ),
}


@dataclass(frozen=True)
class Shop:
    front: Front
    known: Known
    multi: bool


@pytest.fixture(scope="module")
def functions() -> dict[str, str]:
    """ARNs by the name of the framework: one function serves both header modes."""
    return {}


@pytest.fixture(
    scope="module",
    params=[
        pytest.param((name, multi), id=f"{name}, {'multi' if multi else 'single'}")
        for name in FRAMEWORKS
        for multi in (False, True)
    ],
)
def shop(
    request: pytest.FixtureRequest, traffic: Stack, functions: dict[str, str]
) -> Iterator[Shop]:
    name, multi = request.param
    known = FRAMEWORKS[name]
    if name not in functions:
        functions[name] = known.application.create(traffic)
    yield Shop(front(traffic, functions[name], multi=multi), known, multi)


@pytest.mark.timeout(300)  # npm may have to install
def test_text(shop: Shop) -> None:
    answer = ask(shop.front, "GET /hello")
    assert (answer.status, answer.body) == (200, b"hello")


def test_head(shop: Shop) -> None:
    answer = ask(shop.front, "HEAD /hello")
    assert (answer.status, answer.body) == (200, b"")


def test_what_is_not_there(shop: Shop) -> None:
    answer = ask(shop.front, "GET /missing")
    assert answer.status == 404
    assert answer.header("server") == "awselb/2.0" or answer.body


def test_the_request_as_the_application_sees_it(shop: Shop) -> None:
    target = "/echo/a%20b%2Fc/%C3%BC?x=1&x=2&e=&q=a%20b%2Bc%26d&p=a+b&n%5B%5D=%C3%BC"
    seen = json_of(ask(shop.front, f"GET {target}", "Cookie: c=3; d=4", "X-Agent: me"))
    known = shop.known
    repeated = [["x", "1"], ["x", "2"]] if shop.multi else [["x", "2"]]
    assert seen == {
        "method": "GET",
        "path": "a b/c/ü" if known.decodes_path else "a%20b%2Fc/%C3%BC",
        "query": [
            *repeated,
            ["e", ""],
            ["q", "a b+c&d"],
            ["p", "a b" if known.decodes_plus else "a+b"],
            ["n[]", "ü"],
        ],
        "cookies": {"c": "3", "d": "4"},
        "host": "shop.example",
        "scheme": "http",
        "client": known.client,
        "agent": "me",
    }


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
def test_methods(shop: Shop, method: str) -> None:
    assert json_of(ask(shop.front, f"{method} /echo/x"))["method"] == method


def test_a_form(shop: Shop) -> None:
    form = "a=1&a=2&e=&s=x+y%26%C3%BC"
    kind = "Content-Type: application/x-www-form-urlencoded"
    sent = ask(shop.front, "POST /form", kind, body=form)
    assert json_of(sent) == [["a", "1"], ["a", "2"], ["e", ""], ["s", "x y&ü"]]


def test_json(shop: Shop) -> None:
    document: dict[str, Any] = {"ü": [1, None, {"deep": True}]}
    text = '{"ü": [1, null, {"deep": true}]}'
    sent = ask(shop.front, "POST /json", "Content-Type: application/json", body=text)
    assert json_of(sent) == document


def test_a_picture_there_and_back(shop: Shop) -> None:
    answer = ask(shop.front, "POST /png", "Content-Type: image/png", body=PNG)
    assert (answer.status, answer.body) == (200, PNG[::-1])
    assert all_of(answer, "content-type") == ["image/png"]


def test_cookies(shop: Shop) -> None:
    answer = ask(shop.front, "GET /cookies")
    names = tuple(cookie.partition("=")[0] for cookie in all_of(answer, "set-cookie"))
    assert names == ((A, B) if shop.multi else shop.known.single_cookies)


def test_a_large_body_from_the_function(shop: Shop) -> None:
    answer = ask(shop.front, "GET /large")
    assert answer.body.decode() == "é" * 100_000
    assert all_of(answer, "content-type") == ["text/plain; charset=utf-8"]


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        pytest.param("text/plain", b"x" * 1_000_000, id="text"),
        pytest.param("application/octet-stream", b"\xff" * 700_000, id="bytes"),
    ],
)
def test_a_large_body_to_the_function(shop: Shop, content_type: str, body: bytes) -> None:
    sent = ask(shop.front, "POST /length", f"Content-Type: {content_type}", body=body)
    assert json_of(sent) == len(body)


@pytest.mark.parametrize("multi", [False, True], ids=["single", "multi"])
def test_the_typed_event_of_powertools(traffic: Stack, multi: bool) -> None:
    function = Application("powertools_app.py", "typed").create(traffic)
    group = front(traffic, function, multi=multi)
    answer = ask(group, "GET /any/%20path")
    assert answer.body == b"/any/%20path"
    (arn,) = all_of(answer, "x-group")
    assert arn.startswith("arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/")


@pytest.mark.timeout(300)
def test_middy_and_a_client_of_the_aws_sdk(traffic: Stack) -> None:
    function = Application("middy_app.mjs", "handler").create(traffic)
    answer = ask(front(traffic, function, multi=False), "GET /")
    assert (answer.status, answer.body) == (200, b"123456789012")
    assert all_of(answer, "x-middy") == ["GET"]
