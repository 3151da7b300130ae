"""What commands that start a server have in common: settings, and the start itself."""

from collections.abc import Callable
from typing import Any

import click

from albatross import access, config
from albatross.config import Config
from albatross.launch import launch
from albatross.setting import ConfigError


def from_settings(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give `command` an option for each setting that has a flag."""
    for setting in reversed(config.settings()):
        if setting.metadata["flag"]:
            default = setting.metadata["shown"] or setting.default
            is_switch = setting.type is bool
            described = setting.metadata["doc"].replace("`", "")
            if not is_switch and default != "":
                described += f"  [default: {default}]"
            command = click.option(
                "--" + setting.name.replace("_", "-"),
                is_flag=is_switch,
                default=None,
                metavar=setting.metadata["metavar"] or None,
                help=described,
            )(command)
    return command


def start(settings: Callable[[], Config]) -> None:
    try:
        chosen = settings()
        for warning in access.check(chosen):
            click.echo(f"Warning: {warning}", err=True)
        launch(chosen)
    except ConfigError as error:
        raise click.ClickException(str(error)) from error
