"""`albatross status`, `albatross hosts`: what a running server serves, and where."""

import json
from typing import Any

import click

from albatross import hosts_file
from albatross.commands.server import ask, endpoint_option


@click.command()
@endpoint_option
@click.option("--json", "as_json", is_flag=True, help="Print everything the server says, as JSON.")
def status(endpoint: str, as_json: bool) -> None:
    """Show what a running server serves, and where its listeners really listen.

    \b
    Examples:
      albatross status
      albatross status --json --endpoint http://127.0.0.1:5000
    """
    found = ask(endpoint)
    click.echo(json.dumps(found, indent=2) if as_json else "\n".join(_status_lines(found)))


@click.command()
@endpoint_option
def hosts(endpoint: str) -> None:
    """Print the lines for a hosts file that make the load balancers' names known to every program.

    Browsers and curl know names below localhost without them.

    \b
    Examples:
      albatross hosts
      albatross hosts | sudo tee -a /etc/hosts
      albatross serve --hosts-file /etc/hosts      keeps them current instead
    """
    balancers = ask(endpoint)["load_balancers"]
    if not balancers:
        click.echo("There is no load balancer yet.", err=True)
    names = [(balancer["dns_name"], balancer["address"]) for balancer in balancers]
    for line in hosts_file.lines(names):
        click.echo(line)


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
