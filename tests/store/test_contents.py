"""Files kept by their content."""

from hashlib import sha256
from pathlib import Path

import pytest

from albatross.store.contents import Contents


@pytest.fixture
def contents(tmp_path: Path) -> Contents:
    return Contents(tmp_path)


def files(folder: Path) -> set[str]:
    return {path.name for path in (folder / "trust").iterdir()}


def test_a_content_is_kept_once_under_its_hash(contents: Contents, tmp_path: Path) -> None:
    digest = contents.add(b"one")
    assert digest == contents.add(b"one") == sha256(b"one").hexdigest()
    assert contents.path(digest).read_bytes() == b"one"
    assert files(tmp_path) == {digest}


def test_several_are_joined_in_their_order_and_one_is_itself(contents: Contents) -> None:
    one, two = contents.add(b"one"), contents.add(b"two")
    joined = contents.joined([two, one])
    assert joined.read_bytes() == b"twoone"
    assert contents.joined([two, one]) == joined
    assert contents.joined([one, two]) != joined
    assert contents.joined([one]) == contents.path(one)
    with pytest.raises(OSError):
        contents.joined([one, "0" * 64])


def test_what_is_not_in_use_is_removed(contents: Contents, tmp_path: Path) -> None:
    one, two = contents.add(b"one"), contents.add(b"two")
    contents.joined([one, two])
    contents.collect({one})
    assert files(tmp_path) == {one}


def test_others_cannot_read_it(contents: Contents) -> None:
    assert contents.path(contents.add(b"one")).stat().st_mode & 0o077 == 0
