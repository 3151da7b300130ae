"""Certificates of all kinds, quickly made, and clients that say what a handshake came to."""

import itertools
import ssl
import tempfile
import warnings
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

from albatross.acm.x509 import facts
from albatross.model.certificate import Certificate, PrivateBytes
from albatross.model.listener import MutualAuthentication
from albatross.model.snapshot import Snapshot
from albatross.model.trust_store import TrustStore
from tests.support.envoy import Balancer, Client, to_snapshot

_serials = itertools.count(0x0A11)
_PEM = serialization.Encoding.PEM


@cache
def rsa_key(number: int = 0, bits: int = 2048) -> rsa.RSAPrivateKey:
    """A key that is made once a session."""
    return rsa.generate_private_key(public_exponent=65537, key_size=bits)


@dataclass
class Made:
    """A certificate with its key, and those above it."""

    certificate: x509.Certificate
    key: Any
    above: tuple["Made", ...] = ()

    @property
    def pem(self) -> bytes:
        return self.certificate.public_bytes(_PEM)

    @property
    def chain(self) -> bytes:
        """The certificates above it but for the root, which is last."""
        return b"".join(one.pem for one in self.above[:-1])

    @property
    def key_pem(self) -> bytes:
        return self.key.private_bytes(
            _PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )

    @property
    def serial(self) -> int:
        return self.certificate.serial_number

    def file(self, folder: Path) -> str:
        """Write key, certificate and chain into one file and return its path."""
        path = folder / f"{self.serial:x}.pem"
        path.write_bytes(self.key_pem + self.pem + self.chain)
        return str(path)

    def revoking(self, *revoked: "Made", days: int = 30) -> bytes:
        """Return this authority's revocation list in PEM."""
        now = datetime.now(UTC)
        builder = (
            x509.CertificateRevocationListBuilder()
            .issuer_name(self.certificate.subject)
            .last_update(now - timedelta(days=60))
            .next_update(now + timedelta(days=days))
        )
        for one in revoked:
            entry = x509.RevokedCertificateBuilder(one.serial, now - timedelta(days=1)).build()
            builder = builder.add_revoked_certificate(entry)
        return builder.sign(self.key, hashes.SHA256()).public_bytes(_PEM)


def make(
    *names: str,
    signer: Made | None = None,
    key: Any = None,
    is_authority: bool = False,
    age_days: int = 1,
    days: int = 90,
    hash_: Any = None,
    subject: x509.Name | None = None,
) -> Made:
    """Return a certificate for `names`, signed by `signer`, else by itself."""
    key = key or ec.generate_private_key(ec.SECP256R1())
    if subject is None:
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0])])
    start = datetime.now(UTC) - timedelta(days=age_days)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(signer.certificate.subject if signer else subject)
        .public_key(key.public_key())
        .serial_number(next(_serials))
        .not_valid_before(start)
        .not_valid_after(start + timedelta(days=days))
        .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
    )
    if names and not is_authority:
        alternative = x509.SubjectAlternativeName([x509.DNSName(name) for name in names])
        builder = builder.add_extension(alternative, critical=False)
    signed = builder.sign(signer.key if signer else key, hash_ or hashes.SHA256())
    return Made(signed, key, (signer, *signer.above) if signer else ())


def authority(name: str = "Test root", signer: Made | None = None) -> Made:
    return make(name, signer=signer, is_authority=True)


def resource(made: Made, id_: str) -> tuple[Certificate, PrivateBytes]:
    """Return `made` as the store has it, with its key."""
    return (
        Certificate(
            arn=f"arn:aws:acm:us-east-1:123456789012:certificate/{id_}",
            type="IMPORTED",
            facts=facts(made.certificate),
            pem=made.pem.decode(),
            chain=made.chain.decode(),
            key_id=f"{made.serial:032x}",
            created_at=datetime(2026, 1, 2, tzinfo=UTC),
        ),
        PrivateBytes(made.key_pem),
    )


