import base64
import hashlib
import io
import os
import stat
import struct
import subprocess
import sys
import threading
import zipfile
from pathlib import Path

import pytest

from albatross.model.errors import InvalidParameterValueException
from albatross.model.function import Package
from albatross.store import packages as module
from albatross.store.packages import UNUSED_S, Packages

NOT_A_ZIP = "Could not unzip uploaded file. Please check your file, then try to upload again."


def entry(name: str, mode: int = 0o644, kind: int = stat.S_IFREG) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)
    info.external_attr = (kind | mode) << 16
    info.create_system = 3
    info.compress_type = zipfile.ZIP_DEFLATED
    return info


def archive(*entries: tuple[zipfile.ZipInfo | str, str]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as zipped:
        for info, content in entries:
            zipped.writestr(info, content)
    return buffer.getvalue()


def link(name: str, to: str) -> tuple[zipfile.ZipInfo, str]:
    return entry(name, 0o777, stat.S_IFLNK), to


def visible(directory: Path) -> set[str]:
    """What is there of packages, without the scratch directory."""
    return {p.name for folder in ("packages", "code") for p in (directory / folder).iterdir()}


GOOD = archive((entry("app.py"), "x = 1"), (entry("lib/tool", 0o755), "#!/bin/sh"))


def test_a_package_is_named_by_its_sha256_and_kept_byte_for_byte(tmp_path):
    packages = Packages(tmp_path)
    package = packages.add(GOOD)
    digest = hashlib.sha256(GOOD)
    assert package == Package(sha256=base64.b64encode(digest.digest()).decode(), size=len(GOOD))
    assert packages.archive(package) == tmp_path / "packages" / f"{digest.hexdigest()}.zip"
    assert packages.archive(package).read_bytes() == GOOD
    assert packages.directory(package) == tmp_path / "code" / digest.hexdigest()
    assert (packages.directory(package) / "lib" / "tool").read_text() == "#!/bin/sh"


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        pytest.param(0o755, 0o755, id="executable"),
        pytest.param(0o600, 0o644, id="private files become readable"),
        pytest.param(0o000, 0o644, id="no permissions recorded"),
        pytest.param(0o4755, 0o755, id="set-user-id is dropped"),
    ],
)
def test_permissions_are_kept_and_files_are_readable(tmp_path, mode, expected):
    packages = Packages(tmp_path)
    package = packages.add(archive((entry("file", mode), "")))
    path = packages.directory(package) / "file"
    assert stat.S_IMODE(path.stat().st_mode) == expected


def test_directories_and_inner_links_are_unpacked(tmp_path):
    packages = Packages(tmp_path)
    package = packages.add(
        archive(
            link("current", "releases/1"),
            (entry("releases/1/app.py"), "x = 2"),
            (entry("empty/", 0o755, stat.S_IFDIR), ""),
            (entry("./dotted.py"), ""),
        )
    )
    directory = packages.directory(package)
    assert (directory / "current" / "app.py").read_text() == "x = 2"
    assert (directory / "empty").is_dir()
    assert (directory / "dotted.py").is_file()


def test_adding_the_same_bytes_again_changes_nothing(tmp_path):
    packages = Packages(tmp_path)
    first = packages.add(GOOD)
    inode = packages.archive(first).stat().st_ino
    assert packages.add(GOOD) == first
    assert packages.archive(first).stat().st_ino == inode


