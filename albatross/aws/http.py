"""An HTTP request and its answer, as far as the API needs them."""

import re
from collections.abc import AsyncIterator, Generator, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field

# Host of the request that is being answered; "" where it has none.
HOST: ContextVar[str] = ContextVar("host", default="")
# Request id of the call that is being answered, as its answer has it.
REQUEST_ID: ContextVar[str] = ContextVar("request_id", default="")
# X-Amzn-Trace-Id of that call; "" where it has none.
TRACE_ID: ContextVar[str] = ContextVar("trace_id", default="")
# What an operation adds to the headers of its answer.
ANSWER_HEADERS: ContextVar[dict[str, str]] = ContextVar("answer_headers")
_HOST = re.compile(r"[A-Za-z0-9.-]+(:[0-9]+)?|\[[0-9A-Fa-f:.]+\](:[0-9]+)?")


@dataclass(frozen=True, slots=True)
class Request:
    """`path` and `query` are percent-encoded, as sent. Header names are in lower case.

    `lines` has each line of the head, `headers` each name, its values joined.

    Headers and body may hold credentials and environment variables, so `repr` leaves them out.
    """

    method: str
    path: str
    query: str = ""
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes = field(default=b"", repr=False)
    lines: tuple[tuple[str, str], ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True)
class Response:
    """The answer. Content-Length is added where it is sent.

    `chunks`, each of which is made in a thread, take the place of `body`; `headers` say their
    length. So does `stream`, whose length nobody knows: it ends with the client.
    """

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = field(default=b"", repr=False)
    chunks: Generator[bytes, None, None] | None = field(default=None, repr=False)
    stream: AsyncIterator[bytes] | None = field(default=None, repr=False)


def own_url(default: str) -> str:
    """Return the server's URL as the client that is being answered calls it, else `default`."""
    host = HOST.get()
    return f"http://{host}" if _HOST.fullmatch(host) else default
