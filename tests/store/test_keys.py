"""Private keys: files that only their owner reads, and that come and go with their resources."""

import asyncio
from datetime import UTC, datetime

import pytest

from albatross.model import arn
from albatross.model.arn import Scope
from albatross.model.certificate import (
    Certificate,
    Facts,
    PrivateBytes,
    ServerCertificate,
    for_server,
)
from albatross.model.snapshot import Snapshot, server_certificates
from albatross.store.keys import Keys
from albatross.store.packages import Packages
from albatross.store.store import Store

HERE = Scope("123456789012", "us-east-1")
NOW = datetime(2026, 7, 10, tzinfo=UTC)


def certificate(key_id, id_="1", **fields):
    facts = Facts(
        domain_name="WWW.example.com",
        names=("WWW.example.com",),
        key_algorithm="EC_secp384r1",
        signature_algorithm="SHA256WITHECDSA",
        serial="01",
        subject="CN=WWW.example.com",
        issuer="x",
        not_before=NOW,
        not_after=NOW,
        extended_key_usages={"1.3.6.1.5.5.7.3.1": "TLS_WEB_SERVER_AUTHENTICATION"},
    )
    given = {
        "arn": arn.certificate(HERE, id_),
        "type": "IMPORTED",
        "facts": facts,
        "pem": "leaf\n",
        "chain": "root\n",
        "key_id": key_id,
        "created_at": NOW,
    }
    return Certificate(**given | fields)


def add(pem, id_="1"):
    return lambda tx: tx.put(certificate(tx.add_key(pem), id_))


@pytest.fixture
def run(tmp_path):
    """`run(scenario)` awaits `scenario(store)` with a store that is closed afterwards."""

    def run(scenario):
        async def main():
            stored = (Packages(tmp_path), Keys(tmp_path))
            store = Store(f"sqlite:///{tmp_path}/s.db", *stored, strict=False, on_commit=print)
            try:
                return await scenario(store)
            finally:
                await store.close()

        return asyncio.run(main())

    return run


@pytest.fixture
def files(tmp_path):
    return lambda: sorted(path.read_bytes() for path in (tmp_path / "certificates").iterdir())


def test_a_key_is_a_file_that_only_its_owner_can_read(tmp_path):
    (tmp_path / "certificates").mkdir(mode=0o755)
    keys = Keys(tmp_path)
    key_id = keys.add(b"PEM")
    path = tmp_path / "certificates" / f"{key_id}.key"
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert bytes(keys.read(key_id)) == b"PEM"


def test_key_material_is_shown_by_nothing():
    key = PrivateBytes(b"PEM")
    assert {repr(key), str(key), f"{key}", f"{key!r}", "%s" % key} == {"[redacted]"}  # noqa: UP031
    assert key == b"PEM"


def _served(snapshot: Snapshot) -> dict[str, ServerCertificate]:
    return server_certificates(snapshot.certificates, snapshot.keys)


def test_a_snapshot_has_the_keys_and_shows_none(run):
    async def scenario(store):
        await store.write(HERE, add(b"PEM"))
        return await store.snapshot()

    snapshot = run(scenario)
    (served,) = _served(snapshot).values()
    assert bytes(served.key_pem) == b"PEM"
    assert (served.names, served.key_type, served.key_bits) == (("www.example.com",), "EC", 384)
    assert served.chain_pem == "leaf\nroot\n"
    assert "PEM" not in repr(snapshot) + repr(served)


def test_a_key_goes_with_the_transaction_that_failed(run, files):
    async def scenario(store):
        def fail(tx):
            add(b"PEM")(tx)
            raise ArithmeticError

        with pytest.raises(ArithmeticError):
            await store.write(HERE, fail)
        return await store.snapshot()

    assert run(scenario).certificates == ()
    assert files() == []


def test_a_key_that_is_exchanged_is_deleted_once_the_new_one_is_committed(run, files):
    async def scenario(store):
        await store.write(HERE, add(b"old"))
        before = await store.snapshot()

        def exchange(tx):
            tx.drop_key(before.certificates[0].key_id)
            tx.put(certificate(tx.add_key(b"new")))
            assert files() == [b"new", b"old"]

        await store.write(HERE, exchange)
        return before, await store.snapshot()

    before, after = run(scenario)
    assert files() == [b"new"]
    assert [bytes(key) for key in before.keys.values()] == [b"old"]
    assert [bytes(key) for key in after.keys.values()] == [b"new"]


def test_a_key_without_a_certificate_is_collected_at_the_start(run, files, tmp_path):
    async def write(store):
        await store.write(HERE, add(b"kept"))

    async def look(store):
        return await store.snapshot()

    run(write)
    Keys(tmp_path).add(b"left by a crash")
    (tmp_path / "certificates" / "x.new").write_bytes(b"half")
    assert len(_served(run(look))) == 1
    assert files() == [b"kept"]


def test_a_certificate_whose_key_is_lost_is_not_served(run, tmp_path, caplog):
    async def scenario(store):
        await store.write(HERE, add(b"PEM"))
        for path in (tmp_path / "certificates").iterdir():
            path.unlink()
        return await store.snapshot()

    snapshot = run(scenario)
    assert len(snapshot.certificates) == 1
    assert _served(snapshot) == {}
    assert "cannot be read" in caplog.text


def test_an_rsa_certificate_says_its_size():
    facts = certificate("0").facts
    rsa = Facts(
        **{name: getattr(facts, name) for name in facts.__slots__} | {"key_algorithm": "RSA_2048"}
    )
    served = for_server(certificate("0", facts=rsa), PrivateBytes(b""))
    assert (served.key_type, served.key_bits) == ("RSA", 2048)
