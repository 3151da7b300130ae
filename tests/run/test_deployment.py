"""What the terminal shows of requests."""

import asyncio
import errno
import io
import json
from collections.abc import AsyncIterator, Iterable
from dataclasses import replace
from typing import Any

import pytest

from albatross.config import RunSpec
from albatross.run import terminal
from albatross.run.terminal import Terminal
from albatross.run.view import View
from albatross.xds.refusals import Refusal

SPEC = RunSpec(directory="/code", handler="app.handler", runtime="python3.11", port=8080)


def request(**changes: Any) -> dict[str, Any]:
    event = {
        "type": "request",
        "id": "r1",
        "function": "app",
        "method": "GET",
        "path": "/a?b=c",
        "status": 200,
        "duration_ms": 12.34,
        "cold": False,
        "error_reason": None,
        "detail": None,
    }
    return event | changes


def log(text: str, request_id: str | None = "r1") -> dict[str, Any]:
    return {"type": "log", "function": "app", "request_id": request_id, "text": text}


def shown(*events: dict[str, Any], verbose: bool = False, colour: bool = False) -> str:
    view = View(verbose=verbose, colour=colour)
    return "".join(map(view.text, events)) + view.flush()


@pytest.mark.parametrize(
    ("event", "text"),
    [
        pytest.param(request(), "GET /a?b=c 200 12 ms\n", id="a request"),
        pytest.param(request(cold=True), "GET /a?b=c 200 12 ms cold\n", id="a cold start"),
        pytest.param(
            request(status=502, error_reason="LambdaUnhandled", detail="ValueError: no"),
            "GET /a?b=c 502 12 ms\n  LambdaUnhandled: ValueError: no\n",
            id="a failure with its reason",
        ),
        pytest.param(
            request(status=503, id=None, detail="no target"),
            "GET /a?b=c 503 12 ms\n  no target\n",
            id="no function was asked",
        ),
        pytest.param(log("loading\n", None), "  | loading\n", id="printed outside of a request"),
        pytest.param(
            log(
                "START RequestId: x Version: $LATEST\nmine\nEND RequestId: x\nREPORT RequestId: x\n"
            ),
            "  | mine\n",
            id="Lambda's own lines are left out",
        ),
        pytest.param(
            {"type": "reload", "function": "app"},
            "code has changed: loading it anew\n",
            id="a reload",
        ),
        pytest.param(
            {
                "type": "init_error",
                "function": "app",
                "error": {
                    "errorType": "Runtime.ImportModuleError",
                    "errorMessage": "No module named 'x'",
                    "stackTrace": ['  File "app.py", line 1\n    import x\n'],
                },
            },
            "the function cannot start: Runtime.ImportModuleError: No module named 'x'\n"
            '    File "app.py", line 1\n      import x\n',
            id="a module that cannot be loaded",
        ),
        pytest.param(
            {"type": "init_error", "function": "app", "error": "it died"},
            "the function cannot start: it died\n",
            id="an environment that died",
        ),
        pytest.param(
            request(status=502, error_reason="LambdaUnhandled", detail="Error: no\nRequire stack:"),
            "GET /a?b=c 502 12 ms\n  LambdaUnhandled: Error: no\n  Require stack:\n",
            id="a reason of several lines",
        ),
        pytest.param(
            {"type": "lost"},
            "some output is not shown: it came faster than it could be written here\n",
            id="output that was lost",
        ),
        pytest.param(
            {"type": "debugger", "port": 5678},
            "a debugger can attach to 127.0.0.1:5678\n",
            id="a debugger that listens",
        ),
        pytest.param({"type": "news"}, "", id="an event of a later version"),
    ],
)
def test_each_event_is_shown(event, text):
    assert shown(event) == text


def test_a_flood_of_output_is_shown_before_its_request_in_whole_lines():
    pieces = ["x" * 3_000, "x" * 4_000 + "\n" + "y" * 4_000, "y" * 100 + "\n"]
    text = shown(*map(log, pieces), request())
    assert text == f"  | {'x' * 7_000}\nGET /a?b=c 200 12 ms\n  | {'y' * 4_100}\n"


def test_a_line_without_an_end_is_not_held_back_for_ever():
    assert shown(log("x" * 20_000), log("y\n")) == f"  | {'x' * 20_000}\n  | y\n"


def test_what_a_function_prints_comes_below_its_requests_line():
    text = shown(
        *(log("one\n", "r1"), log("two\n", "r2"), log("thr", "r1"), log("ee\n", "r1")),
        request(id="r1"),
    )
    assert text == "GET /a?b=c 200 12 ms\n  | one\n  | three\n  | two\n"


def test_a_flood_of_output_is_not_held_back():
    view = View(verbose=False, colour=False)
    text = "".join(view.text(log("x" * 99 + "\n")) for _ in range(1_000))
    assert text.count("\n") > 900
    assert (text + view.flush()).count("\n") == 1_000


