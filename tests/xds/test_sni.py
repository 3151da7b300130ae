"""Which certificates a name gets, by the order that AWS's page gives."""

from datetime import UTC, datetime, timedelta
from hashlib import sha256

import pytest
from cryptography.hazmat.primitives import hashes

from albatross.model.certificate import ServerCertificate, for_server
from albatross.xds import patterns, sni
from tests.support.tls import make, resource, rsa_key

NOW = datetime.now(UTC)


def served(arn: str, *names: str, **options: object) -> ServerCertificate:
    certificate, key = resource(make(*names, **options), arn)
    return for_server(certificate, key)


def chosen(name: str, *listed: ServerCertificate) -> list[str]:
    offer = sni.offers(listed, NOW)[name]
    return [arn.rpartition("/")[2] for arn in offer.arns]


RSA, OTHER_RSA, LONG_RSA = rsa_key(0), rsa_key(1), rsa_key(0, 3072)


@pytest.mark.parametrize(
    ("listed", "expected"),
    [
        pytest.param(
            [("rsa", {"key": LONG_RSA}), ("ec", {})], ["ec", "rsa"], id="elliptic curve, then RSA"
        ),
        pytest.param(
            [
                ("expired", {"key": LONG_RSA, "age_days": 100, "days": 90}),
                ("valid", {"key": RSA}),
            ],
            ["valid"],
            id="not expired",
        ),
        pytest.param(
            [("sha256", {"key": LONG_RSA}), ("sha512", {"key": RSA, "hash_": hashes.SHA512()})],
            ["sha512"],
            id="better hash before longer key",
        ),
        pytest.param(
            [("long", {"key": LONG_RSA, "days": 10}), ("short", {"key": RSA})],
            ["long"],
            id="longer key before longer validity",
        ),
        pytest.param(
            [("days", {"key": RSA, "days": 10}), ("months", {"key": OTHER_RSA, "days": 90})],
            ["months"],
            id="longer validity",
        ),
    ],
)
def test_the_best_certificate_of_each_kind_of_key_is_offered(
    listed: list[tuple[str, dict[str, object]]], expected: list[str]
) -> None:
    certificates = [served(arn, "a.example.com", **options) for arn, options in listed]
    assert chosen("a.example.com", *certificates) == expected
    assert chosen("a.example.com", *reversed(certificates)) == expected


def test_a_wildcard_competes_for_the_exact_names_below_it_and_for_no_others() -> None:
    wild = served("wild", "*.example.com")
    exact = served("exact", "www.example.com", "example.com", key=RSA)
    assert chosen("www.example.com", wild, exact) == ["wild", "exact"]
    assert chosen("example.com", wild, exact) == ["exact"]
    assert chosen("*.example.com", wild, exact) == ["wild"]


def test_names_are_matched_in_few_expressions_that_the_proxy_can_take() -> None:
    texts = [sha256(f"{n}".encode()).hexdigest()[:60] for n in range(10_000)]
    longest = [".".join(texts[n : n + 4]) for n in range(0, len(texts), 4)]
    expressions = tuple(map(sni.expression, longest))
    found = patterns.any_of(expressions)
    assert 1 < len(found) < 10
    assert "|".join(found) == "|".join(f"(?:{one})" for one in expressions)
    assert patterns.any_of(()) == ()


def test_without_a_time_no_certificate_has_expired() -> None:
    old = served("old", "a.example.com", key=LONG_RSA, age_days=100, days=90)
    new = served("new", "a.example.com", key=RSA)
    assert NOW - old.not_after > timedelta(days=9)
    assert sni.offers([old, new], None)["a.example.com"].certificates[0] is old
