"""Envoy's administration interface, over its unix socket in the run directory."""

import asyncio
import json
import socket
from collections.abc import Iterable, Mapping
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any

SOCKET = "envoy-admin.sock"
_POLL_S = 0.02
_TIMEOUT_S = 5


class AdminError(OSError):
    """Envoy's administration interface did not do what it was asked."""


async def request(run_dir: Path, method: str, target: str) -> bytes:
    """Return the body of the answer. Raises AdminError, and OSError when Envoy does not listen."""
    return await asyncio.to_thread(_request, run_dir, method, target)


async def reopen_logs(run_dir: Path) -> None:
    """Have Envoy write what it holds of its logs, then open their files anew."""
    await request(run_dir, "POST", "/reopen_logs")


async def flush_logs(run_dir: Path) -> None:
    """Have Envoy write what it holds of its logs, and wait until it has. Raises TimeoutError."""
    await reopen_logs(run_dir)
    async with asyncio.timeout(_TIMEOUT_S):
        # Envoy offers nothing to wait on.
        while any((await _stats(run_dir, "^filesystem.write_total_buffered$")).values()):  # noqa: ASYNC110
            await asyncio.sleep(_POLL_S)


async def active_requests(run_dir: Path) -> int:
    """Return how many requests of clients are being answered."""
    stats = await _stats(run_dir, "^http%5C..*downstream_rq_active$")
    return sum(value for name, value in stats.items() if not name.startswith("http.admin."))


async def requests_by_host(run_dir: Path) -> dict[str, dict[str, tuple[int, int]]]:
    """Return by cluster and by address how many requests have failed, and all that have ended."""
    answer = json.loads(await request(run_dir, "GET", "/clusters?format=json"))
    return {
        cluster["name"]: {
            _address(host["address"]["socket_address"]): _failed_and_all(host["stats"])
            for host in cluster.get("host_statuses", ())
            if "socket_address" in host["address"]
        }
        for cluster in answer.get("cluster_statuses", ())
    }


def _address(document: Mapping[str, Any]) -> str:
    host, port = document["address"], document["port_value"]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _failed_and_all(stats: Iterable[Mapping[str, str]]) -> tuple[int, int]:
    """Return what a host's statistics say.

    Envoy counts as a success what was answered without a 5XX. What is neither one nor under way has
    failed, and so has a request for which there was no connection.
    """
    found = {stat["name"]: int(stat.get("value", 0)) for stat in stats}
    succeeded = found["rq_success"]
    unanswered = max(0, found["rq_total"] - found["rq_active"] - succeeded)
    failed = unanswered + found["cx_connect_fail"]
    return failed, failed + succeeded


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


async def _stats(run_dir: Path, names: str) -> dict[str, int]:
    """Return the values of Envoy's statistics whose names match an expression."""
    answer = await request(run_dir, "GET", f"/stats?format=json&filter={names}")
    return {stat["name"]: stat["value"] for stat in json.loads(answer)["stats"]}


def _request(run_dir: Path, method: str, target: str) -> bytes:
    connection = HTTPConnection("admin", timeout=_TIMEOUT_S)
    connection.sock = socket.socket(socket.AF_UNIX)
    try:
        connection.sock.settimeout(_TIMEOUT_S)
        connection.sock.connect(str(run_dir / SOCKET))
        connection.request(method, target, headers={"Connection": "close"})
        response = connection.getresponse()
        body = response.read()
    except HTTPException as error:
        raise AdminError(f"{method} {target}: {error}") from error
    finally:
        connection.close()
    if response.status != 200:
        raise AdminError(f"{method} {target}: {response.status} {response.reason}")
    return body
