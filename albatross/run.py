"""`albatross run`: one function behind one load balancer, and what the terminal shows of it."""

import asyncio
import json
import re
import sys
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, TextIO

from albatross.config import RunSpec
from albatross.elbv2 import OPERATIONS
from albatross.host.client import HostClient
from albatross.model import arn
from albatross.model.function import ELB_SERVICE, Directory, Function, Secrets, Statement
from albatross.store.transaction import Transaction

FUNCTION = "app"
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
        Port=spec.port,
        DefaultActions=[{"Type": "forward", "TargetGroupArn": group_arn}],
    )


def _call(tx: Transaction, operation: str, **params: Any) -> dict[str, Any]:
    return OPERATIONS[operation].run(tx, params)


def announce(spec: RunSpec, url: str, api: str, out: TextIO = sys.stdout) -> None:
    """Say that requests are served at `url`."""
    view = View(verbose=spec.verbose, colour=spec.colour)
    _write(out, view.greeting(spec, url, api))


async def show(host: HostClient, spec: RunSpec, out: TextIO = sys.stdout) -> None:
    """Write what happens in `host` to `out` until the host ends."""
    view = View(verbose=spec.verbose, colour=spec.colour)
    events = host.events(verbose=spec.verbose)
    coming = asyncio.ensure_future(anext(events))
    try:
        while True:
            done, _ = await asyncio.wait([coming], timeout=HOLD_S)
            _write(out, view.text(coming.result()) if done else view.flush())
            if done:
                coming = asyncio.ensure_future(anext(events))
    except StopAsyncIteration:
        _write(out, view.flush())
    finally:
        coming.cancel()


def _write(out: TextIO, text: str) -> None:
    if text:
        with suppress(BrokenPipeError):
            out.write(text)
            out.flush()
