"""`albatross run`: one function behind one load balancer, and what the terminal shows of it."""

import asyncio
import sys
from contextlib import suppress
from io import TextIOWrapper
from typing import Any, TextIO

from albatross.config import RunSpec
from albatross.elbv2 import OPERATIONS
from albatross.host.client import HostClient
from albatross.model import arn
from albatross.model.function import ELB_SERVICE, Directory, Function, Secrets, Statement
from albatross.run_view import FUNCTION, JsonLines, View
from albatross.store.transaction import Transaction
from albatross.xds.refusals import Refusal

HOLD_S = 0.2  # how long what a function prints waits for its request's line


def create(tx: Transaction, spec: RunSpec) -> None:
    """Make function, target group, load balancer and listener, as a user would through the API.

    Nothing happens where they are there already: this control plane has replaced one that died.
    """
    function_arn = arn.function(tx.scope, FUNCTION)
    if tx.get(Function, function_arn):
        return
    function = Function(
        arn=function_arn,
        name=FUNCTION,
        runtime=spec.runtime,
        handler=spec.handler,
        role=f"arn:aws:iam::{tx.scope.account}:role/{FUNCTION}",
        code=Directory(path=spec.directory),
        last_modified=tx.now,
        revision_id=tx.new_id(),
        timeout_s=spec.timeout_s,
        memory_mb=spec.memory_mb,
        environment=Secrets(spec.environment),
        reserved_concurrency=spec.concurrency,
        policy=(Statement(sid="run", action="lambda:InvokeFunction", principal=ELB_SERVICE),),
    )
    tx.put(function)
    group = _call(tx, "CreateTargetGroup", Name=FUNCTION, TargetType="lambda")
    group_arn = group["TargetGroups"][0]["TargetGroupArn"]
    if spec.multi_value_headers:
        attribute = {"Key": "lambda.multi_value_headers.enabled", "Value": "true"}
        _call(tx, "ModifyTargetGroupAttributes", TargetGroupArn=group_arn, Attributes=[attribute])
    _call(tx, "RegisterTargets", TargetGroupArn=group_arn, Targets=[{"Id": function.arn}])
    subnets = ["subnet-00000001", "subnet-00000002"]
    balancer = _call(tx, "CreateLoadBalancer", Name=FUNCTION, Subnets=subnets)
    _call(
        tx,
        "CreateListener",
        LoadBalancerArn=balancer["LoadBalancers"][0]["LoadBalancerArn"],
        Protocol="HTTP",
        Port=spec.forwarded_port or spec.port,
        DefaultActions=[{"Type": "forward", "TargetGroupArn": group_arn}],
    )


def _call(tx: Transaction, operation: str, **params: Any) -> dict[str, Any]:
    return OPERATIONS[operation].run(tx, params)


class Terminal:
    """Writes what happens to `out`: events of the Lambda host, and the proxy's own answers."""

    def __init__(self, spec: RunSpec, out: TextIO = sys.stdout) -> None:
        if isinstance(out, TextIOWrapper):
            out.reconfigure(errors="backslashreplace")  # a function may print any character
        self._spec = spec
        self._out = out
        self._view: View | JsonLines = (
            JsonLines() if spec.as_json else View(verbose=spec.verbose, colour=spec.colour)
        )

    def announce(self, url: str, api: str) -> None:
        """Say that requests are served at `url`."""
        self._write(self._view.greeting(self._spec, url, api))

    def debugger(self, port: int) -> None:
        """Say that a debugger can attach now."""
        self._write(self._view.text({"type": "debugger", "port": port}))

    def refused(self, refusal: Refusal) -> None:
        """Show a request that the proxy has answered by itself."""
        event = {
            "type": "request",
            "id": None,
            "function": None,
            "version": None,
            "method": refusal.method,
            "path": refusal.path,
            "status": refusal.status,
            "duration_ms": round(refusal.duration_ms, 2),
            "cold": False,
            "error_reason": refusal.code,
            "detail": refusal.detail,
        }
        self._write(self._view.text(event))

    def stopping(self, grace_s: float) -> None:
        """Say that the end has begun."""
        self._write(self._view.text({"type": "stopping", "grace_s": grace_s}))

    async def show(self, host: HostClient) -> None:
        """Write what happens in `host` until it ends."""
        events = host.events(verbose=self._spec.verbose)
        coming = asyncio.ensure_future(anext(events))
        try:
            while True:
                done, _ = await asyncio.wait([coming], timeout=HOLD_S)
                self._write(self._view.text(coming.result()) if done else self._view.flush())
                if done:
                    coming = asyncio.ensure_future(anext(events))
        except StopAsyncIteration:
            self._write(self._view.flush())
        finally:
            coming.cancel()

    def _write(self, text: str) -> None:
        if text:
            with suppress(BrokenPipeError):
                self._out.write(text)
                self._out.flush()
