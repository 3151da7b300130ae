"""`albatross run`."""

import os
import sys
from dataclasses import replace
from itertools import takewhile
from typing import Any

import click

from albatross import ports, sources
from albatross.commands import settings, variables
from albatross.config import Config, RunSpec
from albatross.run import handlers
from albatross.run.view import FUNCTION
from albatross.setting import ConfigError

DEBUG_PORTS = {"python": 5678, "nodejs": 9229}  # the ports that their debuggers usually have


@click.command()
@click.argument("target")
@click.option(
    "--port", type=click.IntRange(1, 65535), default=8080, show_default=True, metavar="PORT",
    help="Port on which the load balancer listens.",
)  # fmt: skip
@click.option(
    "--forwarded-port", type=click.IntRange(1, 65535), metavar="PORT",
    help="Port of the listener as functions see it in X-Forwarded-Port.  [default: that of --port]",
)  # fmt: skip
@click.option(
    "--multi-value-headers", is_flag=True,
    help="Set the target group's attribute lambda.multi_value_headers.enabled.",
)  # fmt: skip
@click.option(
    "--env", "pairs", multiple=True, metavar="KEY=VALUE",
    help="Environment variable of the function. May be given several times.",
)  # fmt: skip
@click.option(
    "--env-file", metavar="FILE",
    help="File with environment variables of the function: lines KEY=VALUE. --env wins.",
)  # fmt: skip
@click.option(
    "--timeout", type=click.IntRange(1, 900), default=30, show_default=True, metavar="SECONDS",
    help="The function's timeout. (AWS's default is 3, too short for a debugger.)",
)  # fmt: skip
@click.option(
    "--memory", type=click.IntRange(128, 10_240), default=128, show_default=True, metavar="MB",
    help="The function's memory, as it is told to the function.",
)  # fmt: skip
@click.option(
    "--concurrency", type=click.IntRange(min=0), metavar="N",
    help="Most requests at one time (reserved concurrency); beyond that the answer is 502.",
)  # fmt: skip
@click.option("-v", "--verbose", is_flag=True, help="Show events, responses and the server's log.")
@click.option("--json", "as_json", is_flag=True, help="Print what happens as lines of JSON.")
@click.option(
    "--debug", "debug_port", is_flag=False, flag_value=0, type=click.IntRange(0, 65535),
    metavar="[PORT]",
    help="Run the function under a debugger that listens on PORT (5678 for Python, 9229 for "
    "Node.js). Timeouts are suspended.",
)  # fmt: skip
@click.option(
    "--debug-wait", is_flag=True, help="As --debug; the function waits for a debugger to attach."
)
@click.option(
    "--debug-headers", is_flag=True, help="Tell clients in response headers why a request failed."
)
@click.option("--ends-with-input", is_flag=True, hidden=True)
def run(target: str, **options: Any) -> None:
    """Serve one handler behind a load balancer, and reload it when its code changes.

    TARGET is a file, a directory with app.py, lambda_function.py, index.mjs, index.js or main.py,
    or MODULE.FUNCTION. The function is called handler or lambda_handler unless TARGET says
    otherwise. An executable file named bootstrap is a runtime of its own (provided.al2023).

    \b
    Examples:
      albatross run app.py
      albatross run src/app.handler --port 3000 --env TABLE=orders
      albatross run index.mjs -v
      albatross run app.py --debug          then attach a debugger to port 5678
    """
    settings.start(lambda: _run_config(target, **options))


def _run_config(
    target: str,
    *,
    pairs: tuple[str, ...],
    env_file: str | None,
    timeout: int,
    memory: int,
    verbose: bool,
    debug_port: int | None,
    debug_wait: bool,
    debug_headers: bool,
    **options: Any,
) -> Config:
    handler = handlers.find(target)
    port = _debug_port(handler.runtime, debug_port, debug_wait)
    environment = variables.read(env_file) if env_file else {}
    for pair in pairs:
        environment |= variables.parse(pair, "--env")
    spec = RunSpec(
        directory=handler.directory,
        handler=handler.name,
        runtime=handler.runtime,
        environment=environment,
        timeout_s=timeout,
        memory_mb=memory,
        verbose=verbose,
        debug_port=port,
        colour=sys.stdout.isatty() and "NO_COLOR" not in os.environ,
        **options,
    )
    loaded = sources.load({}, os.environ)
    return replace(
        loaded,
        port=0,
        run=spec,
        log_level="info" if verbose and not spec.as_json else "warning",
        debug={FUNCTION: port} if port else {},
        debug_wait=debug_wait,
        debug_headers=debug_headers or loaded.debug_headers,
    )


def _debug_port(runtime: str, given: int | None, waits: bool) -> int | None:
    """Return the port for a debugger, None for none. Raises ConfigError."""
    if given is None and not waits:
        return None
    language = "".join(takewhile(str.isalpha, runtime))
    if language not in DEBUG_PORTS:
        raise ConfigError(f"--debug: there is no debugger for the runtime {runtime}.")
    port = given or DEBUG_PORTS[language]
    if fault := ports.in_use("127.0.0.1", port):
        raise ConfigError(f"--debug: {fault}")
    return port
