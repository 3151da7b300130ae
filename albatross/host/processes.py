"""The engine that runs execution environments as processes of this machine."""

import asyncio
import logging
import os
import secrets
import shutil
import socket
import subprocess
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from albatross.host import launch, runtimes
from albatross.host.channel import Channel
from albatross.host.environment import INIT_LIMIT_S, Environment
from albatross.host.logs import FunctionLog
from albatross.host.pool import Pool
from albatross.host.runtime_api import RuntimeConnection
from albatross.model.function import Directory, Function

log = logging.getLogger(__name__)


class Processes:
    """Starts processes and learns of their end. `run_dir` holds what lives as long as they do."""

    def __init__(
        self, data_dir: Path, run_dir: Path, *, environments_max: int, channels: bool = True
    ) -> None:
        self._channels = channels  # for runtimes that can use them
        self.environments_max = environments_max
        self.make_room: Callable[[], bool] = lambda: False  # set by who knows the idle ones
        self._data_dir = data_dir
        self._tmp = run_dir / "environments"
        self._environments: dict[str, Environment] = {}
        self._all_ended = asyncio.Event()
        self._all_ended.set()
        self._logs: dict[str, FunctionLog] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._spare_tmp: dict[str, list[Path]] = {}
        self._private_tmp = False
        # One thread for as long as the host runs: the kernel ends a process with the thread that
        # started it.
        self._starter = ThreadPoolExecutor(1, thread_name_prefix="starter")
        self._finder = ThreadPoolExecutor(1, thread_name_prefix="finder")

    async def open(self) -> None:
        self._tmp.mkdir(mode=0o700, parents=True, exist_ok=True)
        loop = asyncio.get_running_loop()
        self._private_tmp = await loop.run_in_executor(self._starter, launch.private_tmp_works)

    async def close(self) -> None:
        """End every process and remove what they left."""
        for task in list(self._tasks):
            task.cancel()
        for environment in list(self._environments.values()):
            environment.stop()
            if environment.process is None:
                self._forget(environment)
        await self._all_ended.wait()
        for function_log in self._logs.values():
            function_log.flush()
        self._starter.shutdown()
        self._finder.shutdown(cancel_futures=True)
        shutil.rmtree(self._tmp, ignore_errors=True)

    def has_room(self) -> bool:
        return len(self._environments) < self.environments_max or self.make_room()

    def forget(self, function: Function) -> None:
        for tmp in self._spare_tmp.pop(function.version_arn, ()):
            self._finder.submit(shutil.rmtree, tmp, ignore_errors=True)

    def log_of(self, function: Function) -> FunctionLog:
        """Return the log of `function`: `logs/ACCOUNT/REGION/NAME.log` in the data directory."""
        if function.arn not in self._logs:
            _, _, _, region, account, *_ = function.arn.split(":")
            path = self._data_dir / "logs" / account / region / f"{function.name}.log"
            self._logs[function.arn] = FunctionLog(path)
        return self._logs[function.arn]

    def start(
        self,
        function: Function,
        owner: Pool,
        *,
        init_limit_s: float | None,
        provisioned: bool = False,
    ) -> Environment:
        id_ = secrets.token_hex(16)
        spare = self._spare_tmp.get(function.version_arn)
        tmp = spare.pop() if spare else self._tmp / id_
        function_log = self.log_of(function)
        environment = Environment(
            id_, function, owner, tmp=tmp, function_log=function_log, provisioned=provisioned
        )
        self._environments[id_] = environment
        self._all_ended.clear()
        task = asyncio.get_running_loop().create_task(self._start(environment, init_limit_s))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return environment

    async def _start(self, environment: Environment, init_limit_s: float | None) -> None:
        loop = asyncio.get_running_loop()
        function = environment.function
        directory = self._directory(function)
        try:
            runtime = await loop.run_in_executor(
                self._finder,
                partial(runtimes.find, channels=self._channels),
                function,
                directory,
                self._data_dir / "runtimes",
            )
            server = await loop.create_server(
                lambda: RuntimeConnection(environment), "127.0.0.1", 0
            )
            environment.server = server
            port = server.sockets[0].getsockname()[1]
            environment.tmp.mkdir(mode=0o700, exist_ok=True)
            with ExitStack() as stack:
                command, descriptors = runtime.command, []
                if runtime.channel:
                    theirs = stack.enter_context(await _channel(environment))
                    descriptors.append(theirs.fileno())
                    command = (*command, str(theirs.fileno()))
                plan = launch.Launch(
                    command=command,
                    environment=variables(environment, runtime, directory, port),
                    directory=directory,
                    tmp=environment.tmp,
                    reads=runtime.reads,
                    private_tmp=self._private_tmp,
                    descriptors=descriptors,
                )
                process = await loop.run_in_executor(self._starter, launch.start, plan)
        except (runtimes.Unavailable, OSError, subprocess.SubprocessError) as error:
            log.error("cannot start an environment of %s: %s", function.name, error)
            self._forget(environment)
            environment.not_started(str(error))
            return
        environment.run(process, init_limit_s or INIT_LIMIT_S)
        _on_exit(process, lambda: self._ended(environment))

    def _directory(self, function: Function) -> Path:
        if isinstance(function.code, Directory):
            return Path(function.code.path)
        return self._data_dir / "code" / function.code.digest

    def _ended(self, environment: Environment) -> None:
        assert environment.process is not None
        launch.kill(environment.process)  # what it has left in its group
        returncode = environment.process.wait()
        self._forget(environment)
        environment.exited(returncode)
        self._keep_tmp(environment)

    def _forget(self, environment: Environment) -> None:
        self._environments.pop(environment.id, None)
        if not self._environments:
            self._all_ended.set()

    def _keep_tmp(self, environment: Environment) -> None:
        """Hand /tmp on to the next environment after a crash or timeout; else remove it.

        Source: Lambda guide, the invoke phase: a reset does not clear /tmp.
        """
        if environment.retired:
            self._finder.submit(environment.remove_tmp)
        else:
            self._spare_tmp.setdefault(environment.function.version_arn, []).append(environment.tmp)


