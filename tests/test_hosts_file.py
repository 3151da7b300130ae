"""The hosts file: our lines between two marks, everything else as it was."""

import os
from pathlib import Path

import pytest

from albatross import hosts_file
from albatross.hosts_file import BEGIN, END

ENTRIES = ["127.0.0.1 web-1.us-east-1.elb.localhost", "127.0.0.1 api-2.us-east-1.elb.localhost"]
BLOCK = "\n".join([BEGIN, *ENTRIES, END]) + "\n"


def test_lines_are_address_and_name():
    assert hosts_file.lines([("web.localhost", "127.0.0.1")]) == ["127.0.0.1 web.localhost"]


@pytest.mark.parametrize(
    ("before", "entries", "after"),
    [
        pytest.param("", ENTRIES, BLOCK, id="an empty file"),
        pytest.param("127.0.0.1 localhost\n", ENTRIES, "127.0.0.1 localhost\n" + BLOCK, id="added"),
        pytest.param("127.0.0.1 a", ENTRIES, "127.0.0.1 a\n" + BLOCK, id="no newline at the end"),
        pytest.param(
            f"a\n{BEGIN}\nold\n{END}\nb\n", ENTRIES, f"a\n{BLOCK}b\n", id="replaced in its place"
        ),
        pytest.param(f"a\n{BEGIN}\nold\n{END}\nb\n", [], "a\nb\n", id="removed with its marks"),
        pytest.param("a\n", [], "a\n", id="nothing to do"),
        pytest.param(
            f"a\n{BEGIN}\nmine\n", ENTRIES, f"a\nmine\n{BLOCK}", id="the second mark is gone"
        ),
    ],
)
def test_only_the_block_changes(before, entries, after):
    assert hosts_file.render(before, entries) == after
    assert hosts_file.render(after, entries) == after


def test_update_writes_once_and_keeps_mode(tmp_path):
    path = tmp_path / "hosts"
    path.write_bytes(b"127.0.0.1 localhost # \xff\n")
    path.chmod(0o640)
    assert hosts_file.update(str(path), ENTRIES)
    assert not hosts_file.update(str(path), ENTRIES)
    assert path.read_bytes() == b"127.0.0.1 localhost # \xff\n" + BLOCK.encode()
    assert path.stat().st_mode & 0o777 == 0o640
    assert os.listdir(tmp_path) == ["hosts"]


def test_a_link_stays_a_link(tmp_path):
    (tmp_path / "real").write_text("")
    (tmp_path / "link").symlink_to("real")
    hosts_file.update(str(tmp_path / "link"), ENTRIES)
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_text() == BLOCK


def test_a_file_that_is_a_mount_is_written_in_place(tmp_path, monkeypatch):
    def busy(*_: object) -> None:
        raise OSError("device or resource busy")

    monkeypatch.setattr(os, "replace", busy)
    path = tmp_path / "hosts"
    path.write_text("a\n" + BLOCK)
    hosts_file.update(str(path), [])
    assert path.read_text() == "a\n"
    assert os.listdir(tmp_path) == ["hosts"]


def test_a_file_that_is_missing_is_made_only_when_there_is_something_to_say(tmp_path):
    path: Path = tmp_path / "hosts"
    assert not hosts_file.update(str(path), [])
    assert not path.exists()
    assert hosts_file.update(str(path), ENTRIES)
    assert path.read_text() == BLOCK


def test_an_error_names_the_hosts_file(tmp_path):
    path = tmp_path / "missing" / "hosts"
    with pytest.raises(FileNotFoundError) as raised:
        hosts_file.update(str(path), ["127.0.0.1 a"])
    assert raised.value.filename == str(path)