def test_verbose_shows_event_and_response():
    text = shown(request(event={"path": "/ä"}, response={"statusCode": 200}), verbose=True)
    assert (
        '  event\n  {\n    "path": "/ä"\n  }\n  response\n  {\n    "statusCode": 200\n  }\n' in text
    )


def test_headers_of_a_response_are_shown_a_line_each():
    text = shown(request(event={}, response={"headers": [["Set-Cookie", "a"]]}), verbose=True)
    assert '"Set-Cookie: a"' in text


def test_long_bodies_are_shortened():
    text = shown(request(event={"body": "x" * 5_000}, response={}), verbose=True)
    assert "x" * 2_000 + "... (3,000 characters more)" in text
    assert "x" * 2_001 not in text


def test_colours_are_there_only_when_asked_for():
    assert "\x1b[32m200\x1b[0m" in shown(request(), colour=True)
    assert "\x1b[31m502\x1b[0m" in shown(request(status=502), colour=True)
    with_event = request(event={"path": 'a "b": c'}, response={})
    assert '\x1b[36m"path"\x1b[0m: "a' in shown(with_event, verbose=True, colour=True)
    assert "\x1b" not in shown(request(status=502, error_reason="X"), log("y"))


def test_the_greeting_names_the_address_and_verbosely_the_api():
    quiet, verbose = View(verbose=False, colour=False), View(verbose=True, colour=False)
    assert quiet.greeting(SPEC, "http://a:1", "http://b:2") == (
        "app.handler (python3.11) answers on http://a:1\n"
    )
    assert "AWS API on http://b:2, code in /code\n" in verbose.greeting(SPEC, "x", "http://b:2")


def test_requests_that_the_proxy_answers_are_shown_with_the_reason():
    out = io.StringIO()
    Terminal(SPEC, out).refused(Refusal("TRACE", "/a", 405, 0.4, "MethodNotAllowed", "not so"))
    assert out.getvalue() == "TRACE /a 405 0 ms\n  MethodNotAllowed: not so\n"


def test_json_has_a_line_for_each_event_and_first_where_the_server_is():
    out = io.StringIO()
    terminal = Terminal(replace(SPEC, as_json=True, colour=True), out)
    terminal.announce("http://a:1", "http://b:2")
    asyncio.run(terminal.show(Host([log("x"), request(id="r2")])))
    ready, *events = map(json.loads, out.getvalue().splitlines())
    assert ready == {
        "type": "ready",
        "url": "http://a:1",
        "api": "http://b:2",
        "function": "app",
        "handler": "app.handler",
        "runtime": "python3.11",
        "debug_port": None,
    }
    assert events == [log("x"), request(id="r2")]


class Host:
    """Says `events`, then whatever it is told to do, as a HostClient does."""

    def __init__(self, events: Iterable[dict[str, Any]], then: asyncio.Event | None = None) -> None:
        self._events, self._then = events, then

    async def events(self, *, verbose: bool) -> AsyncIterator[dict[str, Any]]:
        for event in self._events:
            yield event
        if self._then:
            await self._then.wait()


def test_events_are_written_until_the_host_ends():
    out = io.StringIO()
    asyncio.run(Terminal(SPEC, out).show(Host([log("x"), request(id="r2")])))
    assert out.getvalue() == "GET /a?b=c 200 12 ms\n  | x\n"


def test_what_a_slow_request_prints_is_shown_before_it_ends(monkeypatch):
    monkeypatch.setattr(terminal, "HOLD_S", 0.0)
    out = io.StringIO()

    async def main() -> None:
        never = asyncio.Event()
        task = asyncio.ensure_future(Terminal(SPEC, out).show(Host([log("working")], never)))
        while not out.getvalue():  # noqa: ASYNC110
            await asyncio.sleep(0)  # a turn of the loop, no time
        never.set()
        await task

    asyncio.run(main())
    assert out.getvalue() == "  | working\n"


@pytest.mark.parametrize("number", [errno.EPIPE, errno.ENOSPC, errno.EIO])
def test_requests_go_on_though_nothing_can_be_shown(number: int) -> None:
    class Gone(io.StringIO):
        def write(self, text: str) -> int:
            raise OSError(number, "gone")

    Terminal(SPEC, Gone()).refused(Refusal("GET", "/", 404, 1.0, "NoRule", ""))


def test_any_character_can_be_shown_whatever_the_terminal_knows() -> None:
    written = io.BytesIO()
    terminal = Terminal(SPEC, io.TextIOWrapper(written, encoding="ascii"))
    refusal = Refusal("GET", "/caf\u00e9", 404, 1.0, "NoRule", "")
    terminal.refused(refusal)
    assert b"GET /caf\\xe9 404" in written.getvalue()
