"""The command line: what reaches the server's settings, and what is said about mistakes."""

import os
import signal
import socket
import subprocess
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from click.testing import CliRunner, Result

from albatross import cli
from albatross.commands import settings, status, variables
from albatross.config import Config
from albatross.setting import ConfigError
from tests.support.command import ALBATROSS


class Launched(Exception):
    pass


@pytest.fixture
def launched(monkeypatch, tmp_path) -> list[Config]:
    """What would have been started, in an empty directory."""
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("ALBATROSS_")]:
        monkeypatch.delenv(name)
    seen: list[Config] = []
    monkeypatch.setattr(settings, "launch", seen.append)
    return seen


def test_ctrl_c_while_the_command_is_loaded_ends_it_without_a_word(tmp_path):
    interrupts = "import os, signal, time\nos.kill(os.getpid(), signal.SIGINT)\ntime.sleep(9)\n"
    (tmp_path / "click.py").write_text(interrupts)
    done = subprocess.run(
        [*ALBATROSS, "--help"],
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        check=False,
    )
    assert done.returncode == -signal.SIGINT  # a shell says 130
    assert done.stderr == b""


def call(*arguments: str, **options: Any) -> Result:
    return CliRunner().invoke(cli.cli, arguments, **options)


def test_flags_become_settings(launched):
    result = call("serve", "--port", "0", "--strict", "--data-dir", "d", "--region", "eu-west-1")
    assert result.exit_code == 0, result.output
    (config,) = launched
    assert (config.port, config.strict, config.region) == (0, True, "eu-west-1")
    assert config.data_dir == os.path.abspath("d")
    assert config.run is None


def test_variables_and_a_named_file_count_too(launched):
    Path("my.toml").write_text("grace_s = 1\nport = 1\n")
    environment = {"ALBATROSS_PORT": "2", "ALBATROSS_CONFIG": "my.toml"}
    assert call("serve", env=environment).exit_code == 0
    assert (launched[0].grace_s, launched[0].port) == (1.0, 2)


def test_a_wrong_setting_ends_the_command_with_its_message(launched):
    result = call("serve", "--port", "x")
    assert result.exit_code == 1
    assert result.stderr == "Error: --port must be a whole number, not 'x'.\n"
    assert not launched


def test_what_is_in_the_way_of_a_start_is_said(launched, monkeypatch):
    def refuse(_: Config) -> None:
        raise ConfigError("Port 1 is in use.")

    monkeypatch.setattr(settings, "launch", refuse)
    result = call("serve")
    assert (result.exit_code, result.stderr) == (1, "Error: Port 1 is in use.\n")


def test_binding_to_the_network_prints_a_warning(launched):
    result = call("serve", "--bind", "0.0.0.0", "--allow-unauthenticated")
    assert result.stderr.startswith("Warning: binding to 0.0.0.0.")
    assert call("serve").stderr == ""
    assert len(launched) == 2
    result = call("serve", "--bind", "0.0.0.0")
    assert (result.exit_code, len(launched)) == (1, 2)
    assert result.stderr.startswith("Error: bind: 0.0.0.0 is not a loopback address")


def test_run_makes_a_spec_of_the_handler(launched):
    Path("app.py").write_text("def handler(event, context): ...\n")
    Path("vars").write_text(
        '# a comment\n\nexport ONE=1\nTWO = two words \nTHREE="a = b"\nFOUR=file\n'
    )
    result = call(
        *("run", "app.py", "--port", "3000", "--multi-value-headers", "--env", "FOUR=' flag '"),
        *("--env-file", "vars", "--timeout", "5", "--memory", "256", "--concurrency", "3"),
    )
    assert result.exit_code == 0, result.output
    (config,) = launched
    spec = config.run
    assert spec is not None
    assert (spec.directory, spec.handler, spec.port) == (os.getcwd(), "app.handler", 3000)
    assert (spec.timeout_s, spec.memory_mb, spec.concurrency) == (5, 256, 3)
    assert spec.multi_value_headers
    assert spec.environment == {
        "ONE": "1",
        "TWO": "two words",
        "THREE": "a = b",
        "FOUR": "' flag '",
    }
    assert (config.port, config.log_level) == (0, "warning")


def test_run_without_options_has_the_defaults_of_its_help(launched):
    Path("app.py").write_text("def handler(event, context): ...\n")
    call("run", ".")
    spec = launched[0].run
    assert spec is not None
    assert (spec.port, spec.timeout_s, spec.memory_mb, spec.concurrency) == (8080, 30, 128, None)
    assert not (spec.colour or spec.verbose or spec.multi_value_headers)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        pytest.param(["run", "gone.py"], "gone.py: no such file.", id="target"),
        pytest.param(["run", "app.py", "--env", "NOVALUE"], "--env must be KEY=VALUE", id="pair"),
        pytest.param(["run", "app.py", "--env-file", "bad"], "bad:2 must be KEY=VALUE", id="file"),
        pytest.param(
            ["run", "app.py", "--env-file", "gone"], "--env-file gone: cannot be read", id="no file"
        ),
    ],
)
def test_mistakes_with_run_are_explained(launched, arguments, message):
    Path("app.py").write_text("def handler(event, context): ...\n")
    Path("bad").write_text("OK=1\n1X=2\n")
    result = call(*arguments)
    assert result.exit_code == 1
    assert result.stderr.startswith(f"Error: {message}")


