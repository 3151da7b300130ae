"""ListCertificates: what is listed, in which order, page by page."""

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

EVERY = ["RSA_1024", "RSA_2048", "RSA_3072", "RSA_4096", "EC_prime256v1", "EC_secp384r1"]


def listed(api, **params):
    found = api.list_certificates(**params)["CertificateSummaryList"]
    return [summary["DomainName"] for summary in found]


@pytest.fixture(scope="module")
def small_and_large(make):
    """Two RSA certificates, whose keys take their time."""
    return [
        make(name, key=rsa.generate_private_key(public_exponent=65537, key_size=size))
        for name, size in (("a.example.com", 1024), ("c.example.com", 3072))
    ]


@pytest.fixture
def three(api, small_and_large, upload):
    """A small RSA, an issued EC and a large RSA certificate, in this order."""
    small, large = small_and_large
    upload(small)
    api.request_certificate(DomainName="b.example.com", KeyAlgorithm="EC_prime256v1")
    upload(large)


def test_only_the_usual_keys_are_listed_unless_others_are_asked_for(api, three):
    assert listed(api) == ["a.example.com"]
    assert listed(api, Includes={"keyTypes": ["RSA_3072"]}) == ["c.example.com"]


@pytest.mark.parametrize(
    ("params", "names"),
    [
        pytest.param({}, "abc", id="all"),
        pytest.param({"CertificateStatuses": ["ISSUED"]}, "abc", id="status"),
        pytest.param({"CertificateStatuses": ["EXPIRED", "FAILED"]}, "", id="other status"),
        pytest.param({"CertificateKeyPairOrigins": ["AWS_MANAGED"]}, "b", id="origin"),
        pytest.param({"SortBy": "CREATED_AT", "SortOrder": "ASCENDING"}, "abc", id="oldest first"),
        pytest.param({"SortBy": "CREATED_AT", "SortOrder": "DESCENDING"}, "cba", id="newest first"),
        pytest.param({"Includes": {"keyUsage": ["DIGITAL_SIGNATURE"]}}, "b", id="usage"),
        pytest.param({"Includes": {"extendedKeyUsage": ["CODE_SIGNING"]}}, "", id="extended usage"),
        pytest.param({"Includes": {"exportOption": "ENABLED"}}, "", id="export"),
        pytest.param({"Includes": {"managedBy": "CLOUDFRONT"}}, "", id="managed"),
    ],
)
def test_a_list_is_filtered_and_sorted(api, three, params, names):
    includes = {"keyTypes": EVERY, **params.get("Includes", {})}
    found = listed(api, **{**params, "Includes": includes})
    assert found == [f"{name}.example.com" for name in names]


def test_a_list_comes_in_pages(api, three):
    pages = api.get_paginator("list_certificates").paginate(
        Includes={"keyTypes": EVERY}, PaginationConfig={"PageSize": 2}
    )
    sizes = [len(page["CertificateSummaryList"]) for page in pages]
    assert sizes == [2, 1]


def test_a_summary_says_what_the_certificate_is(api, make, upload):
    made = make(key=rsa.generate_private_key(public_exponent=65537, key_size=2048))
    upload(made)
    (found,) = api.list_certificates()["CertificateSummaryList"]
    assert found["SubjectAlternativeNameSummaries"] == ["www.example.com"]
    assert found["HasAdditionalSubjectAlternativeNames"] is False
    assert (found["Type"], found["KeyAlgorithm"]) == ("IMPORTED", "RSA_2048")
    assert (found["InUse"], found["Exported"]) == (False, False)
    assert found["NotAfter"] == made.certificate.not_valid_after_utc


def test_a_bad_token_or_half_an_order_is_refused(api, refused):
    for token in ("x", "YWJj", "\u00e9"):
        assert refused(api.list_certificates, NextToken=token)[0] == "InvalidArgsException"
    assert refused(api.list_certificates, SortBy="CREATED_AT")[0] == "ValidationException"
