"""Backups of a running store, restored to either kind of database: all of it, or nothing."""

import asyncio
import stat
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from albatross.model import arn
from albatross.model.arn import Scope
from albatross.model.certificate import Certificate, Facts
from albatross.model.rule import Forward, PathPattern, Rule
from albatross.model.trust_store import RevocationList, TrustStore
from albatross.store.archive import UnusableArchive
from albatross.store.backup import Backups, Taken
from albatross.store.contents import Contents
from albatross.store.keys import Keys
from albatross.store.packages import Packages
from albatross.store.store import Store
from albatross.store.transaction import Transaction
from albatross.store.view import View
from tests.store.test_store import HERE, LISTENER, function, group, zipped

ELSEWHERE = Scope("999999999999", "eu-west-1")
TRUST = f"arn:aws:elasticloadbalancing:us-east-1:{HERE.account}:truststore/t/0123456789abcdef"
CERTIFICATE = f"arn:aws:acm:us-east-1:{HERE.account}:certificate/1"


@dataclass
class Place:
    """A store with all that lies beside it."""

    directory: Path
    url: str

    def __post_init__(self) -> None:
        self.directory.mkdir(exist_ok=True)
        self.packages, self.keys = Packages(self.directory), Keys(self.directory)
        self.contents = Contents(self.directory)
        self.store = Store(
            self.url, self.packages, self.keys, strict=False, on_commit=lambda _: None
        )
        self.backups = Backups(self.directory, self.store, self.packages, self.keys, self.contents)

    async def fill(self) -> None:
        package = self.packages.add(zipped("first"))
        bundle, revoked = self.contents.add(b"bundle"), self.contents.add(b"revoked")
        used = group("used")
        rule = Rule(
            arn=arn.rule(LISTENER, "1" * 16),
            listener_arn=LISTENER,
            priority=1,
            conditions=(PathPattern(values=("/é\u2028",)),),
            action=Forward.to(used.arn),
        )

        def put(tx: Any) -> None:
            for resource in (group("z"), used, rule, function(package)):
                tx.put(resource)
            tx.put_tags(used.arn, {"z": "1", "a": "é\u2028\n"})
            tx.put(certificate(tx.add_key(b"private")))
            tx.put(trust_store(bundle, revoked))

        await self.store.write(HERE, put)
        await self.store.write(ELSEWHERE, lambda tx: tx.put(group("there", ELSEWHERE)))
        self.keys.root(lambda: (b"root key", b"root certificate"))
        self.keys.cookie_key()

    async def back_up(self, path: Path) -> Path:
        return write(await self.backups.take(), path)

    async def everything(self) -> dict[str, Any]:
        """Return all that a backup is of. Order is part of it."""
        snapshot = await self.store.snapshot()
        found: dict[str, Any] = {
            name: getattr(snapshot, name)
            for name in ("target_groups", "functions", "certificates", "trust_stores")
        }
        found["rules"] = [one.rules for one in snapshot.by_listener.values()]
        found["keys"] = {id_: bytes(key) for id_, key in snapshot.keys.items()}
        found["tags"] = await self.store.read(
            HERE, lambda tx: [*tx.tags(group("used").arn).items()]
        )
        found["users"] = await self.store.read(HERE, lambda tx: tx.users(group("used").arn))
        found["root"] = [bytes(part) for part in self.keys.root(lambda: (b"new", b"new"))]
        found["cookies"] = bytes(self.keys.cookie_key())
        for one in snapshot.functions:
            found["code"] = (self.packages.directory(one.code) / "app.py").read_text()
        for trust in snapshot.trust_stores:
            digests = (trust.bundle, *(one.content for one in trust.revocations))
            found["trust"] = [self.contents.path(digest).read_bytes() for digest in digests]
        return found

    async def close(self) -> None:
        await self.store.close()


def write(taken: Taken, path: Path) -> Path:
    path.write_bytes(b"".join(taken.chunks()))
    assert path.stat().st_size == taken.length
    return path


