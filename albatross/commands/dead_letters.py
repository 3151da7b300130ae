"""`albatross dead-letters`: events of asynchronous invocations that reached nobody."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

import click

from albatross.commands import own_paths
from albatross.commands.server import STATUS_S, endpoint_option, told

_PATH = "dead-letters"


@click.command("dead-letters")
@endpoint_option
@click.argument("name", default="")
@click.option("--json", "as_json", is_flag=True, help="Print all of each, its record too, as JSON.")
@click.option("--replay", metavar="ID", help="Invoke the function again with the event; ID or all.")
@click.option("--delete", metavar="ID", help="Forget the event; ID or all.")
def dead_letters(
    endpoint: str, name: str, as_json: bool, replay: str | None, delete: str | None
) -> None:
    """Show events that failed, or whose record could not be delivered: all, or those of NAME.

    NAME is the name or ARN of a function. A replayed event leaves the list and is tried as often
    as a new one.

    \b
    Examples:
      albatross dead-letters
      albatross dead-letters orders --json
      albatross dead-letters orders --replay all
      albatross dead-letters --delete 6369fe73-7a8d-44d1-8efb-3cdbc4ae8e82
    """
    if replay and delete:
        raise click.UsageError("--replay and --delete cannot be used together.")
    query = {"name": name} if name else {}
    if replay or delete:
        action, id_ = ("replay", replay) if replay else ("delete", delete)
        done = _call(endpoint, {**query, action: str(id_)}, body=b"")["dead_letters"]
        click.echo(f"{'replayed' if replay else 'deleted'}: {len(done)}")
        return
    found = _all(endpoint, query)
    if as_json:
        click.echo(json.dumps(list(found), indent=2))
        return
    has_any = False
    for letter in found:
        has_any = True
        click.echo(_line(letter))
    if not has_any:
        click.echo("There are no dead letters.", err=True)


def _all(endpoint: str, query: dict[str, str]) -> Iterator[dict[str, Any]]:
    after = None
    while after != "":
        page = _call(endpoint, query | ({"after": after} if after else {}))
        yield from page["dead_letters"]
        after = page["next"]


def _line(letter: dict[str, Any]) -> str:
    at = datetime.fromtimestamp(letter["at"], UTC)
    name = ":".join(letter["function_arn"].split(":")[6:])
    what = f"{letter['condition']}: {letter['reason']}"
    return f"{letter['id']}  {at:%Y-%m-%dT%H:%M:%SZ}  {name}  {what}"


def _call(endpoint: str, query: dict[str, str], body: bytes | None = None) -> dict[str, Any]:
    path = f"{_PATH}?{urlencode(query)}" if query else _PATH
    with told(endpoint), own_paths.call(endpoint, path, body=body, timeout_s=STATUS_S) as answer:
        found: dict[str, Any] = json.loads(answer.read())
    return found
