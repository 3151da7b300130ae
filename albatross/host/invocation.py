"""One invocation of a function: what goes in, and the outcome that comes back."""

from collections.abc import Callable
from dataclasses import dataclass
from random import Random, SystemRandom
from typing import Protocol

RESULT_BYTES_MAX = 6 * 1024 * 1024 + 100  # 6 MB and a little, as the emulator's MaxPayloadSize


@dataclass(slots=True)  # not frozen: it would take twice as long to make
class Outcome:
    """How an invocation ended.

    `function_error` is None for a result, else the value of `X-Amz-Function-Error`; the payload is
    then an error document. `api_error` is the code of an error of the Invoke API (the code did not
    run).
    """

    payload: bytes
    function_error: str | None = None
    api_error: str | None = None


class Sink(Protocol):
    """Whoever wants a streamed result as it comes."""

    def begin(self, invocation: "Invocation", content_type: str) -> None:
        """The function begins to stream."""

    def part(self, invocation: "Invocation", data: bytes) -> None:
        """Take a part of the result. The outcome that follows has none of it."""


class Source(Protocol):
    """Where a streamed result comes from: a transport."""

    def is_closing(self) -> bool: ...

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...


class Parts:
    """A result that comes in parts: handed on to a sink, or kept up to what a result may have."""

    def __init__(self, content_type: str, source: Source | None) -> None:
        self.content_type = content_type
        self.source = source
        self.size = 0
        self._kept: list[bytes] = []

    def keep(self, data: bytes) -> None:
        if self.size <= RESULT_BYTES_MAX:
            self._kept.append(data)

    def whole(self) -> bytes | None:
        """Return what has been kept; None where it was too much."""
        return b"".join(self._kept) if self.size <= RESULT_BYTES_MAX else None


class Invocation:
    """An event on its way to an environment. `done(invocation, outcome)` is called exactly once."""

    __slots__ = (
        "background",
        "client_context",
        "cold",
        "done",
        "event",
        "id",
        "invocation_type",
        "invoked_arn",
        "log",
        "on_provisioned",
        "parts",
        "queued_s",
        "shared",
        "sink",
        "started_s",
        "trace_id",
        "version",
        "wants_log",
    )

    def __init__(
        self,
        event: bytes,
        done: "Callable[[Invocation, Outcome], None]",
        *,
        invoked_arn: str | None = None,
        trace_id: str | None = None,
        client_context: str | None = None,
    ) -> None:
        self.id = request_id()
        self.event = event
        self.done = done
        self.invoked_arn = invoked_arn  # as invoked, maybe with an alias; None: the version's own
        self.invocation_type = "RequestResponse"  # of a function elsewhere: as the Invoke API says
        self.background = False  # others come first where environments are scarce
        self.version = ""  # that which an alias has led to, once it is submitted
        self.trace_id = trace_id
        self.client_context = client_context
        self.queued_s = 0.0  # when it came, by the pool's clock
        self.started_s = 0.0  # when an environment took it
        self.cold = False
        self.on_provisioned = False  # counts against the version's provisioned concurrency
        self.shared = False  # counts against the account's unreserved concurrency
        self.wants_log = False  # of a function elsewhere: its log is sent on demand only
        self.sink: Sink | None = None  # None: the result is wanted whole
        self.parts: Parts | None = None  # of a streamed result, once it has begun
        self.log: list[bytes] = []  # the function's output, bounded by logs.py

    def begin(self, content_type: str, source: Source | None) -> None:
        """The result begins to come in parts."""
        self.parts = Parts(content_type, source)
        if self.sink is not None:
            self.sink.begin(self, content_type)

    def part(self, data: bytes) -> None:
        assert self.parts is not None
        self.parts.size += len(data)
        if self.sink is not None:
            self.sink.part(self, data)
        else:
            self.parts.keep(data)

    def size_of(self, outcome: Outcome) -> int:
        """Return of how many bytes its result is, which may have come in parts."""
        return self.parts.size if self.parts is not None else len(outcome.payload)


_random = Random(SystemRandom().getrandbits(128))  # ids need not be secret: no system call each


def request_id() -> str:
    """Return a random UUID (version 4) as text."""
    digits = f"{_random.getrandbits(128):032x}"
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-a{digits[17:20]}-{digits[20:]}"
