"""The host's state: target groups and pools, changed only by `apply`, read by every request."""

import asyncio
import logging
import time
from collections import defaultdict
from random import random
from typing import Any

import orjson

from albatross.host.concurrency import Account, Allowance
from albatross.host.environment import Environment, InitFailure
from albatross.host.hub import Hub
from albatross.host.pool import Pool
from albatross.host.processes import Processes
from albatross.host.reload import ReloadingPool
from albatross.host.view import AliasView, TargetGroupView, View
from albatross.model.function import LATEST, Directory, Function

log = logging.getLogger(__name__)

_REAP_EVERY_S = 5.0
_LATEST_SUFFIX = f":{LATEST}"


class Host:
    """Runs functions. One a process; everything happens in its event loop."""

    def __init__(self, engine: Processes, *, environment_idle_s: float) -> None:
        self.engine = engine
        self.hub = Hub()
        self.groups: dict[str, TargetGroupView] = {}
        self.pools: dict[str, Pool] = {}  # by the ARN of their version
        self.aliases: dict[str, AliasView] = {}
        self.revision = -1
        self._accounts: defaultdict[tuple[str, ...], Account] = defaultdict(Account)
        self._allowances: dict[str, Allowance] = {}  # by the ARN of the function
        self._loop = asyncio.get_running_loop()
        self._idle_s = environment_idle_s
        engine.make_room = self._stop_oldest_idle
        self._loop.call_later(_REAP_EVERY_S, self._reap_idle)

    def apply(self, view: View) -> None:
        """Work by `view` from now on. What is running goes on as it was."""
        self.revision = view.revision
        self.groups = {group.arn: group for group in view.target_groups}
        self.aliases = {alias.arn: alias for alias in view.aliases}
        functions = {function.version_arn: function for function in view.functions}
        for arn in self.pools.keys() - functions.keys():
            self.pools.pop(arn).close()
        self._limit(view)
        for arn, function in functions.items():
            if arn in self.pools:
                self.pools[arn].update(function)
            else:
                self.pools[arn] = self._pool(function)
            self.pools[arn].provision(view.provisioned.get(arn, 0))

    def find(self, arn: str) -> Pool | None:
        """Return the pool of the version that an invocation of `arn` runs, or None.

        An alias with weights leads to either of its versions, by chance, anew for each invocation.
        """
        alias = self.aliases.get(arn)
        if alias is not None:
            chosen = alias.other_arn if alias.weight and random() < alias.weight else None
            arn = chosen or alias.version_arn
        return self.pools.get(arn) or self.pools.get(arn.removesuffix(_LATEST_SUFFIX))

    def _pool(self, function: Function) -> Pool:
        named: dict[str, Any] = {
            "clock": time.monotonic,
            "call_later": self._loop.call_later,
            "on_init_failure": self._init_failed,
            "on_output": self._printed,
        }
        allowance = self._allowances[function.arn]
        if not isinstance(function.code, Directory):
            return Pool(function, allowance, self.engine, **named)
        pool = ReloadingPool(function, allowance, self.engine, on_reload=self._reloading, **named)
        pool.prepare()  # so that a mistake in the code shows before the first request
        return pool

    def _limit(self, view: View) -> None:
        """Let each function use what `view` says, over all its versions."""
        provisioned: defaultdict[str, int] = defaultdict(int)
        for function in view.functions:
            provisioned[function.arn] += view.provisioned.get(function.version_arn, 0)
        latest = {f.arn: f for f in view.functions if f.version == LATEST}
        for arn in self._allowances.keys() - latest.keys():
            self._allowances.pop(arn).limit(None, 0)
        for arn, function in latest.items():
            allowance = self._allowances.get(arn)
            if allowance is None:
                allowance = Allowance(self._accounts[_world(function)])
                self._allowances[arn] = allowance
            allowance.limit(function.reserved_concurrency, provisioned[arn])

    def _stop_oldest_idle(self) -> bool:
        """End the environment that has been idle for longest, so that another may be started."""
        idle = [
            (environment.freed_s, pool)
            for pool in self.pools.values()
            if (environment := pool.longest_idle()) is not None
        ]
        if not idle:
            return False
        freed_s, pool = min(idle, key=lambda entry: entry[0])
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