def certificate(key_id: str) -> Certificate:
    facts = Facts(
        domain_name="example.com",
        names=("example.com",),
        key_algorithm="RSA_2048",
        signature_algorithm="SHA256WITHRSA",
        serial="01",
        subject="CN=example.com",
        issuer="CN=example.com",
        not_before=datetime(2026, 1, 1, tzinfo=UTC),
        not_after=datetime(2027, 1, 1, tzinfo=UTC),
    )
    return Certificate(
        arn=CERTIFICATE,
        type="IMPORTED",
        facts=facts,
        pem="PEM",
        chain="",
        key_id=key_id,
        created_at=datetime(2026, 1, 1, tzinfo=UTC),
    )


def trust_store(bundle: str, revoked: str) -> TrustStore:
    revocations = (RevocationList(id=1, content=revoked, entries=0, issuers=()),)
    return TrustStore(arn=TRUST, name="t", bundle=bundle, subjects=("a",), revocations=revocations)


@pytest.fixture
def make_place(tmp_path: Path, request: pytest.FixtureRequest) -> Callable[[str, str], Place]:
    """`make_place(name, kind)` opens a store on a database of that kind."""

    def make(name: str, kind: str) -> Place:
        directory = tmp_path / name
        url = f"sqlite:///{directory}/state.db"
        if kind == "postgresql":
            url = request.getfixturevalue("postgres").schema()
        return Place(directory, url)

    return make


SQLITE_TO_POSTGRESQL = pytest.param("sqlite", "postgresql", id="SQLite to PostgreSQL")
POSTGRESQL_TO_SQLITE = pytest.param("postgresql", "sqlite", id="PostgreSQL to SQLite")
ALIKE = pytest.param("sqlite", "sqlite", id="SQLite to SQLite")


@pytest.mark.parametrize(("source", "target"), [ALIKE, SQLITE_TO_POSTGRESQL, POSTGRESQL_TO_SQLITE])
def test_a_backup_brings_everything_back_elsewhere(make_place, tmp_path, source, target):
    async def scenario():
        first, second = make_place("first", source), make_place("second", target)
        await first.fill()
        path = await first.back_up(tmp_path / "backup.tar")
        wanted = await first.everything()
        await second.store.write(HERE, lambda tx: tx.put(group("other")))
        manifest = await second.backups.restore(path)
        found = await second.everything()
        revisions = manifest.revision, second.store.revision
        await second.store.write(HERE, lambda tx: tx.put(group("later")))
        later = [one.name for one in (await second.store.snapshot()).target_groups]
        await first.close()
        await second.close()
        return wanted, found, revisions, later

    wanted, found, revisions, later = asyncio.run(scenario())
    assert found == wanted
    assert wanted["keys"] and wanted["trust"] == [b"bundle", b"revoked"]
    assert revisions == (2, 2), "it is one more revision of the second store"
    assert later == ["z", "used", "there", "later"]


def test_a_running_store_is_replaced_as_a_whole(make_place, tmp_path):
    """What came after the backup is gone, key and tags too; what went is there again."""

    async def scenario():
        place = make_place("only", "sqlite")
        await place.fill()
        path = await place.back_up(tmp_path / "backup.tar")
        wanted = await place.everything()

        def change(tx):
            tx.delete(group("z").arn)
            tx.put(group("new"))
            tx.put_tags(group("used").arn, {"other": "tag"})
            tx.drop_key(tx.get(Certificate, CERTIFICATE).key_id)
            tx.put(certificate(tx.add_key(b"another")))

        await place.store.write(HERE, change)
        assert await place.everything() != wanted
        await place.backups.restore(path)
        found = await place.everything()
        await place.close()
        keys = [file.read_bytes() for file in (place.directory / "certificates").iterdir()]
        return wanted, found, keys, list((place.directory / "tmp").iterdir())

    wanted, found, keys, scratch = asyncio.run(scenario())
    assert found == wanted
    assert keys == [b"private"]
    assert scratch == []


def test_a_backup_is_of_one_moment(make_place, tmp_path):
    """What is deleted while the archive is written is in it all the same."""

    async def scenario():
        place = make_place("only", "sqlite")
        await place.fill()
        wanted = await place.everything()
        taken = await place.backups.take()

        def change(tx):
            tx.drop_key(tx.get(Certificate, CERTIFICATE).key_id)
            for one in (CERTIFICATE, group("z").arn, function(package=None).arn):
                tx.delete(one)

        await place.store.write(HERE, change)
        place.packages.remove(place.packages.collect(set(), at_once=True))
        await place.backups.restore(write(taken, tmp_path / "backup.tar"))
        found = await place.everything()
        await place.close()
        return wanted, found

    wanted, found = asyncio.run(scenario())
    assert found == wanted


