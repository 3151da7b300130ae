"""`albatross run`."""

import os
import sys
from dataclasses import replace
from typing import Any

import click

from albatross import config, handlers
from albatross.commands import settings, variables
from albatross.config import Config, RunSpec


@click.command()
@click.argument("target")
@click.option(
    "--port", type=click.IntRange(1, 65535), default=8080, show_default=True, metavar="PORT",
    help="Port on which the load balancer listens.",
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
def run(target: str, **options: Any) -> None:
    """Serve one handler behind a load balancer, and reload it when its code changes.

    TARGET is a file, a directory with app.py, lambda_function.py, index.mjs, index.js or main.py,
    or MODULE.FUNCTION. The function is called handler or lambda_handler unless TARGET says
    otherwise.

    \b
    Examples:
      albatross run app.py
      albatross run src/app.handler --port 3000 --env TABLE=orders
      albatross run index.mjs -v
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
    **options: Any,
) -> Config:
    handler = handlers.find(target)
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
        colour=sys.stdout.isatty() and "NO_COLOR" not in os.environ,
        **options,
    )
    loaded = config.load({}, os.environ)
    return replace(loaded, port=0, run=spec, log_level="info" if verbose else "warning")
