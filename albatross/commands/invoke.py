"""`albatross invoke`: call a function, one of a running server or a handler's file."""

import base64
import json
import os
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import click

from albatross.commands import private_server
from albatross.commands.aws_api import AwsApi
from albatross.commands.server import endpoint_option

RUN_MAX_S = 900 + 60  # longer than any function may run


@click.command()
@endpoint_option
@click.argument("name")
@click.option("--event", "file", metavar="FILE", help="File with the event; - is the input.")
@click.option("--payload", metavar="JSON", help="The event.")
@click.option("--qualifier", metavar="Q", help="Version or alias.")
@click.option("--async", "is_async", is_flag=True, help="Do not wait for the function's end.")
@click.option("--log", "shows_log", is_flag=True, help="Show the end of the function's log.")
@click.option("--region", metavar="REGION", help="Region of the function.")
def invoke(
    endpoint: str,
    name: str,
    file: str | None,
    payload: str | None,
    qualifier: str | None,
    is_async: bool,
    shows_log: bool,
    region: str | None,
) -> None:
    """Invoke the function NAME with an event, and print its result.

    NAME is the name or ARN of a function of a running server. Or what `albatross run` takes, a
    file or MODULE.FUNCTION: then no server is needed. The event is {} unless --event or --payload
    give one. The exit status is 1 when the function failed.

    \b
    Examples:
      albatross invoke orders --payload '{"id": 7}' --log
      albatross event GET 'http://shop/a?b=c' | albatross invoke app.handler --event -
      albatross invoke orders --qualifier live --async --event order.json
    """
    if file is not None and payload is not None:
        raise click.UsageError("--event and --payload cannot be used together.")
    event = _read(file) if file is not None else (payload or "{}").encode()
    params: dict[str, Any] = {"FunctionName": name, "Payload": event}
    if qualifier:
        params["Qualifier"] = qualifier
    if is_async:
        params["InvocationType"] = "Event"
    elif shows_log:
        params["LogType"] = "Tail"
    with ExitStack() as stack:
        if _is_handler(name):
            if is_async or qualifier:
                raise click.UsageError("--async and --qualifier are for functions of a server.")
            server = stack.enter_context(private_server.running(name))
            endpoint, region = server.ready["api"], None
            params["FunctionName"] = server.ready["function"]
        answer = _call(endpoint, region, params)
    _show(answer)


def _is_handler(name: str) -> bool:
    """Tell whether NAME is a handler of the file system: names of functions have no dot."""
    return not name.startswith("arn:") and ("." in name or "/" in name or os.path.isdir(name))


def _read(file: str) -> bytes:
    try:
        return sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
    except OSError as error:
        raise click.ClickException(f"--event {file}: {error.strerror}") from error


def _call(endpoint: str, region: str | None, params: dict[str, Any]) -> dict[str, Any]:
    """Return the answer of Invoke, its payload read. Raises ClickException."""
    api = AwsApi(endpoint, region)
    client = api.client("lambda", read_timeout=RUN_MAX_S)
    with api.told():
        answer: dict[str, Any] = client.invoke(**params)
        answer["Payload"] = answer["Payload"].read()
    return answer


def _show(answer: dict[str, Any]) -> None:
    """Print a result, and on the error stream the log; exits with 1 when the function failed."""
    if log := answer.get("LogResult"):
        click.echo(base64.b64decode(log).decode(errors="replace"), err=True, nl=False)
    if answer["StatusCode"] == 202:
        request_id = answer["ResponseMetadata"]["RequestId"]
        click.echo(f"accepted, request id {request_id}")
        return
    payload: bytes = answer["Payload"]
    try:
        document = json.loads(payload)
    except ValueError:
        click.echo(payload.decode(errors="replace"))
        document = None
    else:
        click.echo(json.dumps(document, indent=2, ensure_ascii=False))
    if kind := answer.get("FunctionError"):
        raise click.ClickException(f"{kind}: {_said(document)}")


def _said(document: object) -> str:
    if isinstance(document, dict) and "errorType" in document:
        return f"{document['errorType']}: {document.get('errorMessage', '')}"
    return "the function failed"
