"""The HTTP server of the API."""

import contextlib
from collections.abc import Iterator

import uvicorn

from albatross.aws.connection import Connection
from albatross.control import api
from albatross.control.parts import Parts


class ApiServer(uvicorn.Server):
    """uvicorn without its signal handlers: what a signal means is decided elsewhere."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def server_of(parts: Parts) -> ApiServer:
    """Return the server of the API of `parts`."""
    return ApiServer(
        uvicorn.Config(
            api.app(parts),
            http=Connection,
            ws="none",
            loop="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            timeout_graceful_shutdown=1,
        )
    )
