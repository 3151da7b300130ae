"""Certificates through boto3: imported, requested, described, exchanged and deleted."""

import logging
from datetime import UTC, datetime, timedelta

import pytest
from botocore.loaders import Loader
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID

from albatross import acm, elbv2
from albatross.acm import certificates, lookup
from albatross.model import arn as arns
from albatross.model.arn import Scope
from albatross.model.listener import Listener
from albatross.model.operation import Operation
from tests.support.server import client, serve

NOWHERE = "arn:aws:acm:us-east-1:{}:certificate/00000000-0000-0000-0000-000000000000"


def describe(api, arn):
    return api.describe_certificate(CertificateArn=arn)["Certificate"]


def request(api, name="www.example.com", **params):
    return api.request_certificate(DomainName=name, **params)["CertificateArn"]


def test_every_operation_is_one_of_awss_and_only_some_write():
    known = Loader().load_service_model("acm", "service-2")["operations"]
    assert acm.OPERATIONS.keys() <= known.keys()
    for name, operation in acm.OPERATIONS.items():
        assert operation.writes is not name.startswith(("Describe", "Get", "List"))


# Import


def test_an_imported_certificate_is_described_as_it_is(api, account, make, upload):
    made = make("www.example.com", "www.example.com", "*.example.com")
    arn = upload(made)
    assert arn.startswith(f"arn:aws:acm:us-east-1:{account}:certificate/")
    found = describe(api, arn)
    times = {name: found.pop(name) for name in ("CreatedAt", "ImportedAt")}
    assert all(datetime.now(UTC) - at < timedelta(minutes=1) for at in times.values())
    assert found == {
        "CertificateArn": arn,
        "DomainName": "www.example.com",
        "SubjectAlternativeNames": ["www.example.com", "*.example.com"],
        "Serial": "01:23:45:67:89:ab:cd:ef",
        "Subject": "CN=www.example.com",
        "Issuer": "www.example.com",
        "Status": "ISSUED",
        "NotBefore": made.certificate.not_valid_before_utc,
        "NotAfter": made.certificate.not_valid_after_utc,
        "KeyAlgorithm": "EC_prime256v1",
        "SignatureAlgorithm": "SHA256WITHECDSA",
        "InUseBy": [],
        "Type": "IMPORTED",
        "KeyUsages": [],
        "ExtendedKeyUsages": [],
        "RenewalEligibility": "INELIGIBLE",
        "Options": {"CertificateTransparencyLoggingPreference": "ENABLED", "Export": "DISABLED"},
        "CertificateKeyPairOrigin": "CUSTOMER_PROVIDED",
    }


def test_a_reimport_keeps_the_arn_and_the_tags(api, make, upload):
    arn = upload(make(), Tags=[{"Key": "a", "Value": "b"}])
    before = describe(api, arn)
    new = make("other.example.com")
    assert upload(new, CertificateArn=arn) == arn
    after = describe(api, arn)
    assert after["DomainName"] == "other.example.com"
    assert after["CreatedAt"] == before["CreatedAt"]
    assert after["ImportedAt"] > before["ImportedAt"]
    assert api.get_certificate(CertificateArn=arn)["Certificate"].encode() == new.pem
    tags = api.list_tags_for_certificate(CertificateArn=arn)["Tags"]
    assert tags == [{"Key": "a", "Value": "b"}]


def test_a_reimport_keeps_kind_of_key_and_usages(api, make, upload, refused):
    server, user = ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH
    both = (x509.ExtendedKeyUsage([server, user]),)
    arn = upload(make(extensions=both))
    params = {"CertificateArn": arn}
    less = make(extensions=(x509.ExtendedKeyUsage([server]),))
    assert "Extended Key Usage" in refused(upload, made=less, **params)[1]
    other = make(extensions=both, key=ec.generate_private_key(ec.SECP384R1()))
    assert "key type and size" in refused(upload, made=other, **params)[1]
    assert "Tags" in refused(upload, made=make(extensions=both), Tags=[{"Key": "a"}], **params)[1]
    requested = request(api)
    assert "was not imported" in refused(upload, made=make(), CertificateArn=requested)[1]


# Request


def test_a_requested_certificate_is_issued_at_once(api, account):
    names = ["*.example.com", "www.example.com"]
    arn = request(api, SubjectAlternativeNames=names, ValidationMethod="DNS")
    found = describe(api, arn)
    assert (found["Status"], found["Type"]) == ("ISSUED", "AMAZON_ISSUED")
    assert found["SubjectAlternativeNames"] == ["www.example.com", "*.example.com"]
    assert (found["KeyAlgorithm"], found["Issuer"]) == ("RSA_2048", "Albatross")
    assert found["KeyUsages"] == [{"Name": "DIGITAL_SIGNATURE"}, {"Name": "KEY_ENCIPHERMENT"}]
    assert found["ExtendedKeyUsages"] == [
        {"Name": "TLS_WEB_SERVER_AUTHENTICATION", "OID": "1.3.6.1.5.5.7.3.1"}
    ]
    assert "ImportedAt" not in found
    assert found["IssuedAt"] == found["CreatedAt"]
    options = found["DomainValidationOptions"]
    assert [option["DomainName"] for option in options] == found["SubjectAlternativeNames"]
    record = options[1]["ResourceRecord"]
    assert record["Name"].endswith(".example.com.")
    assert (record["Type"], options[1]["ValidationStatus"]) == ("CNAME", "SUCCESS")


