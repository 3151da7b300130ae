"""Certificates with the whole server: the commands, the files, and what survives a kill."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography import x509

from tests.support import command
from tests.support.command import REGION, Server


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with command.place() as place, command.serving(place) as server:
        yield server


def mapped(pid: int) -> str:
    return Path(f"/proc/{pid}/maps").read_text()


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="Linux shows what is loaded")
def test_what_certificates_need_is_loaded_at_the_first_one():
    with command.place() as place, command.serving(place) as server:
        control = server.pids()["control"]
        assert "cryptography" not in mapped(control)
        server.client("acm").request_certificate(
            DomainName="www.example.com", KeyAlgorithm="EC_prime256v1"
        )
        assert "cryptography" in mapped(control)


def test_the_aws_command_waits_for_a_requested_certificate(server):
    arn = server.client("acm").request_certificate(DomainName="www.example.com")["CertificateArn"]
    keys = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
    wait = [sys.executable, "-m", "awscli", "acm", "wait", "certificate-validated"]
    place = ["--endpoint-url", server.url, "--region", REGION, "--certificate-arn", arn]
    subprocess.run([*wait, *place], env={**os.environ, **keys}, check=True, timeout=15)


def test_the_root_is_shown_exported_and_is_what_signs(server, tmp_path):
    called = ["ca", "--endpoint", server.url]
    path = str(server.place.data / "ca" / "root.pem")
    assert server.place.call(*called).stdout.splitlines()[0] == path
    printed = server.place.call(*called, "--export", "-").stdout
    assert printed == Path(path).read_text()
    assert "PRIVATE" not in printed
    exported = tmp_path / "root.pem"
    said = server.place.call(*called, "--export", str(exported)).stdout
    assert exported.read_text() == printed
    assert f"curl --cacert {exported}" in said
    refused = server.place.call(*called, "--export", str(tmp_path / "no" / "root.pem"))
    assert (refused.returncode, "No such file" in refused.stderr) == (1, True)
    acm = server.client("acm")
    arn = acm.request_certificate(DomainName="a.example.com", KeyAlgorithm="EC_prime256v1")
    pem = acm.get_certificate(CertificateArn=arn["CertificateArn"])["Certificate"]
    root = x509.load_pem_x509_certificate(printed.encode())
    x509.load_pem_x509_certificate(pem.encode()).verify_directly_issued_by(root)


def test_certificates_and_keys_survive_a_kill_and_go_with_a_reset():
    with command.place() as place:
        with command.serving(place) as server:
            server.client("acm").request_certificate(
                DomainName="www.example.com", KeyAlgorithm="EC_prime256v1"
            )
            pids = server.pids().values()
            server.process.kill()
            for pid in pids:
                command.until(lambda pid=pid: not command.is_alive(pid))
        keys = place.data / "certificates"
        assert len(list(keys.iterdir())) == 1
        with command.serving(place) as server:
            includes = {"keyTypes": ["EC_prime256v1"]}
            listed = server.client("acm").list_certificates(Includes=includes)
            assert len(listed["CertificateSummaryList"]) == 1
            assert len(list(keys.iterdir())) == 1
            reset = f"{server.url}/_albatross/reset"
            subprocess.run(["curl", "-sfX", "POST", reset], check=True, stdout=subprocess.DEVNULL)
            command.until(lambda: not list(keys.iterdir()))
            assert server.stop(signal.SIGTERM) == 0
