"""The user's command. Each subcommand is a module's, or part of one's, in `commands/`."""

import click

from albatross import __version__
from albatross.commands import backups, ca, dead_letters, event, invoke, logs, run, serve, status


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, package_name="albatross", message="albatross %(version)s")
def cli() -> None:
    """An Application Load Balancer on your machine, with Lambda functions as targets.

    \b
    Examples:
      albatross run app.py       serve one handler, reloaded when it changes
      albatross serve            serve the AWS API: use it with the aws command, boto3, ...
    """


for command in (
    serve.serve,
    run.run,
    invoke.invoke,
    event.event,
    logs.logs,
    status.status,
    status.hosts,
    backups.backup,
    backups.restore,
    ca.ca,
    dead_letters.dead_letters,
):
    cli.add_command(command)
