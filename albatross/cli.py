"""The user's command. Each subcommand is a module's, or part of one's, in `commands/`."""

from collections.abc import Iterator, Mapping
from importlib import import_module

import click

from albatross import __version__

_MODULES = {
    "serve": "serve",
    "run": "run",
    "invoke": "invoke",
    "event": "event",
    "logs": "logs",
    "status": "status",
    "hosts": "status",
    "backup": "backups",
    "restore": "backups",
    "ca": "ca",
    "dead-letters": "dead_letters",
}


class _Commands(Mapping[str, click.Command]):
    """By name, each imported when it is asked for: all of them take twice as long as `serve`."""

    def __getitem__(self, name: str) -> click.Command:
        module = import_module(f"albatross.commands.{_MODULES[name]}")
        command: click.Command = getattr(module, name.replace("-", "_"))
        return command

    def __iter__(self) -> Iterator[str]:
        return iter(_MODULES)

    def __len__(self) -> int:
        return len(_MODULES)


@click.group(
    commands=_Commands(),
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, package_name="albatross", message="albatross %(version)s")
def cli() -> None:
    """An Application Load Balancer on your machine, with Lambda functions as targets.

    \b
    Examples:
      albatross run app.py       serve one handler, reloaded when it changes
      albatross serve            serve the AWS API: use it with the aws command, boto3, ...
    """
