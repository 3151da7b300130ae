"""From the proxy's notes to the files of each load balancer."""

import asyncio
import gzip
import logging

import pytest

from albatross.model.request_record import SEPARATOR, Choice, Entrance, Record
from albatross.telemetry.access_log import LATE_S, AccessLog
from albatross.telemetry.raw_log import RawLog
from albatross.telemetry.spool import Spool
from tests.support.envoy import Balancer

NOON_S = 1_545_307_200.0
ON = {"access_logs.s3.enabled": "true", "access_logs.s3.bucket": "logs"}


def balancer(name="web", **changes):
    return Balancer(name=name, attributes=ON | changes).resources(0)[0]


def note(of, path="/", *, is_malformed=False):
    """The line that the proxy writes of a request for the load balancer `of`."""
    usual = dict.fromkeys(Record._fields, "-") | {
        "entrance": Entrance(of.arn, of.dns_name, "http", "80").text(),
        "logged_at": "2018-12-20T12:00:00.000001Z",
        "started_at": "2018-12-20T12:00:00.000",
        "client": "127.0.0.1:1",
        "node": "127.0.0.1",
        "status": "400" if is_malformed else "200",
    }
    if not is_malformed:
        choice = Choice(of.arn, "http", "80", "0", "fixed-response", "-")
        usual |= {"choice": choice.text(), "method": "GET", "host": "a", "path": path}
    return SEPARATOR.join(Record(**usual))


class World:
    def __init__(self, folder):
        self.folder = folder
        self.raw = folder / "requests.log"
        self.now_s = NOON_S
        self.log = AccessLog(
            RawLog(self.raw, self.reopen),
            Spool(folder / "spool", folder / "s3", interval_s=300),
            clock=lambda: self.now_s,
        )

    async def reopen(self):
        self.raw.touch()

    def write(self, *notes):
        with self.raw.open("a", encoding="latin-1") as file:
            file.writelines(f"{one}\n" for one in notes)

    def turn(self, at_s=None):
        self.now_s = at_s or self.now_s
        asyncio.run(self.log.turn())

    def files(self):
        """The lines of each file by its load balancer."""
        return {
            path.name.split("_")[3]: gzip.decompress(path.read_bytes()).decode().splitlines()
            for path in sorted((self.folder / "s3").rglob("*.log.gz"))
        }


@pytest.fixture
def world(tmp_path):
    return World(tmp_path)


def test_lines_go_to_the_file_of_their_load_balancer(world):
    world.log.follow([balancer("a"), balancer("b")])
    world.write(note(balancer("a"), "/1"), note(balancer("b"), "/2"), note(balancer("a"), "/3"))
    world.turn()
    world.turn(NOON_S + 300)
    files = world.files()
    assert [line.split(":80/")[1][0] for line in files["app.a.1"]] == ["1", "3"]
    assert len(files["app.b.1"]) == 1


def test_malformed_requests_are_the_oldest_load_balancers(world):
    world.log.follow([balancer("a")])
    world.write(note(balancer("a"), is_malformed=True))
    asyncio.run(world.log.close())
    assert '"- http://a-1.us-east-1.elb.localhost:80- -"' in world.files()["app.a.1"][0]


def test_others_on_the_same_socket_have_no_lines(world):
    world.log.follow([balancer("a")])
    world.write(note(balancer("quiet")))
    asyncio.run(world.log.close())
    assert world.files() == {}


@pytest.mark.parametrize(("after_s", "lines"), [(LATE_S - 1, 1), (LATE_S + 1, 0)])
def test_notes_of_a_log_that_was_just_turned_off_still_count(world, after_s, lines):
    world.log.follow([balancer("a")])
    world.log.follow([])
    world.now_s += after_s
    world.log.follow([])
    world.write(note(balancer("a")))
    asyncio.run(world.log.close())
    assert len(world.files().get("app.a.1", [])) == lines


def test_the_test_file_is_there_as_soon_as_the_log_is_on(world):
    world.log.follow([balancer("a", **{"access_logs.s3.prefix": "p"})])
    assert (world.folder / "s3/logs/p/AWSLogs/123456789012/ELBAccessLogTestFile").exists()


def test_a_bucket_that_cannot_be_written_harms_no_other(world, caplog):
    (world.folder / "s3").mkdir()
    (world.folder / "s3/full").write_text("a file where the bucket should be")
    (world.folder / "spool").mkdir()
    (world.folder / "spool/full").write_text("here too")
    with caplog.at_level(logging.WARNING):
        world.log.follow([balancer("a", **{"access_logs.s3.bucket": "full"}), balancer("b")])
        world.write(note(balancer("a")), note(balancer("b")))
        asyncio.run(world.log.close())
    assert world.files().keys() == {"app.b.1"}
    assert "full" in caplog.text


def test_what_is_no_record_is_said_once_and_left_out(world, caplog):
    world.log.follow([balancer("a")])
    world.write("rubbish", "rubbish", note(balancer("a")))
    world.write(note(balancer("a")).replace("127.0.0.1:1", "127.0.0.1:1\x1f"))
    world.write(note(balancer("a")).replace(" http 80 0 fixed-response -", ""))
    with caplog.at_level(logging.WARNING):
        asyncio.run(world.log.close())
    assert len(world.files()["app.a.1"]) == 1
    assert caplog.text.count("'rubbish'") == 1
