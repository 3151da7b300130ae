"""`albatross run --debug`: a real debugger attaches, stops a request, and lets it go on."""

import json
import shutil
import socket
import sys
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from websockets.sync.client import connect

from tests.support.command import Place, free_port, get, place, until
from tests.support.dap import Debugger
from tests.support.running import Running, running

pytestmark = pytest.mark.timeout(120)

PYTHON = """\
def handler(event, context):
    word = "hello"
    return {"statusCode": 200, "body": word + event["path"]}
"""
NODE = """\
export const handler = async (event) => {
  let word = 'hello'
  return { statusCode: 200, body: word + event.path }
}
"""


@pytest.fixture
def where() -> Iterator[Place]:
    with place() as where:
        (where.folder / "code").mkdir()  # the server's own files are beside it
        yield where


class Asked(threading.Thread):
    """A request that is under way."""

    def __init__(self, command: Running, path: str) -> None:
        super().__init__(daemon=True)
        self._port, self._path = command.port, path
        self.answer: tuple[int, str] | None = None
        self.start()

    def run(self) -> None:
        self.answer = get(self._port, self._path)

    def result(self) -> tuple[int, str] | None:
        self.join(30)
        return self.answer


def stop_and_change(debugger: Debugger, path: Path, command: Running, word: str) -> Asked:
    """Stop a request in line 3, give its variable another value, and let it go on."""
    debugger.attach({str(path): [3]})
    asked = Asked(command, "/a")
    thread = debugger.event("stopped")["threadId"]
    assert asked.answer is None
    frame = debugger.ask("stackTrace", threadId=thread)["stackFrames"][0]
    assert (Path(frame["source"]["path"]).name, frame["line"]) == ("app.py", 3)
    debugger.ask("evaluate", expression=f"word = {word!r}", frameId=frame["id"], context="repl")
    debugger.ask("continue", threadId=thread)
    asked.join(30)
    return asked


def test_a_python_debugger_stops_a_request_also_after_a_reload(where):
    path, port = where.folder / "code" / "app.py", free_port()
    path.write_text(PYTHON)
    flags = ("--debug", str(port), "--timeout", "1", "--json")
    with running(where, "code/app.py", *flags) as command:
        until(command.events)
        assert command.events()[0]["debug_port"] == port
        until(lambda: {"type": "debugger", "port": port} in command.events(), seconds=60)
        assert get(command.port, "/") == (200, "hello/")
        with closing(Debugger(port)) as debugger:
            assert stop_and_change(debugger, path, command, "bye").answer == (200, "bye/a")
            path.write_text(PYTHON.replace('"hello"', '"again"'))
            assert get(command.port, "/") == (200, "again/")  # though the editor holds on
        with closing(Debugger(port)) as debugger:
            assert stop_and_change(debugger, path, command, "tea").answer == (200, "tea/a")


def test_with_debug_wait_the_code_is_loaded_when_a_debugger_is_there(where):
    path, port = where.folder / "code" / "app.py", free_port()
    path.write_text(f"print('loaded')\n{PYTHON}")
    with running(where, "code/app.py", "--debug", str(port), "--debug-wait", "--json") as command:
        until(command.events)
        asked = Asked(command, "/w")
        with closing(until(lambda: _debugger(port))) as debugger:
            assert not [each for each in command.events() if each["type"] == "log"]
            debugger.attach({str(path): [2]})
            debugger.ask("continue", threadId=debugger.event("stopped")["threadId"])
            assert asked.result() == (200, "hello/w")


def _debugger(port: int) -> Debugger | None:
    try:
        return Debugger(port)
    except ConnectionError:
        return None


@pytest.mark.skipif(shutil.which("node") is None, reason="needs Node.js")
def test_the_inspector_of_node_stops_a_request(where):
    (where.folder / "code" / "index.mjs").write_text(NODE)
    port = free_port()
    with running(where, "code/index.mjs", "--debug", str(port), "--timeout", "1") as command:
        until(lambda: f"a debugger can attach to 127.0.0.1:{port}" in command.printed(), seconds=60)
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/json/list", timeout=10) as answer:
            (target,) = json.loads(answer.read())
        with connect(target["webSocketDebuggerUrl"]) as inspector:
            call(inspector, 1, "Debugger.enable")
            call(
                *(inspector, 2, "Debugger.setBreakpointByUrl"),
                lineNumber=2,
                urlRegex=".*index\\.mjs",
            )
            asked = Asked(command, "/a")
            paused = event(inspector, "Debugger.paused")
            assert asked.answer is None
            frame = paused["callFrames"][0]["callFrameId"]
            expression = "word = 'bye'"
            call(
                *(inspector, 3, "Debugger.evaluateOnCallFrame"),
                callFrameId=frame,
                expression=expression,
            )
            call(inspector, 4, "Debugger.resume")
            assert asked.result() == (200, "bye/a")


def call(inspector: Any, number: int, method: str, **params: Any) -> None:
    inspector.send(json.dumps({"id": number, "method": method, "params": params}))
    while json.loads(inspector.recv(timeout=30)).get("id") != number:
        pass


def event(inspector: Any, name: str) -> Any:
    while (message := json.loads(inspector.recv(timeout=30))).get("method") != name:
        pass
    return message["params"]


def test_a_port_in_use_and_a_runtime_without_a_debugger_are_refused(where):
    (where.folder / "code" / "app.py").write_text(PYTHON)
    with socket.create_server(("127.0.0.1", 0)) as other:
        used = where.call("run", "code/app.py", "--debug", str(other.getsockname()[1]))
    assert (used.returncode, "--debug: Port" in used.stderr) == (1, True)
    bootstrap = where.folder / "code" / "bootstrap"
    bootstrap.write_text(f"#!{sys.executable}\n")
    bootstrap.chmod(0o755)
    refused = where.call("run", "code/bootstrap", "--debug")
    assert (
        refused.stderr == "Error: --debug: there is no debugger for the runtime provided.al2023.\n"
    )
