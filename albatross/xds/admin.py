"""Envoy's administration interface, over its unix socket in the run directory."""

import asyncio
import json
import socket
from http.client import HTTPConnection
from pathlib import Path

SOCKET = "envoy-admin.sock"
_POLL_S = 0.02
_TIMEOUT_S = 5


class AdminError(Exception):
    """Envoy's administration interface did not do what it was asked."""


async def request(run_dir: Path, method: str, target: str) -> bytes:
    """Return the body of the answer. Raises AdminError, and OSError when Envoy does not listen."""
    return await asyncio.to_thread(_request, run_dir, method, target)


async def active_requests(run_dir: Path) -> int:
    """Return how many requests of clients are being answered."""
    query = "/stats?format=json&filter=^http%5C..*downstream_rq_active$"
    stats = json.loads(await request(run_dir, "GET", query))["stats"]
    return sum(stat["value"] for stat in stats if not stat["name"].startswith("http.admin."))


async def drain(run_dir: Path, timeout_s: float) -> bool:
    """Refuse new connections, then wait for the requests in flight. After this, send SIGTERM.

    Requests on open connections are still answered, and told that the connection ends.
    Returns False when some were still unanswered after `timeout_s`.
    """
    await request(run_dir, "POST", "/drain_listeners?graceful&skip_exit")
    await request(run_dir, "POST", "/drain_listeners")
    try:
        async with asyncio.timeout(timeout_s):
            # Envoy offers nothing to wait on.
            while await active_requests(run_dir):  # noqa: ASYNC110
                await asyncio.sleep(_POLL_S)
    except TimeoutError:
        return False
    return True


def _request(run_dir: Path, method: str, target: str) -> bytes:
    connection = HTTPConnection("admin", timeout=_TIMEOUT_S)
    connection.sock = socket.socket(socket.AF_UNIX)
    try:
        connection.sock.settimeout(_TIMEOUT_S)
        connection.sock.connect(str(run_dir / SOCKET))
        connection.request(method, target, headers={"Connection": "close"})
        response = connection.getresponse()
        body = response.read()
    finally:
        connection.close()
    if response.status != 200:
        raise AdminError(f"{method} {target}: {response.status} {response.reason}")
    return body
