"""Log groups on disk: what is written is read, by time, whatever happens in between."""

from pathlib import Path

import pytest

from albatross.log_store import append, read
from albatross.log_store.append import API, HOST, Appender
from albatross.log_store.files import DAY_MS, LogFiles, OpenGroup
from albatross.log_store.group import Group
from albatross.log_store.keep import Keeper
from albatross.log_store.place import group_directory
from albatross.log_store.read import Effort, Position
from albatross.log_store.record import MS_MAX, Entry
from albatross.log_store.segment import Segment
from albatross.model.arn import Scope

SCOPE = Scope("123456789012", "us-east-1")
T = 1_700_000_000_000


def entry(ms: int, message: str, stream: str = "s") -> Entry:
    return stream, T, T + ms, message.encode(), False


@pytest.fixture
def files(tmp_path: Path) -> LogFiles:
    return LogFiles(tmp_path, clock_ms=lambda: T + 1000)


@pytest.fixture
def writer(files: LogFiles) -> Appender:
    return Appender(group_directory(files.root, SCOPE, "/g"), "/g", HOST)


def opened(files: LogFiles) -> OpenGroup:
    found = files.group(SCOPE, "/g")
    assert found is not None
    return found


def messages(files: LogFiles, streams: set[str] | None = None) -> list[str]:
    segments = opened(files).refresh()
    ahead = [e.message for e in read.forward(segments, Position(0), MS_MAX, streams)]
    back = [e.message for e in read.backward(segments, Position(MS_MAX), 0, streams)]
    assert back == ahead[::-1]
    return ahead


@pytest.mark.parametrize(
    "message", ["line\n", "no end", "", "\n", "two\nlines", 'a "quote"\\\n', "å\r\x00", "n\n\n"]
)
def test_a_message_is_read_as_it_was_written(files, writer, message: str) -> None:
    writer.append([entry(0, message), entry(1, "next\n")], T)
    assert messages(files) == [message, "next\n"]


def test_events_of_two_writers_come_by_time(files, writer) -> None:
    writer.append([entry(1, "1"), entry(5, "5")], T)
    other = Appender(group_directory(files.root, SCOPE, "/g"), "/g", API)
    other.append([entry(3, "3", "t"), entry(2, "2", "t")], T)
    assert messages(files) == ["1", "2", "3", "5"]
    assert messages(files, {"t"}) == ["2", "3"]
    assert messages(files, {"u"}) == []


def test_what_is_written_while_it_is_read_is_seen_next_time(files, writer) -> None:
    for number in range(5):
        writer.append([entry(number, str(number))], T)
        assert messages(files) == [str(n) for n in range(number + 1)]


def test_a_record_that_a_crash_has_cut_off_is_all_that_is_lost(files, writer) -> None:
    writer.append([entry(1, "1"), entry(2, "lost")], T)
    (path,) = opened(files).directory.glob("*.log")
    path.write_bytes(path.read_bytes()[:-8])
    again = Appender(group_directory(files.root, SCOPE, "/g"), "/g", HOST)
    again.append([entry(3, "3"), entry(4, "4", "new")], T)
    assert messages(LogFiles(files.root))[::2] == ["1", "4"]
    assert "3" in messages(LogFiles(files.root), {"s"})
    assert len(list(opened(files).directory.glob("*.log"))) == 1


def test_a_group_that_is_deleted_is_made_again_by_who_writes(files, writer) -> None:
    writer.append([entry(1, "1")], T)
    files.delete(opened(files))
    assert files.group(SCOPE, "/g") is None
    writer.append([entry(2, "2")], T)
    assert messages(files) == ["2"]


def fill(writer: Appender, monkeypatch: pytest.MonkeyPatch, segments: int) -> None:
    monkeypatch.setattr(append, "SEGMENT_BYTES", 300_000)
    monkeypatch.setattr("albatross.log_store.keep.SEGMENT_BYTES", 300_000)
    for number in range(segments):
        batch = [entry(number * 4000 + n, "x" * 90 + str(n), f"s{number}") for n in range(3000)]
        writer.append(batch, T + number)


