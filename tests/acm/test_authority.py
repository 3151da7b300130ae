"""The local authority: its files, and certificates that others accept."""

import ssl
import subprocess
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.x509.verification import PolicyBuilder, Store

from albatross.acm import authority
from albatross.store.keys import Keys
from tests.support.tools import needs

NOW = datetime(2026, 7, 10, 12, 30, 1, tzinfo=UTC)
NAMES = ["www.example.com", "*.example.org"]
ALGORITHMS = ("RSA_2048", "EC_prime256v1", "EC_secp384r1")


def load(pem):
    return x509.load_pem_x509_certificate(pem.encode())


def test_the_root_is_made_once_and_its_files_are_for_the_owner_only(tmp_path):
    pem = authority.root_pem(Keys(tmp_path), NOW)
    assert authority.root_pem(Keys(tmp_path), NOW + timedelta(days=1)) == pem
    assert (tmp_path / "ca" / "root.pem").read_text() == pem
    modes = {path.name: path.stat().st_mode & 0o777 for path in (tmp_path / "ca").iterdir()}
    assert modes == {"root.key": 0o600, "root.pem": 0o600}
    assert (tmp_path / "ca").stat().st_mode & 0o777 == 0o700


def test_the_root_may_sign_certificates_and_no_further_authority(tmp_path):
    root = load(authority.root_pem(Keys(tmp_path), NOW))
    constraints = root.extensions.get_extension_for_class(x509.BasicConstraints)
    usage = root.extensions.get_extension_for_class(x509.KeyUsage)
    assert (constraints.critical, constraints.value.ca, constraints.value.path_length) == (
        True,
        True,
        0,
    )
    assert (usage.critical, usage.value.key_cert_sign, usage.value.digital_signature) == (
        True,
        True,
        False,
    )
    assert root.not_valid_after_utc - NOW == timedelta(days=3652)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_an_issued_certificate_is_verified_against_the_root(tmp_path, algorithm):
    issued = authority.issue(Keys(tmp_path), NAMES, algorithm, NOW)
    root, leaf = load(issued.chain), load(issued.pem)
    for name in ("www.example.com", "a.example.org"):
        verifier = (
            PolicyBuilder().store(Store([root])).time(NOW).build_server_verifier(x509.DNSName(name))
        )
        assert verifier.verify(leaf, []) == [leaf, root]
    assert issued.facts.key_algorithm == algorithm
    assert issued.facts.names == tuple(NAMES)
    assert list(issued.facts.extended_key_usages.values()) == ["TLS_WEB_SERVER_AUTHENTICATION"]


@needs("openssl", "openssl")
def test_openssl_verifies_an_issued_certificate_too(tmp_path):
    issued = authority.issue(Keys(tmp_path), NAMES, "RSA_2048", datetime.now(UTC))
    (tmp_path / "leaf.pem").write_text(issued.pem)
    root = ["-CAfile", str(tmp_path / "ca" / "root.pem")]
    command = ["openssl", "verify", "-x509_strict", "-purpose", "sslserver", *root]
    done = subprocess.run([*command, str(tmp_path / "leaf.pem")], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr


def test_a_tls_server_can_use_chain_and_key(tmp_path):
    issued = authority.issue(Keys(tmp_path), NAMES, "EC_prime256v1", NOW)
    both = tmp_path / "both.pem"
    both.write_bytes(issued.pem.encode() + issued.chain.encode() + issued.key)
    ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(both)


def test_two_certificates_differ_in_key_and_serial_number(tmp_path):
    first = authority.issue(Keys(tmp_path), NAMES, "EC_prime256v1", NOW)
    second = authority.issue(Keys(tmp_path), NAMES, "EC_prime256v1", NOW)
    assert bytes(first.key) != bytes(second.key)
    assert first.facts.serial != second.facts.serial
    assert "PRIVATE" not in repr(first)
