"""Certificates with the whole server: the commands and the files."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography import x509

from tests.support import command
from tests.support.aws_command import aws
from tests.support.command import Server


@pytest.fixture(scope="module")
def new() -> Iterator[tuple[Server, str]]:
    """A server, and what its control plane had loaded before there was any certificate."""
    with command.place() as place, command.serving(place) as server:
        yield server, mapped(server)


@pytest.fixture(scope="module")
def server(new) -> Server:
    return new[0]


def mapped(server: Server) -> str:
    if sys.platform != "linux":
        return ""
    return Path(f"/proc/{server.pids()['control']}/maps").read_text()


@pytest.mark.skipif(sys.platform != "linux", reason="Linux shows what is loaded")
def test_what_certificates_need_is_loaded_at_the_first_one(new):
    server, before = new
    server.client("acm").request_certificate(
        DomainName="www.example.com", KeyAlgorithm="EC_prime256v1"
    )
    assert "cryptography" not in before
    assert "cryptography" in mapped(server)


def test_the_aws_command_waits_for_a_requested_certificate(server):
    arn = server.client("acm").request_certificate(DomainName="www.example.com")["CertificateArn"]
    wait = ("acm", "wait", "certificate-validated", "--certificate-arn", arn)
    assert aws(*wait, url=server.url)[0] == 0


def test_the_root_is_shown_exported_and_is_what_signs(server, tmp_path):
    called = ["ca", "--endpoint", server.url]
    path = str(server.place.data / "ca" / "root.pem")
    assert server.place.ask(*called).stdout.splitlines()[0] == path
    printed = server.place.ask(*called, "--export", "-").stdout
    assert printed == Path(path).read_text()
    assert "PRIVATE" not in printed
    exported = tmp_path / "root.pem"
    said = server.place.ask(*called, "--export", str(exported)).stdout
    assert exported.read_text() == printed
    assert f"curl --cacert {exported}" in said
    refused = server.place.ask(*called, "--export", str(tmp_path / "no" / "root.pem"))
    assert (refused.returncode, "No such file" in refused.stderr) == (1, True)
    acm = server.client("acm")
    arn = acm.request_certificate(DomainName="a.example.com", KeyAlgorithm="EC_prime256v1")
    pem = acm.get_certificate(CertificateArn=arn["CertificateArn"])["Certificate"]
    root = x509.load_pem_x509_certificate(printed.encode())
    x509.load_pem_x509_certificate(pem.encode()).verify_directly_issued_by(root)