def test_a_backup_that_cannot_be_complete_is_not_taken(make_place):
    async def scenario():
        place = make_place("only", "sqlite")
        await place.fill()
        for path in (place.directory / "certificates").iterdir():
            path.unlink()
        try:
            with pytest.raises(OSError, match=r"\.key is missing, so no complete backup"):
                await place.backups.take()
        finally:
            await place.close()
        return list((place.directory / "tmp").iterdir())

    assert asyncio.run(scenario()) == []


def _break(monkeypatch: pytest.MonkeyPatch, what: str) -> type[BaseException]:
    """Let a restore end there, and return how."""

    def fail(*_: Any, **__: Any) -> Any:
        raise SystemError(what)

    place = {
        "keys": (Keys, "put"),
        "packages": (Packages, "add"),
        "staging": (Keys, "stage"),
        "rows": (Transaction, "_note_uses"),
        "commit": (View, "note_deleted"),
    }[what]
    monkeypatch.setattr(*place, fail)
    return SystemError


@pytest.mark.parametrize("what", ["keys", "packages", "staging", "rows", "commit"])
@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_a_restore_that_fails_has_changed_nothing(make_place, tmp_path, monkeypatch, what, kind):
    async def scenario():
        source, place = make_place("source", "sqlite"), make_place("place", kind)
        await source.fill()
        await place.fill()
        path = await source.back_up(tmp_path / "backup.tar")
        await source.close()
        wanted = await place.everything()
        with monkeypatch.context() as patch, pytest.raises(_break(patch, what)):
            await place.backups.restore(path)
        found = await place.everything()
        keys = len(list((place.directory / "certificates").iterdir()))
        await place.close()
        return wanted, found, keys, [*place.directory.glob("restored-*")]

    wanted, found, keys, staged = asyncio.run(scenario())
    assert found == wanted
    assert (keys, staged) == (1, [])


@pytest.mark.parametrize("committed", [True, False], ids=["after the commit", "before it"])
def test_the_next_start_completes_a_restore_or_forgets_it(
    make_place, tmp_path, monkeypatch, committed
):
    """The process ends between the commit and the moment when keys take their places, or before."""

    async def scenario():
        source, place = make_place("source", "sqlite"), make_place("place", "sqlite")
        await source.fill()
        await place.fill()
        path = await source.back_up(tmp_path / "backup.tar")
        wanted = await (source if committed else place).everything()
        await source.close()
        with monkeypatch.context() as patch:
            patch.setattr(Keys, "settle", lambda *_: None)
            if committed:
                await place.backups.restore(path)
            else:
                with pytest.raises(_break(patch, "commit")):
                    await place.backups.restore(path)
        assert [*place.directory.glob("restored-*")]
        await place.close()
        place = Place(place.directory, place.url)
        found = await place.everything()
        await place.close()
        return wanted, found, [*place.directory.glob("restored-*")]

    wanted, found, staged = asyncio.run(scenario())
    assert found == wanted
    assert staged == []


def test_a_damaged_archive_changes_nothing(make_place, tmp_path):
    async def scenario():
        place = make_place("place", "sqlite")
        await place.fill()
        path = await place.back_up(tmp_path / "backup.tar")
        wanted = await place.everything()
        path.write_bytes(path.read_bytes().replace(b'"z"', b'"y"'))
        with pytest.raises(UnusableArchive, match="damaged"):
            await place.backups.restore(path)
        found = await place.everything()
        await place.close()
        return wanted, found

    wanted, found = asyncio.run(scenario())
    assert found == wanted


def test_files_of_a_restore_are_for_their_owner_only(make_place, tmp_path):
    async def scenario():
        first, second = make_place("first", "sqlite"), make_place("second", "sqlite")
        await first.fill()
        await second.backups.restore(await first.back_up(tmp_path / "backup.tar"))
        await first.close()
        await second.close()
        return second.directory

    directory = asyncio.run(scenario())
    private = [*directory.glob("certificates/*"), *directory.glob("ca/*"), directory / "cookie.key"]
    assert len(private) == 4
    assert {stat.S_IMODE(path.stat().st_mode) for path in private} == {0o600}
