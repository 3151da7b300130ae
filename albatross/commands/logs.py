"""`albatross logs`: what functions print, from the log groups of a running server."""

import json
import os
import re
import sys
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

import click

from albatross.commands.aws_api import AwsApi
from albatross.commands.server import endpoint_option

LOOK_S = 0.3  # between two looks for new events
OVERLAP_MS = 5_000  # which is asked for again: an event may be written after a later one
_UNITS_S = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_REQUEST_ID = re.compile(r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b")
_PLATFORM = re.compile(r"(?:START|END|REPORT) RequestId: |INIT_(?:START|REPORT) |EXTENSION\t")
_FAULT = re.compile(r"\b(?:ERROR|CRITICAL|FATAL)\b|Task timed out|Status: (?:error|timeout)")


@click.command()
@endpoint_option
@click.argument("name")
@click.option("-f", "--follow", is_flag=True, help="Go on with events as they come, until Ctrl-C.")
@click.option(
    "--since",
    default="10m",
    show_default=True,
    metavar="WHEN",
    help="Where to begin: 30s, 10m, 2h, 7d ago, or a time such as 2026-11-21T10:00.",
)
@click.option("--filter", "pattern", metavar="PATTERN", help="Filter pattern of CloudWatch Logs.")
@click.option("--version", metavar="VERSION", help="Only this version of the function.")
@click.option("--stream", metavar="PREFIX", help="Only streams whose names begin so.")
@click.option("--json", "as_json", is_flag=True, help="Print each event as one line of JSON.")
@click.option("--region", metavar="REGION", help="Region of the function.")
def logs(
    endpoint: str,
    name: str,
    follow: bool,
    since: str,
    pattern: str | None,
    version: str | None,
    stream: str | None,
    as_json: bool,
    region: str | None,
) -> None:
    """Show what the function NAME has printed, with Lambda's own lines.

    NAME is that of a function, or of a log group: one with a slash. The same events are there for
    `aws logs tail` and every client of CloudWatch Logs.

    \b
    Examples:
      albatross logs orders -f
      albatross logs orders --since 1h --filter '{ $.level = "ERROR" }'
      albatross logs orders --version 3 --json
      albatross logs /my/group --filter '?ERROR ?WARN'
    """
    start_ms = _milliseconds(since)
    paints = sys.stdout.isatty() and "NO_COLOR" not in os.environ and not as_json
    server = _Server(endpoint, region)
    params: dict[str, Any] = {"logGroupName": server.group_of(name)}
    if pattern:
        params["filterPattern"] = pattern
    if stream:
        params["logStreamNamePrefix"] = stream
    try:
        has_any = False
        for event in server.events(params, start_ms, follow=follow):
            if version is None or f"[{version}]" in event["logStreamName"]:
                has_any = True
                click.echo(json.dumps(event) if as_json else line(event, paints=paints))
        if not has_any:
            click.echo(f"There are none; --since looks further back than {since}.", err=True)
    except KeyboardInterrupt:
        return


def line(event: Mapping[str, Any], *, paints: bool) -> str:
    """Return an event for people: time of day, then the message."""
    message = event["message"].replace("\r", "\n").rstrip("\n").rstrip("\t").replace("\xa0", " ")
    at = datetime.fromtimestamp(event["timestamp"] / 1000, UTC).astimezone()
    clock = f"{at:%H:%M:%S}.{at.microsecond // 1000:03d}"
    if not paints:
        return f"{clock} {message}"
    if _FAULT.search(message):
        shown = click.style(message, fg="red")
    elif _PLATFORM.match(message):
        shown = click.style(message, dim=True)
    else:
        shown = _REQUEST_ID.sub(lambda id_: click.style(id_[0], fg="cyan"), message)
    return f"{click.style(clock, dim=True)} {shown}"


def _milliseconds(since: str) -> int:
    """Return the moment that --since says, in milliseconds. Raises UsageError."""
    if match := re.fullmatch(r"(\d+)([smhdw])", since):
        return int((time.time() - int(match[1]) * _UNITS_S[match[2]]) * 1000)
    try:
        return int(datetime.fromisoformat(since).timestamp() * 1000)
    except ValueError:
        raise click.UsageError(
            f"--since must be like 30s, 10m, 2h, 7d or 2026-11-21T10:00, not {since!r}."
        ) from None


class _Server:
    """The log groups of a running server. What goes wrong becomes a ClickException."""

    def __init__(self, endpoint: str, region: str | None) -> None:
        self._api = AwsApi(endpoint, region)
        self._logs = self._api.client("logs")

    def group_of(self, name: str) -> str:
        """Return the log group of the function `name`, which exists, or `name` itself."""
        if "/" in name:
            return name
        functions = self._api.client("lambda")
        with self._api.told():
            function = functions.get_function_configuration(FunctionName=name)
            group: str = function["LoggingConfig"]["LogGroup"]
        return group

    def events(
        self, params: Mapping[str, Any], start_ms: int, *, follow: bool
    ) -> Iterator[dict[str, Any]]:
        """Yield events by time; with `follow`, for ever."""
        seen: dict[str, int] = {}  # the ids of what has been shown, and when it came
        while True:
            newest_ms = start_ms
            for event in self._found(params, start_ms, missing_ok=follow):
                newest_ms = max(newest_ms, event["timestamp"])
                if event["eventId"] not in seen:
                    seen[event["eventId"]] = event["timestamp"]
                    yield event
            if not follow:
                return
            start_ms = max(start_ms, newest_ms - OVERLAP_MS)
            seen = {id_: ms for id_, ms in seen.items() if ms >= start_ms}
            time.sleep(LOOK_S)

    def _found(
        self, params: Mapping[str, Any], start_ms: int, *, missing_ok: bool
    ) -> Iterator[dict[str, Any]]:
        missing_ok |= params["logGroupName"].startswith("/aws/lambda/")  # one that has not run yet
        token: dict[str, str] = {}
        while True:
            with self._api.told():
                try:
                    page = self._logs.filter_log_events(
                        **params, startTime=max(start_ms, 0), **token
                    )
                except self._logs.exceptions.ResourceNotFoundException:
                    if missing_ok:
                        return
                    raise
            yield from page.get("events", ())
            if "nextToken" not in page:
                return
            token = {"nextToken": page["nextToken"]}