def test_threads_may_add_the_same_package_at_once(tmp_path):
    packages = Packages(tmp_path)
    start = threading.Barrier(8)
    results = []

    def add():
        start.wait()
        results.append(packages.add(GOOD))

    threads = [threading.Thread(target=add) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 8
    assert len(set(results)) == 1
    assert (packages.directory(results[0]) / "app.py").read_text() == "x = 1"
    assert list((tmp_path / "tmp").iterdir()) == []


@pytest.mark.parametrize(
    ("content", "message"),
    [
        pytest.param(b"", NOT_A_ZIP, id="no bytes"),
        pytest.param(b"not a zip archive", NOT_A_ZIP, id="something else"),
        pytest.param(GOOD[:-30], NOT_A_ZIP, id="cut short"),
        pytest.param(GOOD.replace(b"PK\x03\x04", b"PK\x03\x05"), NOT_A_ZIP, id="damaged"),
        pytest.param(archive(), "Uploaded file must be a non-empty zip", id="no entries"),
        pytest.param(archive(("/etc/passwd", "x")), NOT_A_ZIP, id="absolute path"),
        pytest.param(archive(("../out", "x")), NOT_A_ZIP, id="parent path"),
        pytest.param(archive(("a/../../out", "x")), NOT_A_ZIP, id="parent path inside"),
        pytest.param(archive(link("a", "/etc/passwd")), NOT_A_ZIP, id="link to absolute path"),
        pytest.param(archive(link("a", "../../..")), NOT_A_ZIP, id="link out of the tree"),
        pytest.param(archive(link("a", "")), NOT_A_ZIP, id="link to nothing"),
        pytest.param(
            archive(link("x/y/z/up", "../../.."), link("out", "x/y/z/up/../..")),
            NOT_A_ZIP,
            id="link out of the tree through another link",
        ),
        pytest.param(
            archive(link("a", "b"), (entry("a/file"), "x")), NOT_A_ZIP, id="file below a link"
        ),
        pytest.param(archive(("a", "x"), ("a/b", "x")), NOT_A_ZIP, id="file below a file"),
        pytest.param(archive(("a/b", "x"), ("a", "x")), NOT_A_ZIP, id="file over a directory"),
        pytest.param(archive(("n" * 256, "x")), NOT_A_ZIP, id="name too long"),
    ],
)
def test_a_bad_archive_is_refused_and_leaves_nothing(tmp_path, content, message):
    with pytest.raises(InvalidParameterValueException, match=f"^{message}$"):
        Packages(tmp_path).add(content)
    assert visible(tmp_path) == set()
    assert list((tmp_path / "tmp").iterdir()) == []


def test_nothing_is_written_through_a_link(tmp_path):
    (tmp_path / "outside").mkdir()
    up = "/".join([".."] * 4)  # code, its scratch directory, tmp, and the packages' own
    bad = archive(link("a", f"{up}/outside"), link("a/evil", "x"), link("a/b/evil", "x"))
    with pytest.raises(InvalidParameterValueException, match="Could not unzip"):
        Packages(tmp_path / "data").add(bad)
    assert list((tmp_path / "outside").iterdir()) == []


def test_an_archive_with_another_compression_is_refused(tmp_path):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_LZMA) as zipped:
        zipped.writestr("app.py", "x")
    with pytest.raises(InvalidParameterValueException, match="Could not unzip"):
        Packages(tmp_path).add(buffer.getvalue())


def test_an_encrypted_archive_is_refused(tmp_path):
    content = bytearray(archive(("app.py", "x")))
    content[6] |= 1  # the local header's flags
    content[content.index(b"PK\x01\x02") + 8] |= 1  # the directory's
    with pytest.raises(InvalidParameterValueException, match="Could not unzip"):
        Packages(tmp_path).add(bytes(content))


@pytest.mark.parametrize(("size", "accepted"), [(1000, True), (1001, False)])
def test_the_unpacked_size_is_limited(tmp_path, monkeypatch, size, accepted):
    monkeypatch.setattr(module, "UNZIPPED_BYTES_MAX", 1000)
    content = archive((entry("a"), "x" * 500), (entry("b"), "y" * (size - 500)))
    if accepted:
        Packages(tmp_path).add(content)
    else:
        with pytest.raises(InvalidParameterValueException, match="Unzipped size must be smaller"):
            Packages(tmp_path).add(content)


def test_the_message_names_the_limit_of_aws(tmp_path):
    content = archive((entry("zeros"), "\0" * (250 * 1024 * 1024 + 1)))
    with pytest.raises(InvalidParameterValueException) as raised:
        Packages(tmp_path).add(content)
    assert raised.value.message == "Unzipped size must be smaller than 262144000 bytes"


def test_a_zip_bomb_that_lies_about_its_size_is_refused(tmp_path):
    bomb = bytearray(archive((entry("zeros"), "\0" * 10_000_000)))
    place = bomb.index(b"PK\x01\x02") + 24
    bomb[place : place + 4] = struct.pack("<I", 10)
    with pytest.raises(InvalidParameterValueException, match="Could not unzip"):
        Packages(tmp_path).add(bytes(bomb))
    assert visible(tmp_path) == set()


def test_code_that_is_gone_is_unpacked_again(tmp_path):
    packages = Packages(tmp_path)
    package = packages.add(GOOD)
    packages.directory(package).rename(tmp_path / "elsewhere")
    assert (Packages(tmp_path).directory(package) / "app.py").is_file()


def test_a_package_that_was_never_added_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        Packages(tmp_path).directory(Package(sha256="AAAA", size=1))


