"""A real server for tests: `aws.App` with a store on disk, served by uvicorn in a thread."""

import asyncio
import tempfile
import threading
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any

import boto3
import uvicorn
from botocore.config import Config

from albatross.aws.app import App, Operations
from albatross.aws.connection import Connection
from albatross.aws.http import Request, Response
from albatross.model import leniency
from albatross.model.health import HealthReader
from albatross.store.keys import Keys
from albatross.store.packages import Packages
from albatross.store.store import Store

REGION = "us-east-1"
ACCOUNT = "123456789012"


async def _nothing() -> None:
    return None


@contextmanager
def serve(
    operations: Operations,
    *,
    directory: Path | None = None,
    strict: bool = False,
    lenient: str = "",
    quotas: Mapping[str, int] = MappingProxyType({}),
    health: HealthReader | None = None,
    after_write: Callable[[], Awaitable[None]] = _nothing,
    extra_routes: Mapping[tuple[str, str], Callable[[Request], Awaitable[Response]]] | None = None,
    more: Callable[[Store, Path], Operations] | None = None,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> Iterator[str]:
    """Serve `operations` and yield the URL. The state is in `directory`, else thrown away.

    `more` returns the operations that need more than a transaction, given store and directory.
    """
    with ExitStack() as stack:
        if directory is None:
            directory = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        store = Store(
            f"sqlite:///{directory}/albatross.db",
            Packages(directory),
            Keys(directory),
            strict=strict,
            lenient=lenient,
            quotas=quotas,
            on_commit=lambda _: None,
            clock=clock,
            health=health,
        )
        further = more(store, directory) if more else {}
        app = App(
            {name: {**ours, **further.get(name, {})} for name, ours in operations.items()},
            store,
            region=REGION,
            account=ACCOUNT,
            after_write=after_write,
            extra_routes=extra_routes or {},
            lenient=leniency.allowed(strict=strict, kept=lenient),
        )
        config = uvicorn.Config(
            app,
            host="127.0.0.1",
            port=0,
            http=Connection,
            ws="none",
            log_config=None,
            access_log=False,
        )
        server = uvicorn.Server(config)
        socket = config.bind_socket()
        socket.listen()  # so that a client may come before the thread has started
        stack.callback(socket.close)
        thread = threading.Thread(target=server.run, args=([socket],), daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{socket.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join(timeout=10)
            asyncio.run(store.close())


def client(
    service: str,
    url: str,
    *,
    region: str = REGION,
    access_key: str = "test",
    secret_key: str = "test",
    **config: Any,
) -> Any:
    """Return a boto3 client of the server at `url` that makes one attempt a call.

    `parameter_validation=False` lets through what botocore itself would refuse.
    """
    return boto3.client(
        service,
        endpoint_url=url,
        region_name=region,
        aws_access_key_id=access_key,
        aws_secret_access_key=secret_key,
        config=Config(retries={"total_max_attempts": 1}, **config),
    )
