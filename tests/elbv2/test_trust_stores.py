"""Trust stores through the API. What S3 has is the fixture `objects`."""

import pytest
import urllib3
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from tests.support.tls import authority, make

BUNDLE = {"CaCertificatesBundleS3Bucket": "bucket", "CaCertificatesBundleS3Key": "ca.pem"}


@pytest.fixture(scope="module")
def root():
    return authority()


@pytest.fixture
def upload(objects):
    """`upload("ca.pem", b"...")` puts an object into the bucket named `bucket`."""

    def upload(key, content):
        objects[f"s3://bucket/{key}"] = content

    yield upload
    objects.clear()


@pytest.fixture
def store(elb, upload, root):
    upload("ca.pem", b"# the root\n" + root.pem)
    return elb.create_trust_store(Name="clients", **BUNDLE)["TrustStores"][0]["TrustStoreArn"]


def content(key):
    return [{"S3Bucket": "bucket", "S3Key": key, "RevocationType": "CRL"}]


def test_creating_answers_what_aws_answers(elb, upload, account, root):
    upload("ca.pem", root.pem + authority("Other").pem)
    tags = [{"Key": "a", "Value": "b"}]
    (created,) = elb.create_trust_store(Name="my-store", Tags=tags, **BUNDLE)["TrustStores"]
    prefix = f"arn:aws:elasticloadbalancing:us-east-1:{account}:truststore/my-store/"
    assert created.pop("TrustStoreArn").startswith(prefix)
    assert created == {
        "Name": "my-store",
        "Status": "ACTIVE",
        "NumberOfCaCertificates": 2,
        "TotalRevokedEntries": 0,
    }
    (shown,) = elb.describe_trust_stores(Names=["my-store"])["TrustStores"]
    (described,) = elb.describe_tags(ResourceArns=[shown["TrustStoreArn"]])["TagDescriptions"]
    assert described["Tags"] == tags


def leaf(_):
    return make("a.example.com").pem


@pytest.mark.parametrize(
    ("bundle", "part"),
    [
        pytest.param(lambda _: b"nothing", "PEM", id="no PEM"),
        pytest.param(lambda _: b"", "PEM", id="empty"),
        pytest.param(leaf, "certificate authority", id="no authority"),
        pytest.param(
            lambda root: root.pem + root.key_pem, "private key", id="private key beside it"
        ),
        pytest.param(lambda root: root.pem * 26, "26 certificates", id="too many"),
        pytest.param(
            lambda _: (
                make("Small", is_authority=True, key=rsa.generate_private_key(65537, 1024)).pem
            ),
            "key of a type or size",
            id="small key",
        ),
        pytest.param(
            lambda _: (
                make("Curve", is_authority=True, key=ec.generate_private_key(ec.SECP256K1())).pem
            ),
            "key of a type or size",
            id="other curve",
        ),
        pytest.param(lambda root: root.pem * 2000, "more than", id="too large"),
    ],
)
def test_a_bundle_that_is_not_valid_is_refused(elb, refused, upload, root, bundle, part):
    upload("ca.pem", bundle(root))
    code, message = refused(elb.create_trust_store, Name="clients", **BUNDLE)
    assert code == "InvalidCaCertificatesBundle"
    assert part in message or part == "more than"
    assert "PRIVATE KEY" not in message


def test_a_bundle_that_is_not_there_is_refused(elb, refused, upload):
    assert refused(elb.create_trust_store, Name="clients", **BUNDLE) == (
        "CaCertificatesBundleNotFound",
        "s3://bucket/ca.pem: not found",
    )


def test_without_an_endpoint_the_error_says_which_setting_is_missing(elb, refused):
    given = {"CaCertificatesBundleS3Bucket": "no-endpoint", "CaCertificatesBundleS3Key": "k"}
    code, message = refused(elb.create_trust_store, Name="clients", **given)
    assert code == "InvalidConfigurationRequest"
    assert "s3_endpoint" in message


def test_a_name_is_there_once_and_an_account_has_up_to_20(elb, refused, store):
    code, _ = refused(elb.create_trust_store, Name="clients", **BUNDLE)
    assert code == "DuplicateTrustStoreName"
    for number in range(19):
        elb.create_trust_store(Name=f"store-{number}", **BUNDLE)
    code, _ = refused(elb.create_trust_store, Name="one-more", **BUNDLE)
    assert code == "TooManyTrustStores"
    code, _ = refused(elb.create_trust_store, Name="bad name", **BUNDLE)
    assert code == "ValidationError"


def test_stores_are_described_by_arn_or_name_and_in_pages(elb, refused, store):
    other = elb.create_trust_store(Name="other", **BUNDLE)["TrustStores"][0]["TrustStoreArn"]

    def names(**params):
        return {one["Name"] for one in elb.describe_trust_stores(**params)["TrustStores"]}

    assert names() == {"clients", "other"}
    assert names(TrustStoreArns=[other]) == {"other"}
    assert names(Names=["clients"]) == {"clients"}
    assert refused(elb.describe_trust_stores, Names=["none"])[0] == "TrustStoreNotFound"
    pages = elb.get_paginator("describe_trust_stores").paginate(PaginationConfig={"PageSize": 1})
    assert sum(len(page["TrustStores"]) for page in pages) == 2


def test_a_bundle_is_replaced(elb, upload, store, root):
    upload("new.pem", root.pem + authority("New").pem)
    (changed,) = elb.modify_trust_store(
        TrustStoreArn=store,
        CaCertificatesBundleS3Bucket="bucket",
        CaCertificatesBundleS3Key="new.pem",
    )["TrustStores"]
    assert changed["NumberOfCaCertificates"] == 2


