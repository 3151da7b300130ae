"""Log files in the making."""

import gzip
from pathlib import Path

import pytest

from albatross.telemetry.destination import Destination
from albatross.telemetry.spool import Spool

TO = Destination(
    "arn:aws:elasticloadbalancing:us-east-1:123456789012:loadbalancer/app/a/0123456789abcdef",
    "logs",
    "",
)
OTHER = Destination(TO.load_balancer.replace("/a/", "/b/"), "logs", "b")
NODE = "127.0.0.1"
NOON_S = 1_545_307_200  # 2018-12-20T12:00:00Z


def finished(folder: Path) -> dict[str, list[str]]:
    """The lines of each finished file by the end of its interval."""
    return {
        path.name.split("_")[4]: gzip.decompress(path.read_bytes()).decode().splitlines()
        for path in sorted(folder.rglob("*.log.gz"))
    }


def make(folder: Path) -> Spool:
    return Spool(folder / "spool", folder / "s3", interval_s=300)


def test_lines_of_an_interval_are_one_file_when_it_is_over(tmp_path):
    spool = make(tmp_path)
    spool.finish_due(NOON_S + 10)
    spool.append(TO, NODE, ["one"])
    spool.finish_due(NOON_S + 20)
    spool.append(TO, NODE, ["two", "three"])
    spool.finish_due(NOON_S + 299)
    assert finished(tmp_path / "s3") == {}
    spool.finish_due(NOON_S + 300)
    assert finished(tmp_path / "s3") == {"20181220T1205Z": ["one", "two", "three"]}
    spool.append(TO, NODE, ["four"])
    spool.finish_due(NOON_S + 1000)
    assert finished(tmp_path / "s3")["20181220T1210Z"] == ["four"]


def test_each_load_balancer_and_node_has_its_file(tmp_path):
    spool = make(tmp_path)
    spool.finish_due(NOON_S)
    spool.append(TO, NODE, ["a"])
    spool.append(OTHER, NODE, ["b"])
    spool.append(TO, "127.0.0.2", ["c"])
    spool.finish()
    assert len(list((tmp_path / "s3").rglob("*.log.gz"))) == 3
    (of_other,) = (tmp_path / "s3/logs/b").rglob("*.log.gz")
    assert gzip.decompress(of_other.read_bytes()) == b"b\n"


def test_an_interval_without_requests_has_no_file(tmp_path):
    spool = make(tmp_path)
    spool.finish_due(NOON_S)
    spool.finish_due(NOON_S + 600)
    assert finished(tmp_path / "s3") == {}


def test_what_a_killed_process_left_is_completed_by_the_next(tmp_path):
    killed = make(tmp_path)
    killed.finish_due(NOON_S)
    killed.append(TO, NODE, ["one"])
    make(tmp_path).finish_due(NOON_S + 5)
    assert finished(tmp_path / "s3") == {"20181220T1205Z": ["one"]}
    assert not list((tmp_path / "spool").rglob("*.gz"))


def test_a_file_that_cannot_be_completed_stays_and_holds_up_no_other(tmp_path):
    spool = make(tmp_path)
    spool.finish_due(NOON_S)
    spool.append(TO, NODE, ["one"])
    spool.append(OTHER, NODE, ["two"])
    in_the_way = tmp_path / "s3/logs/AWSLogs"
    in_the_way.parent.mkdir(parents=True)
    in_the_way.write_text("no directory")
    with pytest.raises(OSError, match="AWSLogs"):
        spool.finish()
    assert finished(tmp_path / "s3") == {"20181220T1205Z": ["two"]}
    in_the_way.unlink()
    spool.finish()
    assert len(list((tmp_path / "s3").rglob("*.log.gz"))) == 2


def test_nothing_is_seen_of_a_file_before_it_is_whole(tmp_path):
    spool = make(tmp_path)
    spool.finish_due(NOON_S)
    spool.append(TO, NODE, ["one"])
    spool.finish()
    names = [path.name for path in (tmp_path / "s3").rglob("*") if path.is_file()]
    assert len(names) == 1
    assert names[0].endswith(".log.gz")


def test_the_test_file_is_written_once(tmp_path):
    spool = make(tmp_path)
    spool.write_test_file(TO, NOON_S)
    path = tmp_path / "s3/logs/AWSLogs/123456789012/ELBAccessLogTestFile"
    first = path.read_text()
    assert "app/a/0123456789abcdef" in first
    spool.write_test_file(TO, NOON_S + 60)
    assert path.read_text() == first
