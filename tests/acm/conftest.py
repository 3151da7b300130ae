"""One server for all tests of this folder; every test has an account of its own."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from albatross import acm
from tests.support.server import client, serve


@pytest.fixture(scope="session")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("data")


@pytest.fixture(scope="session")
def url(directory: Path) -> Iterator[str]:
    with serve({"acm": acm.OPERATIONS}, directory=directory) as url:
        yield url


@pytest.fixture
def api(url: str, account: str) -> Any:
    """A boto3 client of the ACM API that lets bad parameters through."""
    return client("acm", url, access_key=account, parameter_validation=False)


@dataclass
class Made:
    """A certificate that a test has made, in the forms in which it is uploaded."""

    certificate: x509.Certificate
    key: Any

    @property
    def pem(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    @property
    def key_pem(self) -> bytes:
        return self.key_in(serialization.PrivateFormat.PKCS8)

    def key_in(self, form: Any, encryption: Any = None) -> bytes:
        encryption = encryption or serialization.NoEncryption()
        return self.key.private_bytes(serialization.Encoding.PEM, form, encryption)


def make(
    name: str = "www.example.com",
    *names: str,
    signer: Made | None = None,
    key: Any = None,
    is_authority: bool = False,
    age: timedelta = timedelta(days=1),
    validity: timedelta = timedelta(days=90),
    extensions: tuple[x509.ExtensionType, ...] = (),
    subject: x509.Name | None = None,
) -> Made:
    """Return a certificate signed by `signer`, else by itself."""
    key = key or ec.generate_private_key(ec.SECP256R1())
    if subject is None:
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    start = datetime.now(UTC) - age
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(signer.certificate.subject if signer else subject)
        .public_key(key.public_key())
        .serial_number(0x0123456789ABCDEF)
        .not_valid_before(start)
        .not_valid_after(start + validity)
        .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
    )
    if names:
        alternative = x509.SubjectAlternativeName([x509.DNSName(each) for each in names])
        builder = builder.add_extension(alternative, critical=False)
    for extension in extensions:
        builder = builder.add_extension(extension, critical=False)
    signing_key = signer.key if signer else key
    return Made(builder.sign(signing_key, hashes.SHA256()), key)


@pytest.fixture(name="make", scope="session")
def make_fixture() -> Callable[..., Made]:
    return make


@pytest.fixture
def upload(api: Any) -> Callable[..., str]:
    """`upload(made)` imports a certificate and returns its ARN."""

    def upload(made: Made, *chain: Made, **params: Any) -> str:
        if chain:
            params = {"CertificateChain": b"".join(each.pem for each in chain), **params}
        answer = api.import_certificate(
            **{"Certificate": made.pem, "PrivateKey": made.key_pem, **params}
        )
        arn: str = answer["CertificateArn"]
        return arn

    return upload
