"""How long it takes: to start, to call a new function, until a rule is in effect."""

import math
import socket
import time
from pathlib import Path
from statistics import median

import deployment
import server
from lambda_path import HELLO
from report import Section, Target

STARTS, NEW_FUNCTIONS, RULES = 5, 7, 50
_EFFECT_S = 5.0


def measure() -> Section:
    starts = [_start() for _ in range(STARTS)]
    with server.serve({"log_level": "warning"}) as running:
        made = deployment.Deployment(running.api, server.free_port())
        cold = [_cold_start(made, number) for number in range(NEW_FUNCTIONS)]
        effects = [_effect(made, number) for number in range(RULES)]
    start_s, effect_ms = median(starts), _percentile(effects, 50) * 1000
    return Section(
        title="Times",
        about=(
            "`albatross run` from the command to its first 200; the first request to a new Python "
            "function of a running server; and from CreateRule's answer until a request, sent at "
            "once and then again and again, is answered by that rule (one round trip is in it)."
        ),
        columns=("", "tries", "median ms", "p99 ms", "longest ms"),
        rows=[
            _row("start of `albatross run`", starts),
            _row("first request to a function", cold),
            _row("rule in effect", effects),
        ],
        targets=[
            Target("start of `albatross run`, median", start_s, 1.5, " s"),
            Target("rule in effect, median", effect_ms, 50, " ms"),
            Target("rule in effect, p99", _percentile(effects, 99) * 1000, 50, " ms"),
        ],
    )


def _start() -> float:
    with server.run(HELLO / "app.py", server.free_port()) as (_, took_s):
        return took_s


def _cold_start(made: deployment.Deployment, number: int) -> float:
    source = Path(HELLO / "app.py").read_text()
    group_arn = made.function(f"cold-{number}", source)
    made.rule(1000 + number, f"/cold-{number}", deployment.forward(group_arn))
    begun_s = time.monotonic()
    status = server.get(made.port, f"/cold-{number}")
    assert status == 200, status
    return time.monotonic() - begun_s


def _effect(made: deployment.Deployment, number: int) -> float:
    """Return the seconds from CreateRule's answer to the first response by that rule."""
    request = f"GET /rule-{number} HTTP/1.1\r\nHost: bench\r\n\r\n".encode()
    wanted = f"rule {number} is in effect".encode()
    with socket.create_connection(("127.0.0.1", made.port), timeout=_EFFECT_S) as connection:
        connection.sendall(request)
        assert b"no rule" in connection.recv(65536)
        made.rule(number + 1, f"/rule-{number}", deployment.fixed_response(wanted.decode()))
        begun_s = time.monotonic()
        while time.monotonic() < begun_s + _EFFECT_S:
            connection.sendall(request)
            if wanted in connection.recv(65536):
                return time.monotonic() - begun_s
    raise RuntimeError(f"rule {number} is not in effect after {_EFFECT_S} s")


def _row(name: str, seconds: list[float]) -> tuple[str, ...]:
    values = (median(seconds), _percentile(seconds, 99), max(seconds))
    return (name, str(len(seconds)), *(f"{value * 1000:,.1f}" for value in values))


def _percentile(values: list[float], percent: float) -> float:
    return sorted(values)[math.ceil(len(values) * percent / 100) - 1]
