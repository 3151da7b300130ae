"""What may be imported: certificate, key and chain as ACM checks them."""

import base64
import contextlib
import random
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed25519, rsa
from cryptography.x509.oid import AuthorityInformationAccessOID

from albatross.acm import bundle
from albatross.model.errors import ValidationException

NO_CHAIN = "Could not validate the certificate with the certificate chain."
NO_PEM = "not in a valid PEM format"
PKCS8 = serialization.PrivateFormat.PKCS8


def key_of(kind):
    if isinstance(kind, int):
        return rsa.generate_private_key(public_exponent=65537, key_size=kind)
    return ec.generate_private_key(kind)


@pytest.fixture(scope="module")
def root(make):
    return make("Root", is_authority=True)


@pytest.fixture(scope="module")
def middle(make, root):
    return make("Middle", signer=root, is_authority=True)


@pytest.fixture(scope="module")
def leaf(make, middle):
    return make("www.example.com", "www.example.com", signer=middle)


@pytest.mark.parametrize(
    ("kind", "named"),
    [
        pytest.param(1024, "RSA_1024", id="RSA 1024"),
        pytest.param(2048, "RSA_2048", id="RSA 2048"),
        pytest.param(3072, "RSA_3072", id="RSA 3072"),
        pytest.param(4096, "RSA_4096", id="RSA 4096"),
        pytest.param(ec.SECP256R1(), "EC_prime256v1", id="P-256"),
        pytest.param(ec.SECP384R1(), "EC_secp384r1", id="P-384"),
        pytest.param(ec.SECP521R1(), "EC_secp521r1", id="P-521"),
    ],
)
def test_a_key_of_each_supported_kind_is_imported(api, make, upload, kind, named):
    arn = upload(make(key=key_of(kind)))
    found = api.describe_certificate(CertificateArn=arn)["Certificate"]
    assert found["KeyAlgorithm"] == named
    kind = "ECDSA" if named.startswith("EC") else "RSA"
    assert found["SignatureAlgorithm"] == f"SHA256WITH{kind}"


def test_a_key_in_the_older_form_of_its_kind_is_imported(api, make, upload):
    made = make()
    old_form = made.key_in(serialization.PrivateFormat.TraditionalOpenSSL)
    assert old_form.startswith(b"-----BEGIN EC PRIVATE KEY-----")
    assert upload(made, PrivateKey=old_form)


@pytest.mark.parametrize(
    ("private_key", "message"),
    [
        pytest.param(key_of(1536), "The private key length 1536 is not supported", id="RSA 1536"),
        pytest.param(ed25519.Ed25519PrivateKey.generate(), "is not supported", id="Ed25519"),
        pytest.param(dsa.generate_private_key(2048), "is not supported", id="DSA"),
        pytest.param(key_of(ec.SECP256K1()), "is not supported", id="another curve"),
        pytest.param(key_of(ec.SECP256R1()), "does not match the certificate", id="not its key"),
    ],
)
def test_another_key_is_refused(make, upload, refused, private_key, message):
    pem = private_key.private_bytes(serialization.Encoding.PEM, PKCS8, serialization.NoEncryption())
    code, said = refused(upload, made=make(), PrivateKey=pem)
    assert code == "ValidationException"
    assert message in said


@pytest.mark.parametrize(
    "form",
    [
        pytest.param(PKCS8, id="PKCS #8"),
        pytest.param(serialization.PrivateFormat.TraditionalOpenSSL, id="of OpenSSL"),
    ],
)
def test_an_encrypted_key_is_refused(make, upload, refused, form):
    made = make()
    pem = made.key_in(form, serialization.BestAvailableEncryption(b"secret"))
    code, said = refused(upload, made=made, PrivateKey=pem)
    assert (code, "passphrase" in said) == ("ValidationException", True)


def test_what_is_no_pem_is_refused_without_repeating_it(make, upload, refused):
    made = make()
    code, said = refused(upload, made=made, PrivateKey=b"-----BEGIN PRIVATE KEY-----\nSECRET")
    assert (code, said) == (
        "ValidationException",
        "The private key is not PEM-encoded or is not valid.",
    )
    assert NO_PEM in refused(upload, made=made, Certificate=b"nothing")[1]
    assert NO_PEM in refused(upload, made=made, CertificateChain=b"nothing")[1]
    assert "no larger than 5120 bytes" in refused(upload, made=made, PrivateKey=b"x" * 5121)[1]


