"""Tags of certificates."""

import pytest


@pytest.fixture
def arn(api):
    requested = api.request_certificate(
        DomainName="www.example.com",
        KeyAlgorithm="EC_prime256v1",
        Tags=[{"Key": "a", "Value": "1"}, {"Key": "b"}],
    )
    return requested["CertificateArn"]


def tags(api, arn):
    found = api.list_tags_for_certificate(CertificateArn=arn)["Tags"]
    return {tag["Key"]: tag["Value"] for tag in found}


def test_tags_are_added_and_replaced(api, arn):
    assert tags(api, arn) == {"a": "1", "b": ""}
    api.add_tags_to_certificate(
        CertificateArn=arn, Tags=[{"Key": "a", "Value": "2"}, {"Key": "c", "Value": "3"}]
    )
    assert tags(api, arn) == {"a": "2", "b": "", "c": "3"}


def test_a_tag_is_removed_by_key_or_only_with_its_value(api, arn):
    api.remove_tags_from_certificate(
        CertificateArn=arn, Tags=[{"Key": "a", "Value": "other"}, {"Key": "b"}, {"Key": "c"}]
    )
    assert tags(api, arn) == {"a": "1"}
    api.remove_tags_from_certificate(CertificateArn=arn, Tags=[{"Key": "a", "Value": "1"}])
    assert tags(api, arn) == {}


def test_reserved_keys_and_too_many_tags_are_refused(api, arn, refused):
    add = api.add_tags_to_certificate
    assert refused(add, CertificateArn=arn, Tags=[{"Key": "aws:x"}]) == (
        "ValidationException",
        'Invalid Tag Key: "aws:x". AWS internal tags cannot be changed with this API',
    )
    many = [{"Key": f"k{n}"} for n in range(49)]
    code, message = refused(add, CertificateArn=arn, Tags=many)
    assert (code, message.endswith("contains too many Tags")) == ("TooManyTagsException", True)
    assert tags(api, arn) == {"a": "1", "b": ""}
