"""Asynchronous invocations, wired: the queue with the store and the Lambda host, and what serves
dead letters, below /_albatross/.

GET  /_albatross/dead-letters?name=NAME            those of a function, or all: JSON, a page; more
                                                   with after=, the member `next`
POST /_albatross/dead-letters?replay=ID            invoke its function with the event again
POST /_albatross/dead-letters?delete=ID            forget it; ID may be `all`, also with name=NAME
"""

import asyncio
import logging
import sqlite3
import time
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import orjson

from albatross.asynchronous import delivery
from albatross.asynchronous.dispatcher import Dispatcher
from albatross.asynchronous.event import Event, Handling, Letter, Result
from albatross.asynchronous.letters import Chosen
from albatross.asynchronous.queue import FILE_NAME, EventQueue, QueueFull
from albatross.aws.http import Request, Response
from albatross.config import Config
from albatross.host.client import Call, HostClient
from albatross.lambda_ import lookup
from albatross.model import arn
from albatross.model.errors import (
    ResourceNotFoundException,
    ServiceException,
    TooManyRequestsException,
)
from albatross.model.event_invoke import EventInvoke
from albatross.store.engine import UnusableData
from albatross.store.store import Store
from albatross.store.transaction import Transaction

PATH = "/_albatross/dead-letters"

Routes = Mapping[tuple[str, str], Callable[[Request], Awaitable[Response]]]

log = logging.getLogger(__name__)


class AsyncInvocations:
    """Accepts events for functions in `store`, and has them run by `host`.

    Raises UnusableData where the queue's file cannot be used.
    """

    def __init__(self, config: Config, store: Store, host: HostClient) -> None:
        self._store = store
        self._host = host
        bytes_max = config.async_queue_mb * 1024 * 1024
        try:
            self.queue = EventQueue(Path(config.data_dir), bytes_max=bytes_max)
        except sqlite3.Error as error:
            path = Path(config.data_dir) / FILE_NAME
            raise UnusableData(
                f"{path}, the queue of events, cannot be used: {error}. Where it is damaged, move "
                "it away: the server then starts with an empty one."
            ) from error
        concurrency = max(1, min(config.async_concurrency, config.environments_max // 2))
        # Of their own: a destination that does not answer keeps a thread for a minute.
        self._senders = ThreadPoolExecutor(concurrency, "sender")
        self._sender = delivery.Sender(config.destinations_endpoint, concurrency)
        self._dispatcher = Dispatcher(
            self.queue,
            invoke=self._invoke,
            handling=self._handling,
            deliver=self._deliver,
            concurrency=concurrency,
            retry_wait_s=config.async_retry_wait_s,
        )

    async def run(self) -> None:
        await self._dispatcher.run()

    async def accept(
        self, id_: str, function_arn: str, payload: bytes, client_context: str | None
    ) -> None:
        """Take an event; it is durable when this returns.

        Raises TooManyRequestsException where the queue is full, and ServiceException where the
        disk does not take it.
        """
        now_s = time.time()
        event = Event(
            id=id_,
            arn=function_arn,
            payload=payload,
            client_context=client_context,
            accepted_s=now_s,
            due_s=now_s,
        )
        try:
            await self._dispatcher.accept(event)
        except QueueFull:
            # AWS is silent: an event that finds the queue full (the setting `async_queue_mb`) is
            # refused with TooManyRequestsException.
            raise TooManyRequestsException("CallerRateLimitExceeded") from None
        except sqlite3.Error as error:
            log.error("an event for %s cannot be kept: %s", function_arn, error)
            raise ServiceException(f"The event cannot be kept: {error}") from error

    def routes(self) -> Routes:
        """Return the handlers of dead letters by method and path."""
        return {("GET", PATH): self._show, ("POST", PATH): self._handle}

    async def _invoke(self, event: Event) -> Result:
        try:
            invoked = await self._host.invoke(
                Call(
                    function_arn=event.arn,
                    payload=event.payload,
                    client_context=event.client_context,
                    request_id=event.id,
                    background=True,
                    elsewhere_as="Event",
                )
            )
        except OSError as error:
            return Result(refusal=f"ServiceException: {error}")
        if invoked.api_error is not None:
            return Result(refusal=f"{invoked.api_error}: {invoked.payload.decode()}")
        return Result(
            version=invoked.version,
            payload=invoked.payload,
            function_error=invoked.function_error,
        )

    async def _deliver(self, message: delivery.Message) -> None:
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(self._senders, self._sender.send, message)

    async def _handling(self, event: Event) -> Handling | None:
        scope = arn.scope_of(event.arn)
        return await self._store.read(scope, lambda tx: _handling(tx, event.arn))

    async def _show(self, request: Request) -> Response:
        query = parse_qs(request.query)
        (after,) = query.get("after", [""])[:1]
        try:
            page = await self.queue.letters(_chosen(query), after)
        except ValueError:
            return _json(400, {"message": "`after` is not the member `next` of an answer."})
        shown = [_shown(letter) for letter in page.letters]
        return _json(200, {"dead_letters": shown, "next": page.next})

    async def _handle(self, request: Request) -> Response:
        query = parse_qs(request.query)
        actions = {"replay": self._dispatcher.replay, "delete": self.queue.delete_letters}
        for action, perform in actions.items():
            if action in query:
                (id_,) = query[action][:1]
                done = await perform(_chosen(query, "" if id_ == "all" else id_))
                if not done and id_ != "all":
                    return _json(404, {"message": f"There is no dead letter {id_[:64]}."})
                return _json(200, {"dead_letters": done})
        return _json(400, {"message": "Say replay=ID or delete=ID, or `all` for ID."})


def _chosen(query: Mapping[str, list[str]], id_: str = "") -> Chosen:
    return Chosen(id=id_, function=query.get("name", [""])[0])


def _handling(tx: Transaction, function_arn: str) -> Handling | None:
    """Return what is configured for events for `function_arn`; None where it is not there.

    A function elsewhere gets its event as one: retries and destinations are those it has there.
    """
    params = {"FunctionName": function_arn}
    try:
        _, is_here = lookup.called(tx, params)
        if not is_here:
            return Handling()
        found = lookup.invocable(tx, params)
        latest = lookup.by_name(tx, lookup.address(tx.scope, params).name)
    except ResourceNotFoundException:
        return None
    config = found.event_invoke or EventInvoke(last_modified=tx.now)
    given = {"retries_max": config.retries_max, "age_max_s": config.age_max_s}
    return Handling(
        on_success=config.on_success,
        on_failure=config.on_failure,
        # Lambda guide: a dead-letter queue is a setting of the function as a whole.
        dead_letter_queue=latest.extra.get("DeadLetterConfig", {}).get("TargetArn"),
        is_blocked=latest.reserved_concurrency == 0,
        **{name: value for name, value in given.items() if value is not None},
    )


def _shown(letter: Letter) -> dict[str, Any]:
    return {
        "id": letter.id,
        "function_arn": letter.arn,
        "at": letter.at_s,
        "condition": letter.condition,
        "destination": letter.destination,
        "reason": letter.reason,
        "record": orjson.Fragment(letter.record),
    }


def _json(status: int, document: object) -> Response:
    return Response(status, {"Content-Type": "application/json"}, orjson.dumps(document))