def test_the_certificate_is_one(make, upload, refused):
    made = make()
    assert refused(upload, made=made, Certificate=made.pem * 2) == (
        "ValidationException",
        "The certificate field contains more than one certificate. "
        "You can specify only one certificate in this field.",
    )


@pytest.mark.parametrize(
    ("age", "message"),
    [
        pytest.param(timedelta(days=100), "The certificate has expired", id="expired"),
        pytest.param(timedelta(days=-1), "is not in effect yet", id="not yet valid"),
    ],
)
def test_the_certificate_is_valid_now(make, upload, refused, age, message):
    assert message in refused(upload, made=make(age=age))[1]


def test_the_certificate_has_a_domain_name_an_issuer_and_a_url_of_bounded_length(
    make, upload, refused
):
    nameless = x509.Name([x509.NameAttribute(x509.NameOID.ORGANIZATION_NAME, "x")])
    assert "domain name" in refused(upload, made=make(subject=nameless))[1]
    assert "issuer" in refused(upload, made=make("", "a.example.com", subject=x509.Name([])))[1]
    location = x509.UniformResourceIdentifier("http://" + "o" * 1_000)
    access = x509.AccessDescription(AuthorityInformationAccessOID.OCSP, location)
    made = make(extensions=(x509.AuthorityInformationAccess([access]),))
    assert "1000 characters" in refused(upload, made=made)[1]


def test_a_chain_certifies_upwards_with_or_without_its_root(api, upload, leaf, middle, root):
    assert upload(leaf, middle, root)
    arn = upload(leaf, middle)
    found = api.get_certificate(CertificateArn=arn)
    assert found["Certificate"].encode() == leaf.pem
    assert found["CertificateChain"].encode() == middle.pem


def test_a_self_signed_certificate_needs_no_chain(api, make, upload):
    made = make()
    assert "CertificateChain" not in api.get_certificate(CertificateArn=upload(made))
    assert upload(made, made)


def test_a_chain_that_does_not_certify_is_refused(upload, refused, make, leaf, middle, root):
    impostor = make("Middle", is_authority=True)
    no_authority = make("Other")
    expired = make("Old", is_authority=True, age=timedelta(days=400))
    by_expired = make(signer=expired)
    for made, chain in [
        (leaf, [root, middle]),
        (leaf, [root]),
        (leaf, [leaf, middle, root]),
        (leaf, [impostor]),
        (make(signer=no_authority), [no_authority]),
        (by_expired, [expired]),
    ]:
        pem = b"".join(each.pem for each in chain)
        code, said = refused(upload, made=made, CertificateChain=pem)
        assert (code, said) == ("ValidationException", NO_CHAIN)


def test_without_a_chain_only_a_self_signed_certificate_is_taken(upload, refused, leaf):
    assert "not a valid self signed" in refused(upload, made=leaf)[1]


def test_an_ecdsa_authority_certifies_no_rsa_key_from_outside(upload, refused, make, root):
    made = make(signer=root, key=key_of(2048))
    said = refused(upload, made=made, CertificateChain=root.pem)[1]
    assert "algorithm" in said


@pytest.mark.filterwarnings("ignore")  # what cryptography thinks of the damage
def test_damaged_certificates_and_keys_are_refused_and_nothing_else_happens(make):
    made = make("www.example.com", "www.example.com")
    damage = random.Random(1)
    for _ in range(500):
        pems = {"certificate": made.pem, "private_key": made.key_pem, "chain": made.pem}
        which = damage.choice(sorted(pems))
        head, *lines, foot, _ = pems[which].split(b"\n")
        der = bytearray(base64.b64decode(b"".join(lines)))
        for _ in range(damage.randint(1, 4)):
            der[damage.randrange(len(der))] = damage.randrange(256)
        pems[which] = b"\n".join([head, base64.encodebytes(der).strip(), foot])
        with contextlib.suppress(ValidationException):
            bundle.read(**pems, now=datetime.now(UTC))
