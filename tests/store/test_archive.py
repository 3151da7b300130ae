"""Backup files: complete and unharmed, or refused with the reason."""

import io
import json
import tarfile
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest

from albatross.store import archive
from albatross.store.archive import FORMAT, STATE, Manifest, Member, UnusableArchive

SCHEMA = 3
STATE_BYTES = b'{"arn":"a"}\n' * 100
PACKAGE = b"zip" * 1000
DIGEST = sha256(PACKAGE).hexdigest()
KEY = f"certificates/{'0' * 32}.key"


def member(name: str, content: bytes) -> Member:
    return Member(name, len(content), sha256(content).hexdigest())


CONTENT = {STATE: STATE_BYTES, f"packages/{DIGEST}.zip": PACKAGE, KEY: b"key"}
MANIFEST = Manifest(
    albatross="1.2.3",
    schema_version=SCHEMA,
    revision=7,
    created_at="2026-01-02T03:04:05+00:00",
    resources=100,
    members=tuple(member(name, content) for name, content in CONTENT.items()),
)


def write(tmp_path: Path, manifest: Manifest = MANIFEST) -> Path:
    for name, content in CONTENT.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(content)
    path = tmp_path / "backup.tar"
    path.write_bytes(b"".join(archive.chunks(manifest, STATE_BYTES, tmp_path.joinpath)))
    return path


def test_what_is_written_is_read(tmp_path):
    path = write(tmp_path)
    assert path.stat().st_size == archive.length(MANIFEST)
    seen: list[int] = []
    assert archive.check(path, SCHEMA, seen.append) == MANIFEST
    assert sum(seen) == sum(map(len, CONTENT.values()))
    assert dict(archive.contents(path, SCHEMA)) == CONTENT


def test_it_is_a_tar_archive_like_any_other(tmp_path):
    with tarfile.open(write(tmp_path)) as tar:
        assert tar.getnames() == ["manifest.json", *CONTENT]
        assert {info.mode for info in tar} == {0o600}


@pytest.mark.parametrize("cut", [1, 100, 600, 1023, 1024, 3000, 8000])
def test_one_that_is_cut_off_is_refused(tmp_path, cut):
    path = write(tmp_path)
    whole = path.read_bytes()
    path.write_bytes(whole[:cut])
    with pytest.raises(UnusableArchive):
        archive.check(path, SCHEMA)


def test_every_changed_byte_of_a_content_is_found(tmp_path):
    path = write(tmp_path)
    whole = path.read_bytes()
    for content in CONTENT.values():
        at = whole.index(content) + len(content) - 1
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        with pytest.raises(UnusableArchive, match="damaged"):
            archive.check(path, SCHEMA)


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        pytest.param({"format": FORMAT + 1}, r"newer Albatross \(1\.2\.3\)", id="newer format"),
        pytest.param({"schema_version": SCHEMA + 1}, "newer Albatross", id="newer schema"),
        pytest.param({"format": "1"}, "manifest cannot be read", id="format of a wrong type"),
        pytest.param({"resources": None, "extra": 1}, "manifest cannot be read", id="a new member"),
        pytest.param({"members": 5}, "manifest cannot be read", id="members of a wrong type"),
        pytest.param({"members": []}, "each there once", id="no members"),
        pytest.param(
            {"members": [{"name": "../etc/passwd", "size": 1, "sha256": "0" * 64}]},
            "does not belong",
            id="a path that leads out",
        ),
        pytest.param(
            {"members": [{"name": f"packages/{DIGEST}.zip", "size": 1, "sha256": "0" * 64}]},
            "does not belong",
            id="a name that is not its content's",
        ),
    ],
)
def test_a_manifest_that_cannot_be_followed_is_refused(tmp_path, change, fault):
    text = json.dumps(json.loads(MANIFEST.to_json()) | change).encode()
    path = tmp_path / "backup.tar"
    with tarfile.open(path, "w") as tar:
        info = tarfile.TarInfo("manifest.json")
        info.size = len(text)
        tar.addfile(info, io.BytesIO(text))
    with pytest.raises(UnusableArchive, match=fault):
        archive.check(path, SCHEMA)


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"text" * 1000, id="text"),
        pytest.param(bytes(10_240), id="zeros"),
    ],
)
def test_what_is_no_archive_is_refused(tmp_path, content):
    path = tmp_path / "backup.tar"
    path.write_bytes(content)
    with pytest.raises(UnusableArchive):
        archive.check(path, SCHEMA)


def test_another_tar_archive_is_refused(tmp_path):
    path = tmp_path / "backup.tar"
    with tarfile.open(path, "w") as tar:
        tar.addfile(tarfile.TarInfo("README"))
    with pytest.raises(UnusableArchive, match="does not begin with a manifest"):
        archive.check(path, SCHEMA)


def test_more_than_the_manifest_says_is_refused(tmp_path):
    path = write(tmp_path, replace(MANIFEST, members=MANIFEST.members[:2]))
    whole = path.read_bytes()
    more = write(tmp_path).read_bytes()[-2048:-1024]  # the key and its header
    path.write_bytes(whole[:-1024] + more + bytes(1024))
    with pytest.raises(UnusableArchive, match="more members"):
        archive.check(path, SCHEMA)


def test_a_file_that_shrinks_meanwhile_ends_the_backup(tmp_path):
    write(tmp_path)
    (tmp_path / KEY).write_bytes(b"k")
    with pytest.raises(OSError, match="shorter"):
        b"".join(archive.chunks(MANIFEST, STATE_BYTES, tmp_path.joinpath))
