"""docs/configuration.md and docs/cli.md, from the settings and the commands themselves.

python -m albatross.pages.reference configuration > docs/configuration.md
python -m albatross.pages.reference cli > docs/cli.md
"""

import sys
from typing import get_origin

import click

from albatross import cli, config

_KINDS = {bool: "true or false", int: "whole number", float: "number", str: "text", dict: "table"}
_CONFIGURATION = """\
# Configuration

<!-- Made by `make docs` from albatross/config.py: change it there. -->

A setting comes from, in this order: a flag of `albatross serve`, a variable of the environment,
the file `albatross.toml` (of the current directory, or the one named with `--config`), its default.

    albatross serve --region eu-west-1
    ALBATROSS_REGION=eu-west-1 albatross serve
    echo 'region = "eu-west-1"' >> albatross.toml && albatross serve

A value that is wrong stops the start, with the place and the remedy. `albatross run` takes the
variables and the file too, except `port`, `data_dir` and `log_level`.

Where instances are, for target groups of the target type `instance`, is a table of the file alone:

```toml
[instances]
i-0123456789abcdef0 = "127.0.0.1"
```

An instance keeps the address that it had when it was registered.

So is where functions are that run elsewhere; its members are in
[remote-functions.md](remote-functions.md):

```toml
[remote_functions."arn:aws:lambda:eu-west-1:123456789012:function:*"]
endpoint = "aws"
profile = "dev"
```
"""
_CLI = """\
# Commands

<!-- Made by `make docs` from albatross/commands/: change it there. -->

What each command says with `--help`. Every setting is in [configuration.md](configuration.md).
"""


def configuration_page() -> str:
    """Return docs/configuration.md."""
    parts = [_CONFIGURATION]
    for setting in config.settings():
        kind = get_origin(setting.type) or setting.type
        assert isinstance(kind, type)
        shown = setting.metadata["shown"] or _toml(setting.default)
        sources = [f"`{config.ENVIRONMENT_PREFIX}{setting.name.upper()}`"]
        if setting.metadata["flag"]:
            sources.insert(0, f"`--{setting.name.replace('_', '-')}`")
        facts = f"{_KINDS[kind]}, default {shown}; {', '.join(sources)}"
        parts.append(f"## {setting.name}\n\n{setting.metadata['doc']}\n\n{facts}\n")
    return "\n".join(parts)


def _toml(value: object) -> str:
    if value == "":
        return "none"
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return f'`"{text}"`' if isinstance(value, str) else f"`{text}`"


def cli_page() -> str:
    """Return docs/cli.md."""
    parts = [_CLI]
    for name, command in cli.cli.commands.items():
        context = click.Context(command, info_name=f"albatross {name}", terminal_width=90)
        context.help_option_names = ["-h", "--help"]
        text = "\n".join(f"    {line}".rstrip() for line in command.get_help(context).splitlines())
        parts.append(f"## albatross {name}\n\n{text}\n")
    return "\n".join(parts)


PAGES = {"configuration": configuration_page, "cli": cli_page}

if __name__ == "__main__":
    sys.stdout.write(PAGES[sys.argv[1]]())
