"""What browsers are told about function URLs."""

import pytest

from albatross.host.urls.cors import preflight, with_headers
from albatross.model.function_url import Cors

ASK = {"origin": "https://a.example", "access-control-request-method": "PUT"}
SOME = Cors(
    allow_origins=("https://a.example",),
    allow_methods=("GET", "PUT"),
    allow_headers=("x-a",),
    expose_headers=("x-b", "date"),
    allow_credentials=True,
    max_age_s=60,
)
ALLOW_ORIGIN = ("Access-Control-Allow-Origin", "https://a.example")
CREDENTIALS = ("Access-Control-Allow-Credentials", "true")
VARY = ("Vary", "Origin")


def test_a_preflight_request_is_answered_by_the_settings():
    found = preflight(SOME, "OPTIONS", ASK)
    assert found is not None
    assert (found.status, found.body) == (200, b"")
    assert found.headers == [
        ALLOW_ORIGIN,
        VARY,
        CREDENTIALS,
        ("Access-Control-Allow-Methods", "GET,PUT"),
        ("Access-Control-Allow-Headers", "x-a"),
        ("Access-Control-Max-Age", "60"),
    ]


def test_wildcards_name_what_is_asked_for():
    cors = Cors(allow_origins=("*",), allow_methods=("*",), allow_headers=("*",))
    found = preflight(cors, "OPTIONS", {**ASK, "access-control-request-headers": "x-a, x-b"})
    assert found is not None
    assert found.headers == [
        ("Access-Control-Allow-Origin", "*"),
        ("Access-Control-Allow-Methods", "PUT"),
        ("Access-Control-Allow-Headers", "x-a, x-b"),
    ]


def test_another_origin_is_told_nothing():
    found = preflight(SOME, "OPTIONS", {**ASK, "origin": "https://b.example"})
    assert found is not None
    assert (found.status, found.headers) == (200, [])


@pytest.mark.parametrize(
    "cors, method, headers",
    [
        pytest.param(None, "OPTIONS", ASK, id="no settings"),
        pytest.param(SOME, "PUT", ASK, id="not OPTIONS"),
        pytest.param(SOME, "OPTIONS", {"origin": "https://a.example"}, id="asks for no method"),
        pytest.param(SOME, "OPTIONS", {"access-control-request-method": "PUT"}, id="no origin"),
    ],
)
def test_other_requests_are_the_functions(cors, method, headers):
    assert preflight(cors, method, headers) is None


@pytest.mark.parametrize(
    "cors, headers, expected",
    [
        pytest.param(None, ASK, [], id="the function's own"),
        pytest.param(
            SOME,
            ASK,
            [ALLOW_ORIGIN, VARY, CREDENTIALS, ("Access-Control-Expose-Headers", "x-b,date")],
            id="the settings beside them",
        ),
        pytest.param(SOME, {"origin": "https://b.example"}, [], id="another origin"),
        pytest.param(SOME, {}, [], id="no browser"),
    ],
)
def test_headers_of_a_response(cors, headers, expected):
    own = [("X-A", "1"), ("Access-Control-Allow-Origin", "*")]
    assert with_headers(cors, headers, own) == [*own, *expected]
