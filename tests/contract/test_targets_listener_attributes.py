"""Attributes of listeners, row by row. Sources: elbv2 API, `ListenerAttribute`; ALB user guide,
"HTTP header modification for your Application Load Balancer".
"""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.support.backends import Backends
from tests.support.groups import make_group, until_healthy, values
from tests.support.objects import Objects
from tests.support.rules import refused
from tests.support.stack import Front, Stack, event, fixed, forward, redirect, request
from tests.support.tls import TlsClient, authority, client_context, make

SERVER = "routing.http.response.server.enabled"
HEADERS = {
    f"routing.http.response.{name.lower().replace('-', '_')}.header_value": (name, value)
    for name, value in {
        "Strict-Transport-Security": "max-age=31536000; includeSubDomains; preload",
        "Access-Control-Allow-Origin": "https://example.com",
        "Access-Control-Allow-Methods": "GET,POST",
        "Access-Control-Allow-Headers": "X-One,X-Two",
        "Access-Control-Allow-Credentials": "true",
        "Access-Control-Expose-Headers": "X-Three",
        "Access-Control-Max-Age": "86400",
        "Content-Security-Policy": "default-src 'self'; img-src *",
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
    }.items()
}
NAMES = {
    f"routing.http.request.{name.lower().replace('-', '_')}.header_name": name
    for name in (
        "X-Amzn-Mtls-Clientcert",
        "X-Amzn-Mtls-Clientcert-Serial-Number",
        "X-Amzn-Mtls-Clientcert-Issuer",
        "X-Amzn-Mtls-Clientcert-Subject",
        "X-Amzn-Mtls-Clientcert-Validity",
        "X-Amzn-Mtls-Clientcert-Leaf",
        "X-Amzn-Tls-Version",
        "X-Amzn-Tls-Cipher-Suite",
    )
}


def described(front: Front) -> dict[str, str]:
    return values(front.stack.elb.describe_listener_attributes(ListenerArn=front.listener))


def change(front: Front, *pairs: tuple[str, str]) -> dict[str, str]:
    return values(
        front.stack.elb.modify_listener_attributes(
            ListenerArn=front.listener,
            Attributes=[{"Key": key, "Value": value} for key, value in pairs],
        )
    )


def refusal(front: Front, *pairs: tuple[str, str]) -> tuple[str, str]:
    """Return code and message of a call that changes nothing."""
    before = described(front)
    found = refused(lambda: change(front, *pairs))
    assert described(front) == before
    return found


@contextmanager
def changed(front: Front, *pairs: tuple[str, str]) -> Iterator[None]:
    """Have other attributes for a while."""
    before = described(front)
    change(front, *pairs)
    try:
        yield
    finally:
        change(front, *((key, before[key]) for key, _ in pairs))


@pytest.fixture(scope="module")
def plain(traffic: Stack, servers: Backends) -> Iterator[Front]:
    """A listener with every kind of response."""
    front = traffic.front()
    group = make_group(traffic, servers.start("server", headers=["X-Frame-Options: ALLOWALL"]))
    empty = traffic.elb.create_target_group(Name=traffic.name(), TargetType="lambda")
    arn = empty["TargetGroups"][0]["TargetGroupArn"]
    with (
        front.rule(fixed(404, "no"), 1, path_pattern=["/fixed"]),
        front.rule(redirect(301, host="b"), 2, path_pattern=["/moved"]),
        front.rule(forward(arn), 3, path_pattern=["/empty"]),
        front.rule(forward(group), 4, path_pattern=["/server"]),
    ):
        until_healthy(traffic, group)
        yield front


@pytest.fixture(scope="module")
def secure(traffic: Stack) -> Front:
    certificate = traffic.server.client("acm").request_certificate(
        DomainName="a.example.com", KeyAlgorithm="EC_prime256v1"
    )["CertificateArn"]
    return traffic.front(forward(traffic.group()), port=443, certificate=certificate)


RESPONSES = {
    "a function's": (request("GET /"), 200),
    "a server's": (request("GET /server"), 200),
    "a function's error": (request("GET /-/raise"), 502),
    "a fixed response": (request("GET /fixed"), 404),
    "a redirect": (request("GET /moved"), 301),
    "no target": (request("GET /empty"), 503),
    "too large a body": (request("POST /", "Content-Length: 1048577"), 413),
    "a WebSocket of a function": (
        request("GET /", "Connection: upgrade", "Upgrade: websocket"),
        400,
    ),
    "a method that is not implemented": (request("TRACE /"), 405),
}


def test_routing_http_response_server_enabled_default_true_false_removes_server_awselb_2_0(
    plain: Front,
) -> None:
    assert described(plain)[SERVER] == "true"
    answers = {name for name in RESPONSES if name != "a server's"}
    for name in answers:
        assert plain.send(RESPONSES[name][0]).header("Server") == "awselb/2.0"
    with changed(plain, (SERVER, "false")):
        assert described(plain)[SERVER] == "false"
        for data, status in RESPONSES.values():
            found = plain.send(data)
            assert (found.status, found.header("Server")) == (status, None)
    for bad in ("", "False", "off"):
        assert refusal(plain, (SERVER, bad)) == (
            "ValidationError",
            f"'{SERVER}' value '{bad}' must be one of [true, false]",
        )


