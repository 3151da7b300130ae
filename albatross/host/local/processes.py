"""The engine that runs execution environments as processes of this machine."""

import asyncio
import logging
import os
import secrets
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from albatross.host.channel import Channel
from albatross.host.environment import INIT_LIMIT_S, PROVISIONED_INIT_LIMIT_S, Environment
from albatross.host.extensions import EXTENSIONS_MAX, Extension, programs, variables_of
from albatross.host.failures import LAUNCH_ERROR
from albatross.host.local import bwrap, isolation, launch, layers, mounts, runtime_client, runtimes
from albatross.host.local.debugging import Debugging, until_free
from albatross.host.local.gate import Gate
from albatross.host.local.memory import MemoryWatch
from albatross.host.local.spawning import Spawner, Template
from albatross.host.local.variables import of_template, variables
from albatross.host.observe.logs import Logs
from albatross.host.observe.output import Output
from albatross.host.pool import Pool
from albatross.host.runtime_api import RuntimeConnection
from albatross.model.function import Directory, Function, Package

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Spare:
    """What an environment that was reset leaves to the next: its /tmp, and whose that is."""

    tmp: Path
    user: int | None
    namespace: mounts.Namespace | None
    left_s: float  # when, by the monotonic clock
    cleaner: asyncio.Task[None] | None = None  # ends what else runs there


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How environments are run; the settings of the same names."""

    isolation: str = "none"
    first_uid: int = 100_000
    freeze: bool = False
    memory_unlimited: str = ""
    channels: bool = True  # for runtimes that can use them
    template: bool = True  # Python functions are forks of it
    opt: Path | None = None  # what every function finds as /opt
    api_url: str = ""  # to which the SDKs of functions go; empty: to AWS, as ever
    debugging: Debugging = field(default_factory=Debugging)


class Processes:
    """Starts processes and learns of their end. `run_dir` holds what lives as long as they do."""

    def __init__(
        self, data_dir: Path, run_dir: Path, *, environments_max: int, options: Options
    ) -> None:
        self._options = options
        self._debugging = options.debugging
        self.environments_max = environments_max
        self.make_room: Callable[[], bool] = lambda: False  # set by who knows the idle ones
        self._is_closing = False
        self._data_dir = data_dir
        self._tmp = run_dir / "environments"
        self._environments: dict[str, Environment] = {}
        self._all_ended = asyncio.Event()
        self._all_ended.set()
        self._logs = Logs(data_dir)
        self._tasks: set[asyncio.Task[None]] = set()
        self._cleaners: set[asyncio.Task[None]] = set()
        self._spares: dict[str, list[Spare]] = {}
        self._isolation = isolation.Isolation()
        self._has_task_root = False  # code can be shown as /var/task
        self._memory = MemoryWatch(options.memory_unlimited)
        self._gate = Gate()
        # One thread for as long as the host runs: the kernel ends a process with the thread that
        # started it.
        self._starter = ThreadPoolExecutor(1, thread_name_prefix="starter")
        self._spawner = Spawner(launch.channel_number)
        command = [sys.executable, str(runtimes.PYTHON_RUNTIME)]
        self._template = Template(launch.channel_number, command, of_template())
        self._finder = ThreadPoolExecutor(32, thread_name_prefix="finder")
        # What is looked for ahead may have to be installed, and takes no thread from a start.
        self._ahead = ThreadPoolExecutor(2, thread_name_prefix="ahead")

    async def open(self) -> None:
        """Find out what this machine can do. Raises isolation.Impossible."""
        launch.channel_number()
        self._tmp.mkdir(mode=0o700, parents=True, exist_ok=True)
        loop = asyncio.get_running_loop()
        options = self._options
        hidden = (self._data_dir,)
        find = partial(isolation.choose, options.isolation, options.first_uid, hidden, self._tmp)
        self._isolation = await loop.run_in_executor(self._starter, find)
        probe = isolation.task_probe(self._isolation, self._tmp)
        if probe is not None:
            self._has_task_root = await loop.run_in_executor(
                self._starter, launch.private_tmp_works, probe
            )

    async def close(self) -> None:
        """End every process and remove what they left. No other is started."""
        self._is_closing = True
        for task in list(self._tasks):
            task.cancel()
        for environment in list(self._environments.values()):
            environment.stop()
            if environment.process is None:
                self._leave(environment)
        await self._all_ended.wait()
        self._logs.flush()
        self._starter.shutdown()
        self._spawner.close()
        self._template.close()
        runtime_client.stop()
        for executor in (self._ahead, self._finder):
            executor.shutdown(cancel_futures=True)
        if self._isolation.users is not None:
            self._isolation.users.close()
        shutil.rmtree(self._tmp, ignore_errors=True)

    def look_ahead(self, function: Function) -> None:
        """Find, or install, what `function` runs on before the first request asks for it."""

        def look() -> None:
            try:
                runtime, _ = self._find(function)
            except runtimes.Unavailable as error:
                log.warning("%s: %s", function.name, error)
                return
            if self._may_fork(function, runtime):
                self._starter.submit(self._template.prepare)

        self._starter.submit(self._spawner.works)
        if not function.runtime.startswith("provided"):
            self._ahead.submit(look)

    def has_room(self) -> bool:
        if self._is_closing:
            return False
        return len(self._environments) < self.environments_max or self.make_room()

    def forget(self, function: Function) -> None:
        for spare in self._spares.pop(function.version_arn, ()):
            self._drop(spare)

    def forget_spares(self, before_s: float) -> None:
        """Drop what has been left for the next environment since `before_s` or longer."""
        for arn, spares in list(self._spares.items()):
            for spare in [each for each in spares if each.left_s <= before_s]:
                spares.remove(spare)
                self._drop(spare)
            if not spares:
                del self._spares[arn]

    def start(
        self,
        function: Function,
        owner: Pool,
        *,
        init_limit_s: float | None,
        provisioned: bool = False,
    ) -> Environment:
        id_ = secrets.token_hex(16)
        spares = self._spares.get(function.version_arn)
        spare = spares.pop() if spares else None
        environment = Environment(
            id_,
            function,
            owner,
            tmp=spare.tmp if spare else self._tmp / id_,
            function_log=self._logs.stream(function, id_),
            provisioned=provisioned,
            within_invoke=init_limit_s is not None or (spare is not None and not provisioned),
            freezes=self._options.freeze and self._debugging.port(function) is None,
        )
        if spare is not None:
            environment.user, environment.namespace = spare.user, spare.namespace
            init_limit_s = init_limit_s or (None if provisioned else function.timeout_s)
        self._environments[id_] = environment
        self._all_ended.clear()
        start = self._start(environment, init_limit_s, spare.cleaner if spare else None)
        task = asyncio.get_running_loop().create_task(start)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return environment

    async def _start(
        self,
        environment: Environment,
        init_limit_s: float | None,
        cleaner: asyncio.Task[None] | None,
    ) -> None:
        loop = asyncio.get_running_loop()
        function = environment.function
        directory = self._directory(function)
        debugger_port = self._debugging.port(function)
        limit_s = init_limit_s or (function.timeout_s if debugger_port else INIT_LIMIT_S)
        if environment.provisioned:
            limit_s = max(PROVISIONED_INIT_LIMIT_S, function.timeout_s)
        try:
            runtime, opt = await loop.run_in_executor(self._finder, self._find, function)
            server = await loop.create_server(
                lambda: RuntimeConnection(environment), "127.0.0.1", 0
            )
            environment.server = server
            if cleaner is not None:
                await asyncio.wait([cleaner])
                environment.started_s = time.monotonic()
            plan = self._plan(environment, runtime, directory, opt)
            environment.journal.begin()
            if opt is not None:
                await self._start_extensions(environment, plan, limit_s)
            with ExitStack() as stack:
                if runtime.channel:
                    theirs = stack.enter_context(await _channel(environment))
                    plan = replace(plan, channel=theirs.fileno())
                if debugger_port:
                    await until_free(debugger_port)
                await self._gate.enter()
                environment.started_s = time.monotonic()
                try:
                    process = await self._launch(environment, plan)
                finally:
                    self._gate.leave(environment.settled)
        except (runtimes.Unavailable, OSError, subprocess.SubprocessError) as error:
            log.error("cannot start an environment of %s: %s", function.name, error)
            self._leave(environment)
            environment.not_started(runtimes.not_started(error))
            return
        except Exception as error:  # of ours: nobody may wait for ever
            log.exception("cannot start an environment of %s", function.name)
            self._leave(environment)
            environment.not_started(f"{type(error).__name__}: {error}")
            return
        environment.run(process, limit_s)
        if not debugger_port:
            self._memory.add(environment)
        launch.on_exit(process, lambda: self._ended(environment))

    def _plan(
        self,
        environment: Environment,
        runtime: runtimes.Runtime,
        directory: Path,
        opt: Path | None,
    ) -> launch.Launch:
        """Return how to start a process of the environment: at first, that of its runtime."""
        function, apart = environment.function, self._isolation
        if environment.user is None:
            environment.user = apart.user_for(function)
        if not environment.tmp.exists():
            environment.tmp.mkdir(mode=0o700)
            if environment.user is not None:
                os.chown(environment.tmp, environment.user, environment.user)
        assert environment.server is not None
        port = environment.server.sockets[0].getsockname()[1]
        sandbox = apart.sandboxed(function)
        plan = launch.Launch(
            command=runtime.command,
            environment={},
            directory=directory,
            tmp=environment.tmp,
            tmp_mb=function.ephemeral_storage_mb if apart.private_tmp else None,
            opt=opt,
            hosts=self._hosts() if opt is not None else None,
            at_task_root=self._has_task_root and not sandbox and isinstance(function.code, Package),
            reads=(*runtime.reads, Path(sys.prefix), Path(sys.base_prefix)),
            hidden=apart.hidden_from(function),
            user=environment.user,
            sandbox=sandbox,
            forks=self._may_fork(function, runtime),
            private_tmp=apart.private_tmp,
        )
        root = bwrap.TASK_ROOT if sandbox else launch.as_seen(plan, directory)
        shown_opt = launch.as_seen(plan, opt) if opt else None
        command = [str(launch.as_seen(plan, Path(runtime.command[0]))), *runtime.command[1:]]
        command = runtimes.wrapped(command, function, root, shown_opt)
        api_url = self._options.api_url
        given = variables(environment, runtime, root, shown_opt, port=port, api_url=api_url)
        return replace(plan, command=command, environment=given)

    def _may_fork(self, function: Function, runtime: runtimes.Runtime) -> bool:
        is_wanted = self._options.template and not self._isolation.sandboxed(function)
        return runtime.forks and is_wanted

    def _hosts(self) -> Path | None:
        """Return a hosts file, the machine's own, with the name that extensions have for it."""
        # differs from AWS: sandbox.localdomain is the address 127.0.0.1 of this machine, so
        # environments side by side need ports of their own for their extensions. Where the system
        # has no mount namespaces, extensions do not find the name.
        try:
            names = Path("/etc/hosts").read_text()
        except (OSError, UnicodeDecodeError):
            return None
        path = self._tmp / "hosts"
        fresh = path.with_suffix(".new")
        fresh.write_text(f"{names.rstrip()}\n127.0.0.1 sandbox.localdomain sandbox\n")
        fresh.chmod(0o644)
        fresh.replace(path)
        return path

    async def _launch(self, environment: Environment, plan: launch.Launch) -> launch.Process:
        """Start a process; the first of an environment makes its namespace, others join it."""
        loop = asyncio.get_running_loop()
        plan = replace(plan, joins=environment.namespace)
        start = partial(launch.start, plan, self._spawner, self._template)
        process = await loop.run_in_executor(self._starter, start)
        if plan.private_tmp and environment.namespace is None:
            environment.namespace = mounts.of(process.pid)
        return process

    async def _start_extensions(
        self, environment: Environment, plan: launch.Launch, limit_s: float
    ) -> None:
        """Start the programs in /opt/extensions and wait until all have registered."""
        assert plan.opt is not None
        names = programs(plan.opt)
        if not names:
            return
        extensions = environment.need_extensions()
        folder = launch.as_seen(plan, plan.opt) / "extensions"
        plan = replace(plan, environment=variables_of(plan.environment))
        for extension in [extensions.expect(name) for name in names[:EXTENSIONS_MAX]]:
            program = str(folder / extension.name)
            plan = replace(plan, command=[program], forks=False)
            try:
                extension.process = await self._launch(environment, plan)
            except OSError as error:
                extension.error_type = LAUNCH_ERROR
                environment.extension_failed(extension, runtimes.not_started(error))
                raise
            output = Output(extension.process, partial(environment.printed, kind="extension"))
            ended = partial(self._extension_ended, environment, extension, output)
            launch.on_exit(extension.process, ended)
        with suppress(TimeoutError):
            await asyncio.wait_for(extensions.settled.wait(), limit_s)
        if environment.shutting_down is not None:
            raise OSError("an extension has failed")  # it is reported already
        if not extensions.settled.is_set():
            late = [each.name for each in extensions.external if not each.is_registered]
            raise OSError(f"extensions have not registered: {', '.join(late)}")

    def _extension_ended(
        self, environment: Environment, extension: Extension, output: Output
    ) -> None:
        assert extension.process is not None
        launch.kill(extension.process)
        returncode = extension.process.wait()
        output.close()
        extension.ended.set()
        environment.extension_failed(extension, exit_status(returncode))

    def _find(self, function: Function) -> tuple[runtimes.Runtime, Path | None]:
        """Return how to run `function`, and what is its /opt. Raises Unavailable, OSError."""
        options = self._options
        opt = layers.directory(function, self._data_dir) or options.opt
        directory = self._directory(function)
        runtime = runtimes.find(function, directory, channels=options.channels, opt=opt)
        return options.debugging.wrapped(runtime, function), opt

    def _directory(self, function: Function) -> Path:
        if isinstance(function.code, Directory):
            return Path(function.code.path)
        return self._data_dir / "code" / function.code.digest

    def _ended(self, environment: Environment) -> None:
        assert environment.process is not None
        launch.kill(environment.process)  # what it has left in its group
        returncode = environment.process.wait()
        if returncode > 128 and self._isolation.sandboxed(environment.function):
            returncode = 128 - returncode  # bubblewrap says so that a signal has ended it
        self._memory.remove(environment)
        self._leave(environment)
        environment.exited(returncode)

    def _leave(self, environment: Environment) -> None:
        """End what is left of the environment; hand its /tmp on after a crash or timeout.

        Source: Lambda guide, the invoke phase: a reset does not clear /tmp.
        """
        now_s = time.monotonic()
        spare = Spare(environment.tmp, environment.user, environment.namespace, now_s)
        is_kept = not environment.retired and not environment.never_ready
        if is_kept:
            self._spares.setdefault(environment.function.version_arn, []).append(spare)
        if environment.extensions is None and environment.user is None:
            if not is_kept:
                self._drop(spare)
            self._forget(environment)
        else:
            clean = self._clean(environment, None if is_kept else spare)
            spare.cleaner = cleaner = asyncio.get_running_loop().create_task(clean)
            self._cleaners.add(cleaner)
            cleaner.add_done_callback(self._cleaners.discard)

    async def _clean(self, environment: Environment, dropped: Spare | None) -> None:
        if environment.shutting_down is not None:
            await environment.shutting_down
        if environment.user is not None:
            loop = asyncio.get_running_loop()
            await loop.run_in_executor(
                self._finder, launch.kill_all_of, environment.user, self._spawner
            )
        if dropped is not None:
            self._remove(dropped)
        self._forget(environment)

    def _forget(self, environment: Environment) -> None:
        self._environments.pop(environment.id, None)
        if not self._environments:
            self._all_ended.set()

    def _drop(self, spare: Spare) -> None:
        """Remove `spare`, once nothing runs there any more: another may get its user."""
        if spare.cleaner is not None and not spare.cleaner.done():
            spare.cleaner.add_done_callback(lambda _: self._remove(spare))
        else:
            self._remove(spare)

    def _remove(self, spare: Spare) -> None:
        if spare.namespace is not None:
            spare.namespace.close()
        if spare.user is not None and self._isolation.users is not None:
            self._isolation.users.give_back(spare.user)
        self._finder.submit(shutil.rmtree, spare.tmp, ignore_errors=True)


def exit_status(returncode: int) -> str:
    """Say how an extension's process has ended, in Lambda's words."""
    return f"exit status {returncode}" if returncode >= 0 else f"signal: {-returncode}"


async def _channel(environment: Environment) -> socket.socket:
    """Open a channel to `environment` and return the runtime's end of it."""
    ours, theirs = socket.socketpair()
    loop = asyncio.get_running_loop()
    await loop.connect_accepted_socket(lambda: Channel(environment), ours)
    return theirs
