"""`albatross backup` and `albatross restore`."""

import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import click

from albatross.commands.server import endpoint_option, told

SHOWN_BYTES = 16 * 1024 * 1024  # a transfer of more than this shows how far it is


@click.command()
@endpoint_option
@click.argument("file", type=click.Path(dir_okay=False))
def backup(endpoint: str, file: str) -> None:
    """Write everything that a running server has to FILE.

    All resources of all accounts and Regions at one moment, with packages, private keys and the
    contents of trust stores; no logs. Only you can read FILE, and it is there once it is complete
    and checked. `albatross restore` brings it back, to any kind of database.

    \b
    Examples:
      albatross backup monday.tar
      albatross backup --endpoint http://127.0.0.1:5000 /var/backups/albatross.tar
    """
    from albatross.commands import backup_file

    with _progress("Backup") as progress, _told(endpoint):
        manifest = backup_file.fetch(endpoint, Path(file), progress)
    click.echo(f"{file}: {_counted(manifest.resources)}, revision {manifest.revision}")


@click.command()
@endpoint_option
@click.argument("file", type=click.Path(exists=True, dir_okay=False))
def restore(endpoint: str, file: str) -> None:
    """Replace everything that a running server has by the backup in FILE.

    All of it or nothing, in one revision; traffic follows at once. What the server has now is
    gone afterwards: back it up first if it matters.

    \b
    Examples:
      albatross restore monday.tar
      albatross serve --data-dir /tmp/copy --port 5000 &
      albatross restore --endpoint http://127.0.0.1:5000 monday.tar
    """
    from albatross.commands import backup_file

    with _progress("Restore") as progress, _told(endpoint):
        found = backup_file.send(endpoint, Path(file), progress)
    click.echo(f"{_counted(found['resources'])} as of {found['created_at']}")


@contextmanager
def _progress(label: str) -> Iterator[Callable[[int, int], None]]:
    """Show how far it is, on a terminal, once it takes a while."""
    with ExitStack() as stack:
        bar: Any = None

        def progress(more: int, total: int) -> None:
            nonlocal bar
            if bar is None and total > SHOWN_BYTES and sys.stderr.isatty():
                shown = click.progressbar(length=total, label=label, file=sys.stderr)
                bar = stack.enter_context(shown)
            if bar is not None:
                bar.update(more)

        yield progress


@contextmanager
def _told(endpoint: str) -> Iterator[None]:
    """Let what goes wrong with a backup or a restore be told."""
    from albatross.commands.backup_file import BackupError

    try:
        with told(endpoint):
            yield
    except BackupError as error:
        raise click.ClickException(str(error)) from error


def _counted(resources: int) -> str:
    return f"{resources:,} resource{'' if resources == 1 else 's'}"
