"""The host's state: target groups and pools, changed only by `apply`, read by every request."""

import asyncio
import logging
import time
from collections import defaultdict
from typing import Any

import orjson

from albatross.host.environment import Environment, InitFailure
from albatross.host.hub import Hub
from albatross.host.pool import Account, Pool
from albatross.host.processes import Processes
from albatross.host.reload import ReloadingPool
from albatross.host.view import TargetGroupView, View
from albatross.model.function import Directory, Function

log = logging.getLogger(__name__)

_REAP_EVERY_S = 5.0


class Host:
    """Runs functions. One a process; everything happens in its event loop."""

    def __init__(self, engine: Processes, *, environment_idle_s: float) -> None:
        self.engine = engine
        self.hub = Hub()
        self.groups: dict[str, TargetGroupView] = {}
        self.pools: dict[str, Pool] = {}
        self.revision = -1
        self._accounts: defaultdict[tuple[str, ...], Account] = defaultdict(Account)
        self._loop = asyncio.get_running_loop()
        self._idle_s = environment_idle_s
        engine.make_room = self._stop_oldest_idle
        self._loop.call_later(_REAP_EVERY_S, self._reap_idle)

    def apply(self, view: View) -> None:
        """Work by `view` from now on. What is running goes on as it was."""
        self.revision = view.revision
        self.groups = {group.arn: group for group in view.target_groups}
        functions = {function.arn: function for function in view.functions}
        for arn in self.pools.keys() - functions.keys():
            self.pools.pop(arn).close()
        self._reserve(view.functions)
        for arn, function in functions.items():
            if arn in self.pools:
                self.pools[arn].update(function)
            else:
                self.pools[arn] = self._pool(function)

    def _pool(self, function: Function) -> Pool:
        named: dict[str, Any] = {
            "clock": time.monotonic,
            "call_later": self._loop.call_later,
            "on_init_failure": self._init_failed,
            "on_output": self._printed,
        }
        account = self._accounts[_world(function)]
        if not isinstance(function.code, Directory):
            return Pool(function, account, self.engine, **named)
        pool = ReloadingPool(function, account, self.engine, on_reload=self._reloading, **named)
        pool.prepare()  # so that a mistake in the code shows before the first request
        return pool

    def _reserve(self, functions: tuple[Function, ...]) -> None:
        reserved: defaultdict[tuple[str, ...], int] = defaultdict(int)
        for function in functions:
            reserved[_world(function)] += function.reserved_concurrency or 0
        for world, account in self._accounts.items():
            account.reserved = reserved[world]
        for world in reserved.keys() - self._accounts.keys():
            self._accounts[world].reserved = reserved[world]

    def _stop_oldest_idle(self) -> bool:
        """End the environment that has been idle for longest, so that another may be started."""
        idle = [(e.freed_s, pool, e) for pool in self.pools.values() for e in pool.idle[:1]]
        if not idle:
            return False
        freed_s, pool, _ = min(idle, key=lambda entry: entry[0])
        pool.stop_idle(freed_s)
        return True

    def _reap_idle(self) -> None:
        before_s = time.monotonic() - self._idle_s
        for pool in self.pools.values():
            pool.stop_idle(before_s)
        self._loop.call_later(_REAP_EVERY_S, self._reap_idle)

    # What watchers hear

    def _init_failed(self, function: Function, failure: InitFailure) -> None:
        log.info("%s could not start: %s", function.name, failure.document.decode(errors="replace"))
        if self.hub.wanted:
            error = _document(failure.document)
            self.hub.publish({"type": "init_error", "function": function.name, "error": error})

    def _reloading(self, function: Function) -> None:
        self.hub.publish({"type": "reload", "function": function.name})

    def _printed(self, environment: Environment, text: bytes) -> None:
        if self.hub.wanted:
            invocation = environment.invocation
            self.hub.publish(
                {
                    "type": "log",
                    "function": environment.function.name,
                    "request_id": invocation.id if invocation else None,
                    "text": text.decode(errors="replace"),
                }
            )


def _world(function: Function) -> tuple[str, ...]:
    return tuple(function.arn.split(":")[3:5])


def _document(data: bytes) -> object:
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError:
        return data.decode(errors="replace")