def test_the_waiter_for_validation_returns(api):
    api.get_waiter("certificate_validated").wait(
        CertificateArn=request(api), WaiterConfig={"MaxAttempts": 1}
    )


def test_certificate_and_chain_are_one_path_to_the_local_root(api, directory):
    arn = request(api, KeyAlgorithm="EC_prime256v1")
    found = api.get_certificate(CertificateArn=arn)
    root = (directory / "ca" / "root.pem").read_text()
    assert found["CertificateChain"] == root
    leaf = x509.load_pem_x509_certificate(found["Certificate"].encode())
    leaf.verify_directly_issued_by(x509.load_pem_x509_certificate(root.encode()))


def test_validation_by_email_names_the_mailboxes_of_the_domain_chosen(api):
    choice = {"DomainName": "www.example.com", "ValidationDomain": "example.com"}
    arn = request(api, ValidationMethod="EMAIL", DomainValidationOptions=[choice])
    (option,) = describe(api, arn)["DomainValidationOptions"]
    assert option["ValidationDomain"] == "example.com"
    assert "admin@example.com" in option["ValidationEmails"]
    assert "ResourceRecord" not in option


def test_the_same_request_with_the_same_token_makes_one_certificate(api):
    first = request(api, IdempotencyToken="t1")
    assert request(api, IdempotencyToken="t1") == first
    assert request(api, IdempotencyToken="t2") != first
    assert request(api, "other.example.com", IdempotencyToken="t1") != first


@pytest.mark.parametrize(
    ("params", "code"),
    [
        pytest.param({"DomainName": "localhost"}, "ValidationException", id="no domain"),
        pytest.param({"DomainName": "a.*.example.com"}, "ValidationException", id="star inside"),
        pytest.param(
            {"DomainName": f"{'a' * 60}.example.com"}, "InvalidParameterException", id="65 letters"
        ),
        pytest.param(
            {"SubjectAlternativeNames": [f"{n}.example.com" for n in range(10)]},
            "LimitExceededException",
            id="11 names",
        ),
        pytest.param({"KeyAlgorithm": "RSA_4096"}, "InvalidParameterException", id="large key"),
        pytest.param({"KeyAlgorithm": "DSA"}, "ValidationException", id="unknown key"),
        pytest.param({"ValidationMethod": "HTTP"}, "InvalidParameterException", id="HTTP"),
        pytest.param(
            {
                "DomainValidationOptions": [
                    {"DomainName": "www.example.com", "ValidationDomain": "example.org"}
                ]
            },
            "InvalidDomainValidationOptionsException",
            id="a domain of someone else",
        ),
        pytest.param({"ManagedBy": "CLOUDFRONT"}, "NotImplemented", id="CloudFront"),
        pytest.param(
            {"CertificateAuthorityArn": "arn:aws:acm-pca:us-east-1:1:certificate-authority/x"},
            "NotImplemented",
            id="private authority",
        ),
    ],
)
def test_a_request_that_aws_would_not_fulfil_is_refused(api, refused, params, code):
    given = {"DomainName": "www.example.com", **params}
    assert refused(api.request_certificate, **given)[0] == code
    assert api.list_certificates()["CertificateSummaryList"] == []


def test_a_renewal_issues_anew_under_the_same_arn(api, refused, make, upload):
    arn = request(api)
    before = describe(api, arn)
    api.renew_certificate(CertificateArn=arn)
    after = describe(api, arn)
    assert after["Serial"] != before["Serial"]
    assert after["RenewalSummary"]["RenewalStatus"] == "SUCCESS"
    assert after["CreatedAt"] == before["CreatedAt"]
    assert refused(api.renew_certificate, CertificateArn=upload(make()))[0] == "ValidationException"


def test_options_can_be_updated_but_not_whether_it_may_be_exported(api, refused, make, upload):
    arn = request(api, ValidationMethod="EMAIL")
    api.update_certificate_options(CertificateArn=arn, Options={"ValidationMethod": "DNS"})
    (option,) = describe(api, arn)["DomainValidationOptions"]
    assert option["ValidationMethod"] == "DNS"
    update = api.update_certificate_options
    export = {"Export": "ENABLED"}
    assert refused(update, CertificateArn=arn, Options=export)[0] == "ValidationException"
    by_mail = {"ValidationMethod": "EMAIL"}
    assert refused(update, CertificateArn=arn, Options=by_mail)[0] == "ValidationException"
    imported = upload(make())
    assert refused(update, CertificateArn=imported, Options={})[0] == "InvalidStateException"


# Delete, and what is not there


