"""What a data directory says of itself."""

import json

import pytest

from albatross.store import directory
from albatross.store.directory import FILE, VERSION
from albatross.store.engine import UnusableData


def test_a_directory_is_of_one_database(tmp_path):
    directory.bind(tmp_path, "one")
    directory.bind(tmp_path, "one")
    with pytest.raises(UnusableData, match=r"belongs to another database.*--data-dir"):
        directory.bind(tmp_path, "two")
    (tmp_path / FILE).unlink()
    directory.bind(tmp_path, "two")


def test_a_new_directory_and_one_of_a_version_without_the_file_are_known(tmp_path):
    directory.require_known(tmp_path)
    directory.bind(tmp_path, "one")
    directory.require_known(tmp_path)
    assert json.loads((tmp_path / FILE).read_text()) == {"version": VERSION, "store_id": "one"}


def test_a_directory_of_a_newer_version_is_refused(tmp_path):
    (tmp_path / FILE).write_text(json.dumps({"version": VERSION + 1, "layout": "unknown"}))
    with pytest.raises(UnusableData, match=r"written by a newer Albatross .*--data-dir"):
        directory.require_known(tmp_path)


@pytest.mark.parametrize("text", ["", "[]", "{", '{"version": "2"}'])
def test_a_file_that_says_nothing_is_refused(tmp_path, text):
    (tmp_path / FILE).write_text(text)
    with pytest.raises(UnusableData, match=FILE):
        directory.require_known(tmp_path)
