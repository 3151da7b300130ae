"""Two Regions and another account with the same names, on one proxy: each answers for itself."""

import json
import sys

import boto3
import pytest
from botocore.config import Config

from tests.support.command import free_port, get, place, serving, until, zipped

WORLDS = {"a": ("111111111111", "us-east-1"), "b": ("111111111111", "eu-west-1")}
WORLDS["c"] = ("222222222222", "us-east-1")
SOURCE = """
import os
def handler(event, context):
    print("I am {world}")
    names = ("AWS_REGION", "AWS_ACCESS_KEY_ID")
    told = ["{world}", context.invoked_function_arn, *(os.environ[name] for name in names)]
    return {{"statusCode": 200, "body": "\\n".join(told)}}
"""


class World:
    """A function, target group, load balancer and listener, named as those of the other worlds."""

    def __init__(self, server, name):
        self.account, self.region = WORLDS[name]
        self.name, self.port, self.server = name, free_port(), server
        self.functions, self.elb = self._client("lambda"), self._client("elbv2")
        self.function = self.functions.create_function(
            FunctionName="web",
            Runtime=f"python3.{sys.version_info.minor}",
            Handler="app.handler",
            Role=f"arn:aws:iam::{self.account}:role/any",
            Code={"ZipFile": zipped(SOURCE.format(world=name))},
        )["FunctionArn"]
        self.functions.add_permission(
            FunctionName="web",
            StatementId="web",
            Action="lambda:InvokeFunction",
            Principal="elasticloadbalancing.amazonaws.com",
        )
        group = self.elb.create_target_group(Name="web", TargetType="lambda")["TargetGroups"][0]
        self.group = group["TargetGroupArn"]
        self.elb.register_targets(TargetGroupArn=self.group, Targets=[{"Id": self.function}])
        made = self.elb.create_load_balancer(Name="web", Subnets=["subnet-1", "subnet-2"])
        self.balancer = made["LoadBalancers"][0]
        self.elb.create_listener(
            LoadBalancerArn=self.balancer["LoadBalancerArn"],
            Protocol="HTTP",
            Port=self.port,
            DefaultActions=[{"Type": "forward", "TargetGroupArn": self.group}],
        )

    def _client(self, service):
        return boto3.client(
            service,
            endpoint_url=self.server.url,
            region_name=self.region,
            aws_access_key_id=self.account,
            aws_secret_access_key="secret",
            config=Config(retries={"total_max_attempts": 1}),
        )

    @property
    def answer(self):
        return [self.name, self.function, self.region, self.account]


@pytest.fixture(scope="module")
def worlds():
    with place() as where:
        # One load balancer fills the quota of its world, and of no other one.
        where.variables["ALBATROSS_QUOTAS"] = "application-load-balancers=1,target-groups=1"
        with serving(where) as server:
            yield {name: World(server, name) for name in WORLDS}


def test_each_world_has_its_own(worlds):
    assert len({world.balancer["DNSName"] for world in worlds.values()}) == len(worlds)
    for world in worlds.values():
        found = world.elb.describe_load_balancers()["LoadBalancers"]
        assert [one["LoadBalancerArn"] for one in found] == [world.balancer["LoadBalancerArn"]]
        found = world.elb.describe_target_groups(Names=["web"])["TargetGroups"]
        assert [one["TargetGroupArn"] for one in found] == [world.group]
        listed = world.functions.list_functions()["Functions"]
        assert [one["FunctionArn"] for one in listed] == [world.function]
        with pytest.raises(world.elb.exceptions.TooManyTargetGroupsException):
            world.elb.create_target_group(Name="more", TargetType="lambda")
        with pytest.raises(world.elb.exceptions.TooManyLoadBalancersException):
            world.elb.create_load_balancer(Name="more", Subnets=["subnet-1", "subnet-2"])


def test_each_load_balancer_and_each_invocation_reaches_the_function_of_its_world(worlds):
    for world in worlds.values():
        for _ in range(2):
            status, body = get(world.port)
            assert (status, body.split("\n")) == (200, world.answer)
        answer = world.functions.invoke(FunctionName="web", Payload="{}")
        assert json.load(answer["Payload"])["body"].split("\n") == world.answer


def test_each_function_has_its_own_log(worlds):
    for world in worlds.values():
        logs = world._client("logs")
        get(world.port)

        def told(logs=logs):
            try:  # the group comes with the first lines
                events = logs.filter_log_events(
                    logGroupName="/aws/lambda/web", filterPattern='"I am"'
                )
            except logs.exceptions.ResourceNotFoundException:
                return set()
            return {event["message"] for event in events["events"]}

        assert until(told) == {f"I am {world.name}\n"}


def test_what_is_done_to_one_leaves_the_others(worlds):
    one, *others = worlds.values()
    one.functions.put_function_concurrency(FunctionName="web", ReservedConcurrentExecutions=0)
    assert get(one.port)[0] == 502
    assert [get(other.port)[0] for other in others] == [200, 200]
    one.elb.deregister_targets(TargetGroupArn=one.group, Targets=[{"Id": one.function}])
    assert get(one.port)[0] == 503
    one.functions.delete_function(FunctionName="web")
    one.elb.delete_load_balancer(LoadBalancerArn=one.balancer["LoadBalancerArn"])
    for other in others:
        assert get(other.port)[1].split("\n") == other.answer
        health = other.elb.describe_target_health(TargetGroupArn=other.group)
        assert [d["Target"]["Id"] for d in health["TargetHealthDescriptions"]] == [other.function]