def test_a_deleted_certificate_is_gone_with_its_key(api, make, upload, refused, directory):
    before = set((directory / "certificates").iterdir())
    arn = upload(make())
    (key,) = set((directory / "certificates").iterdir()) - before
    assert b"PRIVATE KEY" in key.read_bytes()
    api.delete_certificate(CertificateArn=arn)
    assert refused(api.describe_certificate, CertificateArn=arn)[0] == "ResourceNotFoundException"
    api.list_certificates()  # a read: the key is deleted by the reader, before it
    assert not key.exists()


def in_use(tx, params):
    tx.put(
        Listener(
            arn=arns.listener(params["LoadBalancerArn"], tx.new_id()),
            load_balancer_arn=params["LoadBalancerArn"],
            port=443,
            protocol="HTTPS",
            certificates=(params["Certificates"][0]["CertificateArn"],),
        )
    )
    return {}


def test_a_certificate_that_a_listener_uses_is_shown_so_and_stays():
    operations = {
        "acm": acm.OPERATIONS,
        "elasticloadbalancing": {
            **elbv2.OPERATIONS,
            "CreateListener": Operation(in_use, writes=True),
        },
    }
    with serve(operations) as url:
        api, elb = client("acm", url), client("elbv2", url)
        arn = request(api, KeyAlgorithm="EC_prime256v1")
        balancer = arns.load_balancer(Scope("123456789012", "us-east-1"), "web", "0" * 16)
        elb.create_listener(
            LoadBalancerArn=balancer,
            Certificates=[{"CertificateArn": arn}],
            DefaultActions=[{"Type": "forward"}],
        )
        found = describe(api, arn)
        assert (found["InUseBy"], found["RenewalEligibility"]) == ([balancer], "ELIGIBLE")
        with pytest.raises(api.exceptions.ResourceInUseException) as raised:
            api.delete_certificate(CertificateArn=arn)
    assert f"Certificate {arn} in account 123456789012 is in use." in str(raised.value)


def test_what_is_not_there_is_not_found(api, account, refused):
    arn = NOWHERE.format(account)
    calls = {
        api.describe_certificate: {},
        api.get_certificate: {},
        api.delete_certificate: {},
        api.renew_certificate: {},
        api.list_tags_for_certificate: {},
        api.add_tags_to_certificate: {"Tags": [{"Key": "a"}]},
        api.remove_tags_from_certificate: {"Tags": [{"Key": "a"}]},
        api.update_certificate_options: {"Options": {}},
    }
    for call, params in calls.items():
        assert refused(call, CertificateArn=arn, **params) == (
            "ResourceNotFoundException",
            f"Certificate with arn {arn} not found in account {account}",
        )
        other = "arn:aws:acm:us-east-1:123456789012:something/else"
        assert refused(call, CertificateArn=other, **params)[0] == "InvalidArnException"


def test_another_account_and_region_see_nothing_of_it(api, url, account, refused):
    arn = request(api, KeyAlgorithm="EC_prime256v1")
    elsewhere = client("acm", url, access_key=account, region="eu-west-1")
    other = client("acm", url, access_key="999999999999")
    for stranger in (elsewhere, other):
        code, _ = refused(stranger.describe_certificate, CertificateArn=arn)
        assert code == "ResourceNotFoundException"


def test_an_account_has_a_limited_number_of_certificates(api, refused, monkeypatch, make, upload):
    monkeypatch.setattr(certificates, "CERTIFICATES_MAX", 1)
    made = make()
    arn = upload(made)
    code, message = refused(upload, made=made)
    assert (code, "maximum number" in message) == ("LimitExceededException", True)
    assert upload(made, CertificateArn=arn) == arn


def test_what_is_not_there_yet_says_so(api, refused):
    arn = request(api, KeyAlgorithm="EC_prime256v1")
    code, _ = refused(api.export_certificate, CertificateArn=arn, Passphrase=b"secret")
    assert code == "NotImplemented"


def test_no_private_key_is_in_an_answer_or_in_the_log(api, make, upload, caplog, refused):
    caplog.set_level(logging.DEBUG, "albatross")
    made = make()
    arn = upload(made)
    answers = [describe(api, arn), api.get_certificate(CertificateArn=arn), api.list_certificates()]
    damaged = made.key_pem.replace(b"\n", b"\n ")[:-40]
    answers.append(refused(upload, made=made, PrivateKey=damaged))
    answers.append(refused(upload, made=made, PrivateKey=made.key_pem * 60))
    shown = repr(answers) + caplog.text
    secret = made.key_pem.decode().splitlines()[1]
    assert "acm ImportCertificate" in caplog.text
    assert secret not in shown
    assert "PRIVATE KEY" not in shown


def test_the_users_of_a_certificate_are_each_named_once():
    class Transaction:
        def list(self, cls):
            return [
                Listener(
                    arn=f"{balancer}/{port}",
                    load_balancer_arn=balancer,
                    port=port,
                    protocol="HTTPS",
                    certificates=("a", "b"),
                )
                for balancer, port in [("one", 1), ("one", 2), ("two", 1)]
            ]

    assert lookup.users(Transaction()) == {"a": ["one", "two"], "b": ["one", "two"]}
