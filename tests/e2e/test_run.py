"""`albatross run` as a user sees it: the first answer, the terminal, a change of code, the end."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.support.command import ALBATROSS, Place, free_port, get, is_alive, listens, place, until
from tests.support.running import running

pytestmark = pytest.mark.timeout(60)

CODE = """
import os
print("loaded")
def handler(event, context):
    print("asked for", event["path"])
    if event["path"] == "/boom":
        raise ValueError("on purpose")
    keys = "multiValueHeaders" if "multiValueHeaders" in event else "headers"
    return {"statusCode": 200, "body": os.environ.get("GREETING", "none") + " " + keys}
"""


@pytest.fixture
def where() -> Iterator[Place]:
    with place() as where:
        (where.folder / "app.py").write_text(CODE)
        yield where


@dataclass
class Ended:
    """A run that was interrupted after two requests, beside modules with the names of ours."""

    printed: str
    answers: list[tuple[int, str]]
    status: int
    processes: list[int]
    port: int
    place: Place


@pytest.fixture(scope="module")
def ended() -> Iterator[Ended]:
    with place() as where:
        (where.folder / "app.py").write_text(CODE)
        for name in ("click", "uvicorn", "grpc", "sqlalchemy", "h11", "uvloop"):
            (where.folder / f"{name}.py").write_text("raise SystemExit('the wrong module')\n")
        with running(where, "app.handler") as command:
            until(lambda: "answers on" in command.printed())
            answers = [get(command.port, "/a?b=c"), get(command.port, "/boom")]
            until(lambda: "Traceback" in command.printed())
            (run_dir,) = where.run_directories()
            noted = json.loads((run_dir / "processes.json").read_text())
            command.process.send_signal(signal.SIGINT)
            status = command.process.wait(10)
        pids = [one["pid"] for one in noted.values()]
        yield Ended(command.printed(), answers, status, pids, command.port, where)


def test_the_terminal_shows_requests_with_what_they_printed(ended):
    text = ended.printed
    assert text.startswith(f"app.handler (python3.{sys.version_info.minor}) answers on http://")
    ok, boom = text.index("GET /a?b=c 200 "), text.index("GET /boom 502 ")
    assert ok < text.index("  | asked for /a\n") < boom
    assert boom < text.index("  LambdaUnhandled: ValueError: on purpose (app.py:7, in handler)\n")
    assert boom < text.index("  | asked for /boom\n")
    assert "\x1b" not in text, "no colours where the output is no terminal"


def test_modules_of_the_users_directory_do_not_shadow_ours(ended):
    (ok, text), (failed, _) = ended.answers
    assert (ok, text, failed) == (200, "none headers", 502)
    assert "the wrong module" not in ended.printed


def test_the_end_leaves_no_process_and_no_file(ended):
    assert ended.status == 0
    assert not any(map(is_alive, ended.processes))
    assert ended.place.run_directories() == []
    assert not listens(ended.port)


def test_options_reach_the_function(where):
    with running(where, ".", "--env", "GREETING=hello", "--multi-value-headers", "-v") as command:
        until(lambda: get(command.port)[0] == 200)
        assert get(command.port) == (200, "hello multiValueHeaders")
        until(lambda: '"multiValueHeaders"' in command.printed())
        assert "AWS API on http://127.0.0.1:" in command.printed()


def test_code_that_cannot_be_loaded_is_explained_and_each_change_is_served_at_once(where):
    (where.folder / "app.py").write_text("import nothing_like_this\n" + CODE)
    with running(where, "app.py") as command:
        until(lambda: get(command.port)[0] == 502)
        until(lambda: "No module named 'nothing_like_this'" in command.printed())
        (where.folder / "app.py").write_text(CODE)
        until(lambda: get(command.port) == (200, "none headers"))
        (where.folder / "app.py").write_text(CODE.replace('"none"', '"changed"'))
        until(lambda: get(command.port) == (200, "changed headers"))
        assert "code has changed" in command.printed()


@pytest.mark.skipif(shutil.which("node") is None, reason="needs Node.js")
def test_a_javascript_module_is_served(where):
    (where.folder / "index.mjs").write_text(
        "export const handler = async (event) => ({statusCode: 201, body: event.httpMethod})\n"
    )
    with running(where, "index.mjs") as command:
        until(lambda: get(command.port) == (201, "GET"))


def test_the_first_ctrl_c_lets_requests_finish_and_the_second_ends_them(where):
    slow = "import time\n" + CODE.replace("    keys", "    time.sleep(60)\n    keys")
    (where.folder / "app.py").write_text(slow)
    with running(where, "app.py") as command:
        until(lambda: "answers on" in command.printed())
        asked = threading.Thread(target=get, args=(command.port,), daemon=True)
        asked.start()
        until(lambda: "asked for" in command.printed())
        command.process.send_signal(signal.SIGINT)
        until(lambda: "finishing requests, for 25 s at most; Ctrl-C: at once" in command.printed())
        assert command.process.poll() is None
        command.process.send_signal(signal.SIGINT)
        assert command.process.wait(10) == 0
        asked.join(10)
        assert not asked.is_alive()


def test_a_bootstrap_is_served_and_reloaded(where):
    source = (
        f"#!{sys.executable}\nimport os, urllib.request as http\n"
        "api = 'http://' + os.environ['AWS_LAMBDA_RUNTIME_API']\n"
        "api += '/2018-06-01/runtime/invocation/'\n"
        "while True:\n"
        "    request_id = http.urlopen(api + 'next').headers['Lambda-Runtime-Aws-Request-Id']\n"
        '    answer = b\'{"statusCode": 200, "body": "first"}\'\n'
        "    http.urlopen(http.Request(api + request_id + '/response', answer))\n"
    )
    folder = where.folder / "provided"
    folder.mkdir()
    bootstrap = folder / "bootstrap"
    bootstrap.write_text(source)
    bootstrap.chmod(0o755)
    with running(where, "provided") as command:
        until(lambda: get(command.port) == (200, "first"))
        bootstrap.write_text(source.replace("first", "second"))
        until(lambda: get(command.port) == (200, "second"))


def test_a_port_in_use_is_refused_with_its_owner(where):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        done = where.call("run", "app.py", "--port", str(port))
    assert done.returncode == 1
    assert done.stderr.startswith(f"Error: Port {port} on 127.0.0.1 is in use by ")
    assert f"(pid {os.getpid()})" in done.stderr
    assert where.run_directories() == []


def test_a_shell_may_close_all_standard_files(where):
    port = free_port()
    command = [*ALBATROSS, "run", "app.py", "--port", str(port)]
    closed = ["sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh", *command]
    process = subprocess.Popen(closed, env=where.environment(), cwd=where.folder)
    try:
        until(lambda: listens(port) and get(port)[0] == 200)
    finally:
        process.send_signal(signal.SIGINT)
        assert process.wait(10) == 0