@pytest.mark.parametrize("key", HEADERS, ids=[name for name, _ in HEADERS.values()])
def test_routing_http_response_header_value_default_empty_is_untouched_set_is_added(
    plain: Front, key: str
) -> None:
    """It takes the place of the header that a target writes."""
    name, value = HEADERS[key]
    own = {"statusCode": 200, "headers": {name: "the function's", "x-other": "1"}}
    assert described(plain)[key] == ""
    assert plain.get().header(name) is None
    assert plain.reply(own).header(name) == "the function's"
    with changed(plain, (key, value)):
        assert described(plain)[key] == value
        assert plain.get().header(name) == value
        found = plain.reply(own)
        assert (found.header(name), found.header("X-Other")) == (value, "1")
    assert plain.get().header(name) is None


@pytest.mark.parametrize("kind", RESPONSES)
def test_set_is_added_to_all_responses_replacing_the_targets(plain: Front, kind: str) -> None:
    data, status = RESPONSES[kind]
    with changed(plain, *((key, value) for key, (_, value) in HEADERS.items())):
        found = plain.send(data)
        assert found.status == status
        for name, value in HEADERS.values():
            assert found.header(name) == value


def test_values_at_most_1_k_of_alphanumerics_and_some_signs_empty_restores_default(
    plain: Front,
) -> None:
    key = next(iter(HEADERS))
    signs = r"_ :;.,\/'?!(){}[]@<>=-+*#&`|~^%"
    for good in ("x" * 1024, f"aZ9{signs}"):
        assert change(plain, (key, good))[key] == good
        assert plain.get().header(HEADERS[key][0]) == good
    assert change(plain, (key, ""))[key] == ""
    assert refusal(plain, (key, "x" * 1025)) == (
        "ValidationError",
        f"'{key}' value cannot be longer than '1024' characters",
    )
    for bad in ('a"b', "$", "é", "a\tb", "a\nX-Evil: 1", "\x7f"):
        assert refusal(plain, (key, bad)) == (
            "ValidationError",
            f"'{key}' value '{bad}' contains a character that is not valid",
        )


def test_attributes_of_an_http_listener_are_those_of_responses(plain: Front) -> None:
    assert set(described(plain)) == {SERVER, *HEADERS}
    for key, name in NAMES.items():
        assert refusal(plain, (key, name)) == (
            "InvalidConfigurationRequest",
            f"Listener attribute key '{key}' is not supported on listeners with protocol 'HTTP'",
        )
    assert refusal(plain, ("tcp.idle_timeout.seconds", "60"))[0] == "InvalidConfigurationRequest"
    assert refusal(plain, ("nonsense", "60")) == (
        "ValidationError",
        "Listener attribute key 'nonsense' is not recognized",
    )
    assert refusal(plain, (SERVER, "false"), ("nonsense", "60"))[0] == "ValidationError"
    assert refusal(plain) == ("ValidationError", "An attribute must be specified")


def test_routing_http_request_header_names_default_the_standard_name_https_listeners(
    secure: Front,
) -> None:
    assert described(secure) == {SERVER: "true", **dict.fromkeys(HEADERS, ""), **NAMES}
    for key, standard in NAMES.items():
        for good in ("X-Mine", "x_mine", "A"):
            assert change(secure, (key, good))[key] == good
        assert change(secure, (key, ""))[key] == standard
        for bad in ("a b", "a:b", "é", "Host", "content-length", "Transfer-Encoding"):
            assert refusal(secure, (key, bad))[0] == "ValidationError"


def test_routing_http_request_header_names_are_those_that_targets_see(
    secure: Front, objects: Objects
) -> None:
    elb, root, name = secure.stack.elb, authority("Root of names"), secure.stack.name()
    objects.put("trust", name, root.pem)
    store = elb.create_trust_store(
        Name=name, CaCertificatesBundleS3Bucket="trust", CaCertificatesBundleS3Key=name
    )["TrustStores"][0]["TrustStoreArn"]
    secure.set(routing__http__x_amzn_tls_version_and_cipher_suite__enabled="true")
    verify = {"Mode": "verify", "TrustStoreArn": store}

    def seen(mode: dict[str, str]) -> set[str]:
        elb.modify_listener(ListenerArn=secure.listener, MutualAuthentication=mode)
        context = client_context(certificate=make("me", signer=root))
        with TlsClient(secure.real_port, address=secure.address, context=context) as client:
            client.write(request("GET /"))
            return set(event(client.read())["headers"])

    standard = {name.lower() for name in NAMES.values()}
    own = {key: f"my-{n}" for n, key in enumerate(NAMES)}
    whole = "routing.http.request.x_amzn_mtls_clientcert.header_name"
    assert seen(verify) & standard == standard - {"x-amzn-mtls-clientcert"}
    assert "x-amzn-mtls-clientcert" in seen({"Mode": "passthrough"})
    with changed(secure, *own.items()):
        found = seen(verify)
        assert set(own.values()) - {own[whole]} < found
        assert not found & standard
        assert own[whole] in seen({"Mode": "passthrough"})