def fetch(location):
    """Return status and body of what is at a Location of the API."""
    response = urllib3.request("GET", location)
    return response.status, response.data


def test_what_a_store_holds_can_be_fetched(elb, refused, upload, store, root, url):
    location = elb.get_trust_store_ca_certificates_bundle(TrustStoreArn=store)["Location"]
    assert location.startswith(f"{url}/_albatross/")
    assert fetch(location) == (200, root.pem)
    upload("one.crl", revoked := root.revoking(make("a")))
    elb.add_trust_store_revocations(TrustStoreArn=store, RevocationContents=content("one.crl"))
    get = elb.get_trust_store_revocation_content
    assert fetch(get(TrustStoreArn=store, RevocationId=1)["Location"]) == (200, revoked)
    assert fetch(location.replace("sha256=", "sha256=0"))[0] == 403
    assert fetch(location.partition("&")[0])[0] == 403
    gone = f"{store[:-1]}{'0' if store[-1] != '0' else '1'}"
    code, _ = refused(elb.get_trust_store_ca_certificates_bundle, TrustStoreArn=gone)
    assert code == "TrustStoreNotFound"


def test_revocations_come_and_go_with_ids_that_count_up(elb, refused, upload, store, root):
    upload("one.crl", root.revoking(make("a"), make("b")))
    upload("two.crl", root.revoking(make("c")))
    add = elb.add_trust_store_revocations
    added = add(TrustStoreArn=store, RevocationContents=content("one.crl") + content("two.crl"))
    assert added["TrustStoreRevocations"] == [
        {
            "TrustStoreArn": store,
            "RevocationId": number,
            "RevocationType": "CRL",
            "NumberOfRevokedEntries": entries,
        }
        for number, entries in ((1, 2), (2, 1))
    ]
    (shown,) = elb.describe_trust_stores(TrustStoreArns=[store])["TrustStores"]
    assert shown["TotalRevokedEntries"] == 3
    elb.remove_trust_store_revocations(TrustStoreArn=store, RevocationIds=[2])
    (third,) = add(TrustStoreArn=store, RevocationContents=content("two.crl"))[
        "TrustStoreRevocations"
    ]
    assert third["RevocationId"] == 3
    described = elb.describe_trust_store_revocations(TrustStoreArn=store)
    assert [one["RevocationId"] for one in described["TrustStoreRevocations"]] == [1, 3]
    for call in (elb.get_trust_store_revocation_content,):
        assert "sha256=" in call(TrustStoreArn=store, RevocationId=3)["Location"]
        assert refused(call, TrustStoreArn=store, RevocationId=2) == (
            "RevocationIdNotFound",
            "Revocation ID '2' not found",
        )
    code, _ = refused(elb.remove_trust_store_revocations, TrustStoreArn=store, RevocationIds=[1, 2])
    assert code == "RevocationIdNotFound"
    described = elb.describe_trust_store_revocations(TrustStoreArn=store, RevocationIds=[1])
    assert len(described["TrustStoreRevocations"]) == 1


@pytest.mark.parametrize(
    "content_of",
    [
        pytest.param(lambda root: b"nothing", id="no PEM"),
        pytest.param(lambda root: authority().revoking(), id="another authority of that name"),
        pytest.param(lambda root: authority("Other").revoking(), id="another authority"),
        pytest.param(
            lambda root: b"-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n", id="broken"
        ),
    ],
)
def test_a_revocation_list_that_is_not_valid_is_refused(
    elb, refused, upload, store, root, content_of
):
    upload("bad.crl", content_of(root))
    add = elb.add_trust_store_revocations
    code, _ = refused(add, TrustStoreArn=store, RevocationContents=content("bad.crl"))
    assert code == "InvalidRevocationContent"
    code, _ = refused(add, TrustStoreArn=store, RevocationContents=content("none.crl"))
    assert code == "RevocationContentNotFound"
    code, _ = refused(add, TrustStoreArn=store)
    assert code == "ValidationError"


def test_a_store_has_up_to_30_lists(elb, refused, upload, store, root):
    upload("one.crl", root.revoking())
    add = elb.add_trust_store_revocations
    add(TrustStoreArn=store, RevocationContents=content("one.crl") * 30)
    code, _ = refused(add, TrustStoreArn=store, RevocationContents=content("one.crl"))
    assert code == "TooManyTrustStoreRevocationEntries"


def test_a_store_in_use_is_associated_and_stays(elb, refused, store, make_balancer, make_https):
    associations = elb.describe_trust_store_associations
    assert associations(TrustStoreArn=store)["TrustStoreAssociations"] == []
    balancer = make_balancer()
    settings = {"Mode": "verify", "TrustStoreArn": store}
    listener = make_https(balancer, MutualAuthentication=settings)["ListenerArn"]
    found = associations(TrustStoreArn=store)["TrustStoreAssociations"]
    assert found == [{"ResourceArn": balancer}]
    assert refused(elb.delete_trust_store, TrustStoreArn=store)[0] == "TrustStoreInUse"
    unshare = elb.delete_shared_trust_store_association
    code, _ = refused(unshare, TrustStoreArn=store, ResourceArn=balancer)
    assert code == "DeleteAssociationSameAccount"
    elb.modify_listener(ListenerArn=listener, MutualAuthentication={"Mode": "off"})
    code, _ = refused(unshare, TrustStoreArn=store, ResourceArn=balancer)
    assert code == "AssociationNotFound"
    elb.delete_trust_store(TrustStoreArn=store)
    assert refused(elb.delete_trust_store, TrustStoreArn=store)[0] == "TrustStoreNotFound"
