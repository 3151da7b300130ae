"""The host's state: target groups and pools, changed only by `apply`, read by every request."""

import asyncio
import logging
import time
from collections import Counter, defaultdict
from collections.abc import Mapping, Set
from random import random
from typing import Any, Protocol

import orjson

from albatross.host.concurrency import Account, Allowance
from albatross.host.engine import Elsewhere, Runner
from albatross.host.environment import Environment
from albatross.host.failures import InitFailure
from albatross.host.local.debugging import Debugging
from albatross.host.local.processes import Processes
from albatross.host.observe.failure_log import FailureLog
from albatross.host.observe.hub import Hub
from albatross.host.pool import Pool
from albatross.host.reload import ReloadingPool
from albatross.host.view import AliasView, Change, FunctionUrlView, TargetGroupView, View
from albatross.model.function import LATEST, Directory, Function

log = logging.getLogger(__name__)

_REAP_EVERY_S = 5.0
_LATEST_SUFFIX = f":{LATEST}"


class Caller(Protocol):
    """A connection on which requests come for functions."""

    def deregistered(self, target_groups: Set[str]) -> None:
        """The functions of these target groups are no longer their targets."""


class Host:
    """Runs functions. One a process; everything happens in its event loop."""

    def __init__(
        self,
        engine: Processes,
        *,
        environment_idle_s: float,
        elsewhere: Elsewhere | None = None,
        failures: FailureLog | None = None,
        debug_headers: bool = False,
        debugging: Debugging | None = None,
    ) -> None:
        self.engine = engine
        self._elsewhere = elsewhere  # for functions that are not here
        self._debugging = debugging or Debugging()
        self.failures = failures  # where failed requests are told of
        self.debug_headers = debug_headers  # whether clients are told, too
        self.hub = Hub()
        self.callers: set[Caller] = set()
        self.groups: dict[str, TargetGroupView] = {}
        self.pools: dict[str, Pool] = {}  # by the ARN of their version
        self.aliases: dict[str, AliasView] = {}
        self.urls: dict[str, FunctionUrlView] = {}  # by id
        self._provisioned: Mapping[str, int] = {}  # as in `View`
        self.revision = -1
        self._accounts: defaultdict[tuple[str, ...], Account] = defaultdict(Account)
        self._allowances: dict[str, Allowance] = {}  # by the ARN of the function
        self._loop = asyncio.get_running_loop()
        self._idle_s = environment_idle_s
        engine.make_room = self._stop_oldest_idle
        self._loop.call_later(_REAP_EVERY_S, self._reap_idle)

    def apply(self, view: View) -> None:
        """Work by `view` from now on. What is running goes on as it was."""
        there = {
            *(group.arn for group in view.target_groups),
            *(function.version_arn for function in view.functions),
            *(alias.arn for alias in view.aliases),
        }
        gone = (self.groups.keys() | self.pools.keys() | self.aliases.keys()) - there
        self.change(
            Change(
                revision=view.revision,
                target_groups=view.target_groups,
                functions=view.functions,
                aliases=view.aliases,
                gone=tuple(gone),
                provisioned=view.provisioned,
                urls=view.urls,
            )
        )

    def change(self, change: Change) -> None:
        """Work by what `change` makes of the present view. It costs what has changed."""
        self.revision = change.revision
        before, self.groups = self.groups, dict(self.groups)
        self.groups.update({group.arn: group for group in change.target_groups})
        self.aliases.update({alias.arn: alias for alias in change.aliases})
        self.urls = {url.id: url for url in change.urls}
        self._limit(change)
        for arn in change.gone:
            self.groups.pop(arn, None)
            self.aliases.pop(arn, None)
            if arn in self.pools:
                self.pools.pop(arn).close()
        for function in change.functions:
            self._take(self._debugging.relaxed(function))
        self._provision(change.provisioned)
        self._tell_deregistered(before)

    def _take(self, function: Function) -> None:
        """Run `function`, which is new or has changed, as it is from now on."""
        self.engine.look_ahead(function)
        arn = function.version_arn
        pool = self.pools.get(arn)
        if pool is not None and type(pool.function.code) is type(function.code):
            pool.update(function)
            return
        waiting = pool.leave() if pool is not None else []
        self.pools[arn] = self._pool(function)
        for invocation in waiting:
            self.pools[arn].submit(invocation)

    def _provision(self, wanted: Mapping[str, int]) -> None:
        """Let each version keep ready what it is to."""
        for arn in self._provisioned.keys() | wanted.keys():
            if arn in self.pools:
                self.pools[arn].provision(wanted.get(arn, 0))
        self._provisioned = wanted

    def _tell_deregistered(self, before: dict[str, TargetGroupView]) -> None:
        gone = {
            arn
            for arn, group in self.groups.items()
            if arn in before and before[arn].function_arn not in (None, group.function_arn)
        }
        if gone:
            for caller in list(self.callers):
                caller.deregistered(gone)

    def find(self, arn: str) -> Runner | None:
        """Return what runs an invocation of `arn`, or None. A function that is here is run here."""
        found = self.pool(arn)
        return self._elsewhere.find(arn) if found is None and self._elsewhere else found

    def pool(self, arn: str) -> Pool | None:
        """Return the pool of the version that an invocation of `arn` runs here, or None.

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
            "alone": self._debugging.port(function) is not None,
        }
        allowance = self._allowances[function.arn]
        if not isinstance(function.code, Directory):
            return Pool(function, allowance, self.engine, **named)
        pool = ReloadingPool(function, allowance, self.engine, on_reload=self._reloading, **named)
        pool.prepare()  # so that a mistake in the code shows before the first request
        return pool

    def _limit(self, change: Change) -> None:
        """Let each function use what is its own, over all its versions."""
        latest = {each.arn: each for each in change.functions if each.version == LATEST}
        for arn in change.gone:
            if allowance := self._allowances.pop(arn, None):
                allowance.limit(None, 0)
        for arn, function in latest.items():
            if arn not in self._allowances:
                self._allowances[arn] = Allowance(self._accounts[_world(function)])
        provisioned = Counter[str]()
        for arn, count in change.provisioned.items():
            provisioned[_function_arn(arn)] += count
        touched = {*latest, *provisioned, *map(_function_arn, self._provisioned)}
        for arn in touched & self._allowances.keys():
            allowance = self._allowances[arn]
            reserved = latest[arn].reserved_concurrency if arn in latest else allowance.reserved
            allowance.limit(reserved, provisioned[arn])

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
        self.engine.forget_spares(before_s)
        self._loop.call_later(_REAP_EVERY_S, self._reap_idle)

    # What watchers hear

    def _init_failed(self, function: Function, failure: InitFailure) -> None:
        document = failure.document_for()
        log.info("%s could not start: %s", function.name, document.decode(errors="replace"))
        if self.hub.wanted:
            error = _document(document)
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


def _function_arn(version_arn: str) -> str:
    """Return the ARN of the function that has the version."""
    return ":".join(version_arn.split(":")[:7])


def _world(function: Function) -> tuple[str, ...]:
    return tuple(function.arn.split(":")[3:5])


def _document(data: bytes) -> object:
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError:
        return data.decode(errors="replace")
