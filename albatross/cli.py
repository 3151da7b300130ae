"""The user's command: `albatross serve`, `run`, `status`, `hosts`."""

import http.client
import json
import os
import re
import sys
import urllib.error
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from albatross import __version__, access, config, handlers, hosts_file, own_paths
from albatross.config import Config, ConfigError, RunSpec
from albatross.launch import launch

SHOWN_BYTES = 16 * 1024 * 1024  # a transfer of more than this shows how far it is
STATUS_S = 5  # how long a server may take to say how it does
_VARIABLE = re.compile(r"[a-zA-Z][a-zA-Z0-9_]+")  # Lambda API, `EnvironmentVariableName`


def _from_settings(command: Callable[..., Any]) -> Callable[..., Any]:
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


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, package_name="albatross", message="albatross %(version)s")
def cli() -> None:
    """An Application Load Balancer on your machine, with Lambda functions as targets.

    \b
    Examples:
      albatross run app.py       serve one handler, reloaded when it changes
      albatross serve            serve the AWS API: use it with the aws command, boto3, ...
    """


@cli.command()
@_from_settings
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
    _launch(lambda: config.load(flags, os.environ, file))


@cli.command()
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
    _launch(lambda: _run_config(target, **options))


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
    variables = _read_variables(env_file) if env_file else {}
    for pair in pairs:
        variables |= _variable(pair, "--env")
    spec = RunSpec(
        directory=handler.directory,
        handler=handler.name,
        runtime=handler.runtime,
        environment=variables,
        timeout_s=timeout,
        memory_mb=memory,
        verbose=verbose,
        colour=sys.stdout.isatty() and "NO_COLOR" not in os.environ,
        **options,
    )
    settings = config.load({}, os.environ)
    return replace(settings, port=0, run=spec, log_level="info" if verbose else "warning")


def _read_variables(path: str) -> dict[str, str]:
    """Return the variables in the file `path`. Raises ConfigError."""
    try:
        with open(path, encoding="utf-8") as file:
            lines = file.read().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"--env-file {path}: cannot be read: {error}") from error
    variables = {}
    for number, line in enumerate(lines, 1):
        text = line.strip().removeprefix("export ")
        if text and not text.startswith("#"):
            ((key, value),) = _variable(text, f"{path}:{number}").items()
            variables[key] = _unquoted(value.strip())
    return variables


def _variable(text: str, place: str) -> dict[str, str]:
    key, equals, value = text.partition("=")
    key = key.strip()
    if not equals or not _VARIABLE.fullmatch(key):
        # Not the text itself: it may be a secret whose line has lost its name.
        raise ConfigError(
            f"{place} must be KEY=VALUE, with a KEY of at least two letters, digits or _ that "
            "starts with a letter."
        )
    return {key: value}


def _unquoted(value: str) -> str:
    quoted = len(value) > 1 and value[0] == value[-1] and value[0] in "\"'"
    return value[1:-1] if quoted else value


def _launch(settings: Callable[[], Config]) -> None:
    try:
        chosen = settings()
        for warning in access.check(chosen):
            click.echo(f"Warning: {warning}", err=True)
        launch(chosen)
    except (ConfigError, handlers.NoHandler) as error:
        raise click.ClickException(str(error)) from error


_endpoint = click.option(
    "--endpoint",
    default="http://127.0.0.1:4566",
    show_default=True,
    metavar="URL",
    envvar="ALBATROSS_ENDPOINT",
    help="Where the server's API is.",
)


@cli.command()
@_endpoint
@click.option("--json", "as_json", is_flag=True, help="Print everything the server says, as JSON.")
def status(endpoint: str, as_json: bool) -> None:
    """Show what a running server serves, and where its listeners really listen.

    \b
    Examples:
      albatross status
      albatross status --json --endpoint http://127.0.0.1:5000
    """
    found = _ask(endpoint)
    click.echo(json.dumps(found, indent=2) if as_json else "\n".join(_status_lines(found)))


@cli.command()
@_endpoint
def hosts(endpoint: str) -> None:
    """Print the lines for a hosts file that make the load balancers' names known to every program.

    Browsers and curl know names below localhost without them.

    \b
    Examples:
      albatross hosts
      albatross hosts | sudo tee -a /etc/hosts
      albatross serve --hosts-file /etc/hosts      keeps them current instead
    """
    balancers = _ask(endpoint)["load_balancers"]
    names = [(balancer["dns_name"], balancer["address"]) for balancer in balancers]
    for line in hosts_file.lines(names):
        click.echo(line)