@pytest.mark.parametrize("command", ["status", "hosts", "ca"])
def test_without_a_server_its_absence_is_said_with_the_remedy(command):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    result = call(command, "--endpoint", f"http://127.0.0.1:{port}")
    assert result.exit_code == 1
    assert result.stderr.startswith(
        f"Error: No server answers at http://127.0.0.1:{port}: Connection refused. "
        "Start one with `albatross serve`"
    )


@pytest.mark.parametrize("status", [200, 404])
@pytest.mark.parametrize("command", ["status", "dead-letters"])
def test_a_server_that_is_no_albatross_is_said(command, status):
    class Page(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(status)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(b"<html>Welcome")

        def log_message(self, *_):
            pass

    with HTTPServer(("127.0.0.1", 0), Page) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        endpoint = f"http://127.0.0.1:{server.server_port}"
        result = call(command, "--endpoint", endpoint)
        server.shutdown()
    assert result.exit_code == 1
    assert result.stderr == (
        f"Error: What answers at {endpoint} is no Albatross. Name its API with --endpoint.\n"
    )


@pytest.mark.parametrize("command", ["invoke", "logs"])
def test_a_profile_that_is_not_there_is_said(monkeypatch, command):
    monkeypatch.setenv("AWS_PROFILE", "nobodys")
    result = call(command, "f")
    assert result.exit_code == 1
    assert result.stderr == "Error: The config profile (nobodys) could not be found\n"


def test_status_shows_where_listeners_are_and_why_not():
    listener = {"protocol": "HTTP", "port": 80, "real_port": 8080, "error": None}
    found = {
        "version": "1",
        "ready": False,
        "missing": ["the proxy has not connected"],
        "problem": "a rule is wrong",
        "refused_by_proxy": {"Listener": "no"},
        "api": "http://127.0.0.1:4566",
        "data_dir": "/data",
        "processes": {"host": {"pid": 7, "starts": 2}},
        "functions": [{"name": "f", "runtime": "python3.11", "handler": "a.b"}],
        "load_balancers": [
            {
                "name": "web",
                "dns_name": "web.localhost",
                "address": "127.0.0.1",
                "listeners": [listener, {**listener, "port": 81, "error": "In use."}],
            }
        ],
    }
    assert status._status_lines(found) == [
        "albatross 1, not ready: the proxy has not connected",
        "API http://127.0.0.1:4566",
        "data /data",
        "problem: a rule is wrong",
        "problem: no",
        "load balancer web: web.localhost",
        "  HTTP 80: http://127.0.0.1:8080 "
        "(ports below 1024 take rights that the server does not have)",
        "  HTTP 81: does not listen: In use.",
        "function f: python3.11, a.b",
        "process host: pid 7, started 2 time(s)",
    ]


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="/dev/full is Linux's")
def test_output_for_which_there_is_no_room_is_said_in_a_line():
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-P", "-m", "albatross", "--help"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=30,
            check=False,
        )
    assert done.returncode == 1
    assert done.stderr == "Error: the output cannot be written: No space left on device.\n"


def test_the_version_is_printed():
    assert call("--version").output.startswith("albatross 0.")


@pytest.mark.parametrize("command", ["serve", "run", "status", "hosts"])
def test_every_command_has_examples(command):
    assert "Examples:" in call(command, "--help").output


@pytest.mark.parametrize(
    ("line", "value"),
    [
        pytest.param("KEY=a b # c", "a b", id="a comment"),
        pytest.param("KEY=#fff", "#fff", id="no comment without a space"),
        pytest.param("KEY= # c", "", id="nothing but a comment"),
        pytest.param("KEY=a'b", "a'b", id="a quote within"),
        pytest.param(r"KEY='a\n # b' # c", r"a\n # b", id="single quotes"),
        pytest.param(r'KEY="a\n\t\"b\" \\n # $X" # c', 'a\n\t"b" \\n # $X', id="double quotes"),
        pytest.param("export KEY = x ", "x", id="export and spaces"),
        pytest.param("KEY=a=b", "a=b", id="equals"),
    ],
)
def test_files_of_variables_are_read_as_shells_do(tmp_path, line, value):
    file = tmp_path / "vars"
    file.write_text(f"# first\n{line}\n")
    assert variables.read(str(file)) == {"KEY": value}


@pytest.mark.parametrize("line", ["KEY='a", 'KEY="a" b', 'KEY="a\\"', "KEY='a'b'"])
def test_a_quote_that_is_not_closed_is_refused_with_its_line(tmp_path, line):
    file = tmp_path / "vars"
    file.write_text(f"ONE=1\n{line}\n")
    with pytest.raises(ConfigError, match="vars:2: the value begins with a quote"):
        variables.read(str(file))