async def _channel(environment: Environment) -> socket.socket:
    """Open a channel to `environment` and return the runtime's end of it."""
    ours, theirs = socket.socketpair()
    loop = asyncio.get_running_loop()
    await loop.connect_accepted_socket(lambda: Channel(environment), ours)
    return theirs


def _on_exit(process: subprocess.Popen[bytes], ended: Callable[[], None]) -> None:
    """Call `ended` in the event loop when the process has ended."""
    loop = asyncio.get_running_loop()
    if hasattr(os, "pidfd_open"):
        descriptor = os.pidfd_open(process.pid)

        def readable() -> None:
            loop.remove_reader(descriptor)
            os.close(descriptor)
            ended()

        loop.add_reader(descriptor, readable)
        return

    def wait() -> None:
        process.wait()
        loop.call_soon_threadsafe(ended)

    threading.Thread(target=wait, daemon=True).start()


def variables(
    environment: Environment, runtime: runtimes.Runtime, task_root: Path, port: int
) -> dict[str, str]:
    """Return the variables of a function's process. Source: Lambda guide, environment variables.

    The reserved ones, the user's own, and nothing of the host's. The credentials are worth nothing
    anywhere but here: the access key names the function's account.
    """
    function = environment.function
    _, _, _, region, account, *_ = function.arn.split(":")
    group, stream = log_names(function, environment.id)
    started = "provisioned-concurrency" if environment.provisioned else "on-demand"
    provided = function.runtime.startswith("provided")
    unreserved = {
        "LANG": "en_US.UTF-8",
        "PATH": "/usr/local/bin:/usr/bin/:/bin:/opt/bin",
        "LD_LIBRARY_PATH": f"/lib64:/usr/lib64:/var/runtime:{task_root}:{task_root}/lib:/opt/lib",
        "TZ": ":UTC",
    }
    reserved = {
        "_HANDLER": function.handler,
        "AWS_REGION": region,
        "AWS_DEFAULT_REGION": region,
        "AWS_LAMBDA_FUNCTION_NAME": function.name,
        # differs from AWS: a function is told its memory but can use more, and more of /tmp than
        # its ephemeral storage.
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(function.memory_mb),
        "AWS_LAMBDA_FUNCTION_VERSION": function.version,
        "AWS_LAMBDA_INITIALIZATION_TYPE": started,
        "AWS_LAMBDA_LOG_GROUP_NAME": group,
        "AWS_LAMBDA_LOG_STREAM_NAME": stream,
        "AWS_ACCESS_KEY_ID": account,
        "AWS_SECRET_ACCESS_KEY": secrets.token_urlsafe(30),
        "AWS_SESSION_TOKEN": secrets.token_urlsafe(60),
        "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{port}",
        # differs from AWS: a function's code lies where LAMBDA_TASK_ROOT says, not in /var/task,
        # and there is no /var/runtime.
        "LAMBDA_TASK_ROOT": str(task_root),
        "LAMBDA_RUNTIME_DIR": "/var/runtime",
    }
    # differs from AWS: a function runs on the processor that this machine has, whatever its
    # architecture.
    if not provided:
        reserved["AWS_EXECUTION_ENV"] = f"AWS_Lambda_{function.runtime}"
    if isinstance(function.code, Directory):
        # The tree is the user's: leave no byte code in it. And trust none: its time stamp has
        # whole seconds, an edit may come within one.
        unreserved["PYTHONDONTWRITEBYTECODE"] = "1"
        unreserved["PYTHONPYCACHEPREFIX"] = "/nonexistent"
    return {**unreserved, **runtime.variables, **function.environment, **reserved}


def log_names(function: Function, environment_id: str) -> tuple[str, str]:
    """Return the names of the log group and stream that a function sees."""
    today = datetime.now(UTC).strftime("%Y/%m/%d")
    return f"/aws/lambda/{function.name}", f"{today}/[{function.version}]{environment_id}"