@dataclass
class Secure:
    """An HTTPS listener of a load balancer: the first of `certificates` is its default one."""

    balancer: Balancer
    certificates: list[Made]
    ssl_policy: str = "ELBSecurityPolicy-2016-08"
    mutual_authentication: MutualAuthentication = field(default_factory=MutualAuthentication)


def snapshot(
    *secure: Secure, plain: tuple[Balancer, ...] = (), trust_stores: tuple[TrustStore, ...] = ()
) -> Snapshot:
    """Return a snapshot whose load balancers are `secure` and then `plain`."""
    whole = to_snapshot(*(one.balancer for one in secure), *plain)
    certificates: dict[str, Certificate] = {}
    keys: dict[str, PrivateBytes] = {}
    listeners = list(whole.listeners)
    for number, one in enumerate(secure):
        arns = []
        for made in one.certificates:
            certificate, key = resource(made, f"{made.serial:x}")
            certificates[certificate.arn] = certificate
            keys[certificate.key_id] = key
            arns.append(certificate.arn)
        listeners[number] = replace(
            listeners[number],
            protocol="HTTPS",
            certificates=tuple(arns),
            ssl_policy=one.ssl_policy,
            mutual_authentication=one.mutual_authentication,
        )
    return replace(
        whole,
        listeners=tuple(listeners),
        certificates=tuple(certificates.values()),
        keys=keys,
        trust_stores=trust_stores,
    )


@dataclass
class Handshake:
    """What a client saw. `serial`: of the certificate that it was shown."""

    serial: int
    version: str
    cipher: str
    protocol: str | None  # by ALPN


class TlsClient(Client):
    """A `Client` over TLS that trusts every server."""

    def __init__(
        self,
        port: int,
        server_name: str | None = None,
        *,
        address: str = "127.0.0.1",
        context: ssl.SSLContext | None = None,
        session: ssl.SSLSession | None = None,
    ) -> None:
        super().__init__(port, address)
        context = context or client_context()
        self._file.close()
        plain = self._socket
        try:
            self._socket = context.wrap_socket(plain, server_hostname=server_name, session=session)
        except BaseException:
            plain.close()
            raise
        self._file = self._socket.makefile("rb")

    @property
    def tls(self) -> ssl.SSLSocket:
        assert isinstance(self._socket, ssl.SSLSocket)
        return self._socket

    @property
    def handshake(self) -> Handshake:
        shown = self.tls.getpeercert(binary_form=True)
        cipher, version = self.tls.cipher(), self.tls.version()
        assert shown is not None and cipher is not None and version is not None
        serial = x509.load_der_x509_certificate(shown).serial_number
        return Handshake(serial, version, cipher[0], self.tls.selected_alpn_protocol())


def client_context(
    *,
    alpn: tuple[str, ...] = (),
    version: ssl.TLSVersion | None = None,
    ciphers: str = "ALL:@SECLEVEL=0",
    certificate: Made | None = None,
) -> ssl.SSLContext:
    """Return a client's settings. `version`: that one only."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_ciphers(ciphers)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of TLS 1.0 and 1.1
        context.minimum_version = version or ssl.TLSVersion.MINIMUM_SUPPORTED
        context.maximum_version = version or ssl.TLSVersion.MAXIMUM_SUPPORTED
    if alpn:
        context.set_alpn_protocols(list(alpn))
    if certificate is not None:
        with tempfile.TemporaryDirectory() as folder:
            context.load_cert_chain(certificate.file(Path(folder)))
    return context


def handshake(port: int, server_name: str | None = None, **options: Any) -> Handshake:
    with TlsClient(port, server_name, **options) as client:
        return client.handshake


def is_refused(port: int, context: ssl.SSLContext, **options: Any) -> bool:
    """Tell whether the server ends the connection in the handshake or right after it.

    In TLS 1.3 a client learns only after its own part that its certificate is not accepted.
    """
    try:
        with TlsClient(port, context=context, **options) as client:
            client.write("GET / HTTP/1.1\r\nHost: a.example.com\r\n\r\n")
            client.read()
    except (ssl.SSLError, ConnectionError, EOFError, TimeoutError):
        return True
    return False