@cli.command()
@_endpoint
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
    from albatross import backup_file  # the other commands start without it

    with _progress("Backup") as progress, _told(endpoint):
        manifest = backup_file.fetch(endpoint, Path(file), progress)
    click.echo(f"{file}: {manifest.resources} resources, revision {manifest.revision}")


@cli.command()
@_endpoint
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
    from albatross import backup_file  # the other commands start without it

    with _progress("Restore") as progress, _told(endpoint):
        found = backup_file.send(endpoint, Path(file), progress)
    click.echo(f"{found['resources']} resources as of {found['created_at']}")


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
    from albatross.backup_file import BackupError

    try:
        yield
    except BackupError as error:
        raise click.ClickException(str(error)) from error
    except own_paths.Refused as error:
        raise click.ClickException(f"{endpoint} refuses: {error}") from error
    except urllib.error.HTTPError as error:
        text = error.read().decode(errors="replace").strip()
        raise click.ClickException(f"{endpoint}: {text or error}") from error
    except (OSError, ValueError, http.client.HTTPException) as error:
        reason = error.reason if isinstance(error, urllib.error.URLError) else error
        raise _no_server(endpoint, reason) from error


@cli.command()
@_endpoint
@click.option(
    "--export", "file", metavar="FILE", help="Write the certificate there; - writes it here."
)
def ca(endpoint: str, file: str | None) -> None:
    """Show the local certificate authority, which issues what RequestCertificate asks for.

    No program trusts it until it is told to. Whoever trusts it trusts every certificate that this
    server issues: its key is in the data directory and readable by you only.

    \b
    Examples:
      albatross ca
      albatross ca --export root.pem
      albatross ca --export - | openssl x509 -noout -text
    """
    path = os.path.join(_ask(endpoint)["data_dir"], "ca", "root.pem")
    pem = _get(endpoint, "ca").decode()
    if file == "-":
        click.echo(pem, nl=False)
        return
    if file is not None:
        try:
            with open(file, "w", encoding="ascii") as target:
                target.write(pem)
        except OSError as error:
            raise click.ClickException(f"--export {file}: {error.strerror}") from error
        path = file
    for line in (path, f"curl --cacert {path} https://NAME/", f"export SSL_CERT_FILE={path}"):
        click.echo(line)


def _ask(endpoint: str) -> dict[str, Any]:
    """Return the status of the server at `endpoint`."""
    try:
        found: dict[str, Any] = json.loads(_get(endpoint, "status"))
    except ValueError as error:
        raise _no_server(endpoint, error) from error
    return found


def _get(endpoint: str, name: str) -> bytes:
    """Return what the server at `endpoint` answers below /_albatross/."""
    try:
        return own_paths.get(endpoint, name, timeout_s=STATUS_S)
    except own_paths.Refused as error:
        raise click.ClickException(f"{endpoint} refuses: {error}") from error
    except (OSError, ValueError) as error:
        reason = error.reason if isinstance(error, urllib.error.URLError) else error
        raise _no_server(endpoint, reason) from error


def _no_server(endpoint: str, reason: object) -> click.ClickException:
    return click.ClickException(
        f"No server answers at {endpoint}: {reason}. Start one with `albatross serve`, or name "
        "another with --endpoint."
    )


def _status_lines(found: dict[str, Any]) -> list[str]:
    state = "ready" if found["ready"] else "not ready: " + "; ".join(found["missing"])
    lines = [
        f"albatross {found['version']}, {state}",
        f"API {found['api']}",
        f"data {found['data_dir']}",
    ]
    problems = filter(None, [found["problem"], *found["refused_by_proxy"].values()])
    lines += [f"problem: {problem}" for problem in problems]
    for balancer in found["load_balancers"]:
        lines.append(f"load balancer {balancer['name']}: {balancer['dns_name']}")
        address = balancer["address"]
        lines += ["  " + _listener_line(listener, address) for listener in balancer["listeners"]]
    lines += [
        f"function {function['name']}: {function['runtime']}, {function['handler']}"
        for function in found["functions"]
    ]
    lines += [
        f"process {name}: pid {process['pid']}, started {process['starts']} time(s)"
        for name, process in found["processes"].items()
    ]
    return lines


def _listener_line(listener: dict[str, Any], address: str) -> str:
    wanted = f"{listener['protocol']} {listener['port']}"
    if listener["error"]:
        return f"{wanted}: does not listen: {listener['error']}"
    scheme = listener["protocol"].lower()
    real = f"{wanted}: {scheme}://{address}:{listener['real_port']}"
    if listener["real_port"] != listener["port"]:
        real += " (ports below 1024 take rights that the server does not have)"
    return real


def main() -> None:
    """The console script."""
    cli(prog_name="albatross")


if __name__ == "__main__":
    main()