# Ends itself without cleaning up just after the step that it is told.
CRASHING = """
import os, sys
from pathlib import Path
from albatross.store import packages

directory, step, archive = sys.argv[1:]
place, _, name = step.partition(".")
owner = {"os": os, "durable": packages.durable, "packages": packages}[place]
original = getattr(owner, name)

def die(*args):
    original(*args)
    os._exit(9)

setattr(owner, name, die)
packages.Packages(Path(directory)).add(Path(archive).read_bytes())
"""


STEPS = ["packages._unpack_file", "durable.write", "os.replace", "durable.sync"]


@pytest.mark.parametrize("step", STEPS)
def test_a_crash_while_adding_leaves_nothing_half_done(tmp_path, step):
    directory, good = tmp_path / "data", tmp_path / "good.zip"
    good.write_bytes(GOOD)
    packages = Packages(directory)
    crashed = subprocess.run([sys.executable, "-c", CRASHING, directory, step, good], check=False)
    assert crashed.returncode == 9
    whole = f"{hashlib.sha256(GOOD).hexdigest()}.zip"
    assert visible(directory) == ({whole} if step in STEPS[2:] else set())
    package = packages.add(GOOD)
    assert (packages.directory(package) / "lib" / "tool").is_file()


def test_collect_removes_what_nothing_refers_to(tmp_path):
    packages = Packages(tmp_path)
    kept, dropped = packages.add(GOOD), packages.add(archive(("other.py", "x")))
    packages.remove(packages.collect({kept.digest}, at_once=True))
    assert packages.archive(kept).is_file()
    assert packages.directory(kept).is_dir()
    assert not packages.archive(dropped).exists()
    assert len(visible(tmp_path)) == 2


def test_collect_removes_what_a_crash_left_but_not_work_in_progress(tmp_path):
    packages = Packages(tmp_path)
    (tmp_path / "tmp" / "old").mkdir()
    os.utime(tmp_path / "tmp" / "old", (0, 0))
    (tmp_path / "tmp" / "new").mkdir()
    packages.remove(packages.collect(set()))
    assert [path.name for path in (tmp_path / "tmp").iterdir()] == ["new"]


def test_collect_leaves_what_an_invocation_may_still_run_on(tmp_path):
    """Replaced code stays for longer than the longest invocation, from when that is first seen."""
    now_s = [1000.0]
    packages = Packages(tmp_path, clock=lambda: now_s[0])
    kept, dropped = packages.add(GOOD), packages.add(archive(("other.py", "x")))

    def collect() -> bool:
        """Return whether the package is still there, whole or not at all."""
        packages.remove(packages.collect({kept.digest}))
        there = packages.archive(dropped).exists()
        assert (tmp_path / "code" / dropped.digest).exists() is there
        return there

    assert collect()
    now_s[0] += UNUSED_S - 1
    assert collect()
    now_s[0] += 1
    assert not collect()
    assert packages.archive(kept).exists()


def test_a_package_that_is_used_again_has_all_its_time_again(tmp_path):
    now_s = [1000.0]
    packages = Packages(tmp_path, clock=lambda: now_s[0])
    package = packages.add(GOOD)
    packages.remove(packages.collect(set()))
    now_s[0] += UNUSED_S / 2
    packages.remove(packages.collect({package.digest}))
    now_s[0] += UNUSED_S - 1
    packages.remove(packages.collect(set()))
    assert packages.archive(package).exists()


def test_what_is_put_aside_can_be_added_again_at_once(tmp_path):
    packages = Packages(tmp_path)
    packages.add(GOOD)
    aside = packages.collect(set(), at_once=True)
    package = packages.add(GOOD)
    packages.remove(aside)
    assert packages.archive(package).is_file()
    assert packages.directory(package).is_dir()
    assert list((tmp_path / "tmp").iterdir()) == []


def test_merged_layers_go_as_packages_do(tmp_path):
    packages = Packages(tmp_path)
    for name in ("kept", "gone"):
        (tmp_path / "layers" / name).mkdir()
    packages.remove(packages.collect({"kept"}, at_once=True))
    assert [path.name for path in (tmp_path / "layers").iterdir()] == ["kept"]


def test_the_size_of_the_files_of_a_package_is_known(tmp_path):
    packages = Packages(tmp_path)
    package = packages.add(archive(("a", "x" * 1000), ("b", "yy")))
    assert packages.unpacked_bytes(package) == 1002
