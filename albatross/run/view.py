"""What happens while `albatross run` serves, as text for a terminal, or as lines of JSON. Pure."""

import json
import re
from collections.abc import Mapping
from typing import Any

from albatross.config import RunSpec
from albatross.run import lines as run_lines

FUNCTION = "app"  # the name of what is served
_HELD_CHARACTERS_MAX = 10_000
_BODY_CHARACTERS_MAX = 2_000  # of a body shown with -v
_LOST = "some output is not shown: it came faster than it could be written here"
_JSON_KEY = re.compile(r'^(\s*)("(?:[^"\\]|\\.)*")(?=: )', re.MULTILINE)
_RESET, _DIM, _BOLD = "\x1b[0m", "\x1b[2m", "\x1b[1m"
_RED, _GREEN, _YELLOW, _CYAN = "\x1b[31m", "\x1b[32m", "\x1b[33m", "\x1b[36m"


class JsonLines:
    """Writes each event (host/observe/hub.py) as a line of JSON; first one of the type `ready`."""

    def greeting(self, spec: RunSpec, url: str, api: str) -> str:
        ready = {
            "type": "ready",
            "url": url,
            "api": api,
            "function": FUNCTION,
            "handler": spec.handler,
            "runtime": spec.runtime,
            "debug_port": spec.debug_port,
        }
        return self.text(ready)

    def text(self, event: Mapping[str, Any]) -> str:
        return json.dumps(event) + "\n"

    def flush(self) -> str:
        return ""


class View:
    """Turns the host's events into text for a terminal.

    A function prints before it answers. What it prints is held back for a moment, so that the
    request's line comes first; `flush` gives up waiting.
    """

    def __init__(self, *, verbose: bool, colour: bool) -> None:
        self._verbose = verbose
        self._colour = colour
        self._held: dict[str | None, str] = {}  # printed, by request; None: outside of any

    def greeting(self, spec: RunSpec, url: str, api: str) -> str:
        lines = [f"{spec.handler} ({spec.runtime}) answers on {self._paint(_BOLD, url)}"]
        if self._verbose:
            lines.append(self._paint(_DIM, f"AWS API on {api}, code in {spec.directory}"))
        return "\n".join(lines) + "\n"

    def text(self, event: Mapping[str, Any]) -> str:
        """Return what to write for `event`, whole lines, or nothing."""
        match event["type"]:
            case "request":
                return self._release(None) + self._request(event) + self._release(event["id"])
            case "log":
                return self._hold(event["request_id"], event["text"])
            case "reload":
                return self._paint(_DIM, "code has changed: loading it anew") + "\n"
            case "init_error":
                return self._init_error(event["error"])
            case "stopping":
                text = f"finishing requests, for {event['grace_s']:g} s at most; Ctrl-C: at once"
                return self._paint(_DIM, text) + "\n"
            case "debugger":
                return f"a debugger can attach to 127.0.0.1:{event['port']}\n"
            case "lost":
                return self._paint(_DIM, _LOST) + "\n"
            case _:
                return ""

    def _request(self, event: Mapping[str, Any]) -> str:
        status = event["status"]
        line = (
            f"{self._paint(_BOLD, event['method'])} {event['path']} "
            f"{self._paint(_status_colour(status), str(status))} "
            f"{event['duration_ms']:.0f} ms"
        )
        if event["cold"]:
            line += self._paint(_CYAN, " cold")
        lines = [line]
        if event["error_reason"] or event["detail"]:
            why = ": ".join(part for part in (event["error_reason"], event["detail"]) if part)
            lines += [self._paint(_RED, f"  {line}") for line in why.splitlines()]
        if self._verbose:
            for name in ("event", "response"):
                if event.get(name):
                    lines.append(self._paint(_DIM, f"  {name}"))
                    lines.append(self._document(_shortened(event[name])))
        return "\n".join(lines) + "\n"

    def flush(self) -> str:
        """Return what is held back."""
        return "".join([self._release(request_id) for request_id in list(self._held)])

    def _hold(self, request_id: str | None, text: str) -> str:
        self._held[request_id] = self._held.get(request_id, "") + text
        if sum(map(len, self._held.values())) <= _HELD_CHARACTERS_MAX:
            return ""
        # A line still being printed waits for its end, unless it alone is more than can be held.
        whole, newline, begun = self._held[request_id].rpartition("\n")
        self._held[request_id] = whole + newline or begun
        shown = self.flush()
        if newline and begun:
            self._held[request_id] = begun
        return shown

    def _release(self, request_id: str | None) -> str:
        lines = run_lines.printed(self._held.pop(request_id, ""))
        return "".join(f"  {self._paint(_DIM, '|')} {line}\n" for line in lines)

    def _init_error(self, error: object) -> str:
        if not isinstance(error, Mapping):
            return self._paint(_RED, f"the function cannot start: {error}") + "\n"
        kind, message = error.get("errorType"), error.get("errorMessage")
        reason = f"the function cannot start: {kind}: {message}".replace("\n", "\n  ")
        head = self._paint(_RED, reason)
        return "\n".join([head, *(f"  {line}" for line in run_lines.trace(error))]) + "\n"

    def _document(self, document: object) -> str:
        text = json.dumps(document, indent=2, ensure_ascii=False)
        if self._colour:
            text = _JSON_KEY.sub(rf"\1{_CYAN}\2{_RESET}", text)
        return "\n".join(f"  {line}" for line in text.splitlines())

    def _paint(self, colour: str, text: str) -> str:
        return f"{colour}{text}{_RESET}" if self._colour else text


def _status_colour(status: int) -> str:
    return _GREEN if status < 400 else _YELLOW if status < 500 else _RED


def _shortened(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return an event or response with a body of bearable length, and headers a line each."""
    shown, body, headers = dict(document), document.get("body"), document.get("headers")
    if isinstance(body, str) and len(body) > _BODY_CHARACTERS_MAX:
        cut = len(body) - _BODY_CHARACTERS_MAX
        shown["body"] = f"{body[:_BODY_CHARACTERS_MAX]}... ({cut:,} characters more)"
    if isinstance(headers, list):  # of a response: pairs, in order
        shown["headers"] = [f"{name}: {value}" for name, value in headers]
    return shown
