"""A server whose PostgreSQL goes away: requests are served, and no change is lost."""

import json
import os
import signal
import threading

from tests.support.command import (
    Place,
    fixed,
    free_port,
    get,
    make_balancer,
    make_listener,
    place,
    serving,
    until,
)
from tests.support.postgresql import postgresql


def test_requests_are_served_while_the_database_is_away_and_calls_go_on_after_it():
    with (
        postgresql() as database,
        place() as where,
        serving(where, "--database", database.url(), "--log-level", "error") as server,
    ):
        elb, port = server.client("elbv2"), free_port()
        listener = make_listener(server, make_balancer(server, "web"), port, fixed("one"))
        database.kill()
        assert get(port) == (200, "one")
        restart = threading.Timer(0.5, database.start)
        restart.start()
        elb.modify_listener(ListenerArn=listener, DefaultActions=fixed("two"))
        restart.join()
        assert get(port) == (200, "two")

        database.stop()
        before = server.pids()["control"]
        os.kill(before, signal.SIGKILL)
        until(lambda: _control(where) not in (before, 0))
        assert get(port) == (200, "two"), "its successor waits, and the proxy goes on"
        database.start()
        server.until_ready()
        elb.modify_listener(ListenerArn=listener, DefaultActions=fixed("three"))
        assert get(port) == (200, "three")
        assert server.process.poll() is None


def _control(where: Place) -> int:
    """Return the pid of the control plane, also while it does not answer."""
    (run_dir,) = where.run_directories()
    noted = json.loads((run_dir / "processes.json").read_text())
    pid: int = noted["control"]["pid"]
    return pid