def test_little_is_read_for_a_part_of_much(files, writer, monkeypatch) -> None:
    fill(writer, monkeypatch, 8)
    Keeper(files, group_bytes_max=2**40, bytes_max=2**40).look()
    fresh = LogFiles(files.root)
    looked: list[int] = []
    monkeypatch.setattr(Segment, "_look", lambda self, data: looked.append(len(data)))
    segments = opened(fresh).refresh()
    assert not looked  # the indexes say it all
    effort = Effort(2**40)
    found = list(read.forward(segments, Position(T + 8000), T + 8010, None, effort))
    assert [event.ms - T for event in found] == list(range(8000, 8010))
    assert effort.bytes_read < 200_000
    effort = Effort(2**40)
    assert len(list(read.forward(segments, Position(0), MS_MAX, {"s5"}, effort))) == 3000
    assert effort.bytes_read < 500_000


def test_a_search_that_has_read_enough_goes_on_where_it_stopped(files, writer, monkeypatch) -> None:
    fill(writer, monkeypatch, 3)
    segments = opened(files).refresh()
    for way in ("forward", "backward"):
        found, calls = 0, 0
        position: Position | None = Position(0) if way == "forward" else Position(MS_MAX)
        while position is not None:
            effort = Effort(100_000)
            if way == "forward":
                events = read.forward(segments, position, MS_MAX, None, effort)
            else:
                events = read.backward(segments, position, 0, None, effort)
            found += len(list(events))
            calls += 1
            position = effort.stopped
        assert (found, calls > 5) == (9000, True)


def test_the_oldest_go_beyond_the_room_there_is(files, writer, monkeypatch) -> None:
    fill(writer, monkeypatch, 6)
    directory = opened(files).directory
    keeper = Keeper(files, group_bytes_max=1_000_000, bytes_max=2**40)
    keeper.look()
    assert sum(path.stat().st_size for path in directory.glob("*.log")) <= 1_000_000
    assert messages(files, {"s5"})
    assert not messages(files, {"s0"})
    keeper = Keeper(files, group_bytes_max=2**40, bytes_max=400_000)
    keeper.look()
    assert sum(path.stat().st_size for path in directory.glob("*")) <= 420_000


def test_segments_that_are_indexed_stay_in_memory_no_longer_than_that(
    files, writer, monkeypatch
) -> None:
    fill(writer, monkeypatch, 6)
    Keeper(files, group_bytes_max=2**40, bytes_max=2**40).look()
    found = opened(files)
    assert len(list(found.directory.glob("*.index"))) >= 5
    assert not found.segments
    assert messages(files, {"s5"})  # who reads them has them


def test_what_has_expired_is_removed(files, writer, monkeypatch) -> None:
    import os

    fill(writer, monkeypatch, 2)
    files.change(opened(files), retention_days=1)
    files.now_ms = lambda: T + DAY_MS + 3500
    monkeypatch.setattr("albatross.log_store.keep._QUIET_S", -1.0)
    Keeper(files, group_bytes_max=2**40, bytes_max=2**40).look()
    assert {path.name[:13] for path in opened(files).directory.glob("*.log")} == {str(T + 1)}
    assert os.path.exists(opened(files).directory)


def test_names_of_groups_are_told_apart_however_long(files) -> None:
    names = ["/a/b", "a/b", ".a", "x" * 512, "x" * 511 + "y", "a#b", "a.b"]
    for name in names:
        assert files.create(SCOPE, Group(name=name, created_ms=T))
        assert not files.create(SCOPE, Group(name=name, created_ms=T))
    assert [each.group.name for each in files.groups(SCOPE)] == sorted(names)
    assert files.groups(Scope("999999999999", "us-east-1")) == []
