"""What health checks of 1,000 targets cost the control plane, by kind of check."""

import asyncio
import multiprocessing
import ssl
import subprocess
import tempfile
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import grpc
import uvloop
from backend import Backend
from report import Section, Target

from albatross.health.checker import Health
from albatross.health.outcome import Outcome
from albatross.health.probe import ServerProbe, check_server
from albatross.health.resumption import Resumption
from albatross.model.health import HealthCheckRecord
from albatross.model.snapshot import Snapshot
from albatross.model.target_group import HealthCheck, TargetGroup
from albatross.model.target_group import Target as Registered

TARGETS = 1_000
INTERVAL_S = 5
CORES_MAX = 0.1


def measure() -> Section:
    section = Section(
        title="Health checks",
        about=(
            f"{TARGETS:,} targets, each checked every {INTERVAL_S} s on a connection of its own: "
            f"processor time of the checking process, as part of one core and by check, over one "
            f"interval after the first."
        ),
        columns=("check", "core", "us a check", "checks/s", "failed"),
    )
    with tempfile.TemporaryDirectory() as directory:
        certificate = _certificate(Path(directory))
        cores = {
            "HTTP": _measure(section, "HTTP", lambda ready: _serve(ready, None)),
            "HTTPS": _measure(
                section, "HTTPS", lambda ready: _serve(ready, certificate), protocol="HTTPS"
            ),
            "gRPC": _measure(section, "gRPC", _serve_grpc, version="GRPC"),
        }
        _measure(
            section,
            "HTTPS, TLS 1.3 only",
            lambda ready: _serve(ready, certificate, ssl.TLSVersion.TLSv1_3),
            protocol="HTTPS",
        )
        _measure(
            section,
            "HTTPS, no session resumed",
            lambda ready: _serve(ready, certificate),
            protocol="HTTPS",
            connect=_as_if_new,
        )
    for check in ("HTTP", "HTTPS"):
        what = f"cores for {TARGETS:,} targets over {check}, every {INTERVAL_S} s"
        section.targets.append(Target(what, cores[check], CORES_MAX))
    return section


def _measure(
    section: Section,
    name: str,
    serve: Callable[[Connection], Any],
    *,
    protocol: str = "HTTP",
    version: str = "HTTP1",
    connect: ServerProbe = check_server,
) -> float:
    """Measure one kind of check, add its row, and return the part of a core that it takes."""
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("fork").Process(
        target=lambda: uvloop.run(serve(theirs)), daemon=True
    )
    process.start()
    try:
        group = _group(ours.recv(), protocol, version)
        cpu_s, elapsed_s, records = uvloop.run(_check(group, connect))
    finally:
        process.kill()
        process.join()
    failed = sum(not record.passed for record in records)
    core = cpu_s / elapsed_s
    by_check = f"{cpu_s / len(records) * 1e6:.0f}"
    rate = f"{len(records) / elapsed_s:.0f}"
    section.rows.append((name, f"{core:.3f}", by_check, rate, f"{failed}"))
    return core


async def _check(
    group: TargetGroup, connect: ServerProbe
) -> tuple[float, float, list[HealthCheckRecord]]:
    """Return processor time, time, and the checks of one interval."""
    records: list[HealthCheckRecord] = []
    health = Health(
        invoke=_no_function, changed=lambda: None, record=records.append, connect=connect
    )
    # No rule is needed where the snapshot is told that the group is used.
    used: Any = {group.arn: None}
    health.update(Snapshot(revision=1, target_groups=(group,), used=used))
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(health.run())
        await asyncio.sleep(INTERVAL_S)
        records.clear()
        begun_s, cpu_s = time.monotonic(), time.process_time()
        await asyncio.sleep(INTERVAL_S)
        cpu_s, elapsed_s = time.process_time() - cpu_s, time.monotonic() - begun_s
        running.cancel()
    return cpu_s, elapsed_s, records


def _group(port: int, protocol: str, version: str) -> TargetGroup:
    """Return a group whose targets are checked at one port, which all of them share."""
    return TargetGroup(
        arn="arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/bench/0",
        name="bench",
        target_type="ip",
        protocol=protocol,
        protocol_version=version,
        targets=tuple(Registered(id="127.0.0.1", port=1 + n) for n in range(TARGETS)),
        health_check=HealthCheck(
            enabled=True,
            interval_s=INTERVAL_S,
            timeout_s=INTERVAL_S - 1,
            protocol=protocol,
            port=str(port),
            grpc_codes="12",
        ),
    )


async def _no_function(_: TargetGroup, __: Registered) -> Outcome:
    raise AssertionError("there is no function")


async def _as_if_new(group: TargetGroup, target: Registered, _: Resumption) -> Outcome:
    """Check a target as if it could not resume a session."""
    return await check_server(group, target, Resumption())


async def _serve(
    ready: Connection, certificate: Path | None, oldest: ssl.TLSVersion = ssl.TLSVersion.TLSv1_2
) -> None:
    tls = None
    if certificate is not None:
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.minimum_version = oldest
        tls.load_cert_chain(certificate)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Backend, "127.0.0.1", 0, ssl=tls)
    ready.send(server.sockets[0].getsockname()[1])
    await server.serve_forever()


async def _serve_grpc(ready: Connection) -> None:
    """Serve no method: each call is answered with UNIMPLEMENTED, which is 12."""
    server = grpc.aio.server()
    ready.send(server.add_insecure_port("127.0.0.1:0"))
    await server.start()
    await server.wait_for_termination()


def _certificate(directory: Path) -> Path:
    """Return a file with a new key and its self-signed certificate."""
    path, key = directory / "certificate.pem", directory / "key.pem"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
    command += ["-nodes", "-keyout", key, "-out", path, "-subj", "/CN=bench"]
    subprocess.run(command, check=True, capture_output=True)
    path.write_text(path.read_text() + key.read_text())
    return path
