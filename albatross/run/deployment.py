"""What `albatross run` serves: one function behind one load balancer."""

from typing import Any

from albatross.config import RunSpec
from albatross.elbv2 import OPERATIONS
from albatross.model import arn
from albatross.model.function import ELB_SERVICE, Directory, Function, Secrets, Statement
from albatross.run.view import FUNCTION
from albatross.store.transaction import Transaction


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
