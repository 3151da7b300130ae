"""`albatross serve`."""

import os

import click

from albatross import sources
from albatross.commands import settings


@click.command()
@settings.from_settings
@click.option(
    "--config",
    "file",
    metavar="FILE",
    envvar="ALBATROSS_CONFIG",
    help="File with settings.  [default: albatross.toml, if there is one]",
)
def serve(file: str | None, **flags: object) -> None:
    """Serve the AWS API and the load balancers that are made through it.

    Every setting can also be a variable (ALBATROSS_DATA_DIR) or a line of albatross.toml
    (data_dir = "..."); docs/configuration.md lists them all.

    \b
    Examples:
      albatross serve
      albatross serve --port 0 --data-dir /tmp/trial
      aws --endpoint-url http://127.0.0.1:4566 elbv2 describe-load-balancers
    """
    settings.start(lambda: sources.load(flags, os.environ, file))
