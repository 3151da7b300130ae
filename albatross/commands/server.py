"""How commands find and ask a running server."""

import http.client
import json
import urllib.error
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click

from albatross.commands import own_paths

STATUS_S = 5  # how long a server may take to say how it does


def _url(_context: click.Context, _option: click.Parameter, value: str) -> str:
    if not value.startswith(("http://", "https://")):
        raise click.BadParameter(f"{value!r} is no URL such as http://127.0.0.1:4566.")
    return value


endpoint_option = click.option(
    "--endpoint",
    default="http://127.0.0.1:4566",
    show_default=True,
    metavar="URL",
    envvar=["ALBATROSS_ENDPOINT", "AWS_ENDPOINT_URL"],  # the second as for the aws command
    show_envvar=True,
    callback=_url,
    help="Where the server's API is.",
)


def ask(endpoint: str) -> dict[str, Any]:
    """Return the status of the server at `endpoint`."""
    with told(endpoint):
        found: dict[str, Any] = json.loads(get(endpoint, "status"))
    return found


def get(endpoint: str, name: str) -> bytes:
    """Return what the server at `endpoint` answers below /_albatross/."""
    with told(endpoint):
        return own_paths.get(endpoint, name, timeout_s=STATUS_S)


@contextmanager
def told(endpoint: str) -> Iterator[None]:
    """Let what goes wrong with a call below /_albatross/ be told."""
    try:
        yield
    except own_paths.Refused as error:
        raise click.ClickException(f"{endpoint} refuses: {error}") from error
    except urllib.error.HTTPError as error:
        with error:
            text = error.read().decode(errors="replace")
        if error.headers.get_content_type() not in ("application/json", "text/plain"):
            raise stranger(endpoint) from error
        raise click.ClickException(f"{endpoint}: {_message(text) or error}") from error
    except json.JSONDecodeError as error:
        raise stranger(endpoint) from error
    except (OSError, ValueError, http.client.HTTPException) as error:
        reason = error.reason if isinstance(error, urllib.error.URLError) else error
        raise no_server(endpoint, getattr(reason, "strerror", None) or reason) from error


def _message(text: str) -> str:
    """Return what an answer says: in JSON, its member `message`."""
    try:
        return str(json.loads(text)["message"])
    except (ValueError, KeyError, TypeError):
        return text.strip()


def stranger(endpoint: str) -> click.ClickException:
    return click.ClickException(
        f"What answers at {endpoint} is no Albatross. Name its API with --endpoint."
    )


def no_server(endpoint: str, reason: object) -> click.ClickException:
    return click.ClickException(
        f"No server answers at {endpoint}: {reason}. Start one with `albatross serve`, or name "
        "another with --endpoint."
    )
