"""Many callers of one account at once: each gets what it would alone, or a conflict of AWS's."""

import os
import random
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.support import consistency
from tests.support.api import Api
from tests.support.wire import Caller, Reply

ELB = "elasticloadbalancing"
CALLERS = 32
ROUNDS = int(os.environ.get("ALBATROSS_CONCURRENT_ROUNDS", "8"))  # calls of each caller
OK = {"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "200"}}
PATH = [{"Field": "path-pattern", "Values": ["/a"]}]
SUBNETS = ["subnet-1", "subnet-2"]
# What may come of a call that another one has overtaken.
CONFLICTS = {
    *("DuplicateLoadBalancerName", "DuplicateListener", "DuplicateTargetGroupName"),
    *("LoadBalancerNotFound", "ListenerNotFound", "RuleNotFound", "TargetGroupNotFound"),
    *("PriorityInUse", "ResourceInUse", "TargetGroupAssociationLimit"),
}


class Crowd:
    """Callers with a connection each, that begin together."""

    def __init__(self, url: str, account: str) -> None:
        self.account = account
        self._callers = [Caller(url) for _ in range(CALLERS)]
        self._begin = threading.Barrier(CALLERS)

    def call(self, operation: str, caller: int = 0, **params: Any) -> Reply:
        return self._callers[caller].call(ELB, operation, self.account, params)

    def all(self, work: Callable[[int], Any]) -> list[Any]:
        """Return what `work` returns for each caller, all at once."""

        def begin(number: int) -> Any:
            self._begin.wait()
            return work(number)

        with ThreadPoolExecutor(CALLERS) as pool:
            return list(pool.map(begin, range(CALLERS)))

    def close(self) -> None:
        for caller in self._callers:
            caller.__exit__()


@pytest.fixture
def crowd(shared_api: Api, account: str) -> Iterator[Crowd]:
    crowd = Crowd(shared_api.url, account)
    yield crowd
    crowd.close()


def arn_of(reply: Reply) -> str:
    """Return the ARN of what was made."""
    ((made,),) = reply.result.values()
    found: str = next(made[one] for one in ("RuleArn", "ListenerArn", *made) if one in made)
    return found


@pytest.fixture
def balancer(crowd: Crowd) -> str:
    made = crowd.call("CreateLoadBalancer", Name="lb", Subnets=SUBNETS)
    arn: str = made.result["LoadBalancers"][0]["LoadBalancerArn"]
    return arn


@pytest.fixture
def listener(crowd: Crowd, balancer: str) -> str:
    return arn_of(create_listener(crowd, balancer, 80))


def create_listener(crowd: Crowd, balancer: str, port: int, caller: int = 0) -> Reply:
    return crowd.call(
        *("CreateListener", caller),
        LoadBalancerArn=balancer,
        Protocol="HTTP",
        Port=port,
        DefaultActions=[OK],
    )


def test_the_same_call_of_many_makes_one_thing(crowd: Crowd, elb: Any) -> None:
    made = crowd.all(lambda n: crowd.call("CreateLoadBalancer", n, Name="x", Subnets=SUBNETS))
    assert {reply.status for reply in made} == {200}
    arns = {reply.result["LoadBalancers"][0]["LoadBalancerArn"] for reply in made}
    (found,) = elb.describe_load_balancers()["LoadBalancers"]
    assert arns == {found["LoadBalancerArn"]}


def test_of_different_calls_for_one_name_the_first_wins(crowd: Crowd, elb: Any) -> None:
    def create(number: int) -> Reply:
        return crowd.call(
            *("CreateTargetGroup", number),
            Name="x",
            TargetType="lambda",
            HealthCheckPath=f"/{number}",
        )

    made = crowd.all(create)
    assert Counter(reply.code for reply in made) == {
        None: 1,
        "DuplicateTargetGroupName": CALLERS - 1,
    }
    (won,) = [number for number, reply in enumerate(made) if reply.status == 200]
    (found,) = elb.describe_target_groups()["TargetGroups"]
    assert found["HealthCheckPath"] == f"/{won}"


def test_a_priority_is_given_once(crowd: Crowd, elb: Any, listener: str) -> None:
    def create(number: int) -> Reply:
        return crowd.call(
            *("CreateRule", number),
            ListenerArn=listener,
            Priority=number // 4 + 1,
            Conditions=PATH,
            Actions=[OK],
        )

    made = crowd.all(create)
    codes = Counter(reply.code for reply in made)
    assert codes == {None: CALLERS // 4, "PriorityInUse": CALLERS - CALLERS // 4}
    rules = elb.describe_rules(ListenerArn=listener)["Rules"]
    created = {reply.result["Rules"][0]["RuleArn"] for reply in made if reply.status == 200}
    assert {rule["RuleArn"] for rule in rules if not rule["IsDefault"]} == created


def test_priorities_that_many_exchange_stay_different(
    crowd: Crowd, elb: Any, listener: str
) -> None:
    rules = [
        crowd.call(
            *("CreateRule", 0),
            ListenerArn=listener,
            Priority=priority,
            Conditions=PATH,
            Actions=[OK],
        ).result["Rules"][0]["RuleArn"]
        for priority in range(1, 9)
    ]

    def exchange(number: int) -> Reply:
        order = random.Random(number).sample(rules, len(rules))
        priorities = [{"RuleArn": arn, "Priority": n} for n, arn in enumerate(order, 1)]
        return crowd.call("SetRulePriorities", number, RulePriorities=priorities)

    done = crowd.all(exchange)
    assert {reply.status for reply in done} == {200}
    found = [rule["RuleArn"] for rule in elb.describe_rules(ListenerArn=listener)["Rules"][:-1]]
    orders = [random.Random(number).sample(rules, len(rules)) for number in range(CALLERS)]
    assert found in orders


def test_the_last_place_is_given_once(crowd: Crowd, elb: Any) -> None:
    for number in range(49):
        crowd.call("CreateLoadBalancer", Name=f"lb-{number}", Subnets=SUBNETS)
    made = crowd.all(lambda n: crowd.call("CreateLoadBalancer", n, Name=f"x{n}", Subnets=SUBNETS))
    codes = Counter(reply.code for reply in made)
    assert codes == {None: 1, "TooManyLoadBalancers": CALLERS - 1}
    assert len(elb.describe_load_balancers()["LoadBalancers"]) == 50


def test_tags_of_many_are_all_kept(crowd: Crowd, elb: Any, balancer: str) -> None:
    def add(number: int) -> Reply:
        tags = [{"Key": f"k{number}", "Value": "v"}]
        return crowd.call("AddTags", number, ResourceArns=[balancer], Tags=tags)

    assert {reply.status for reply in crowd.all(add)} == {200}
    (found,) = elb.describe_tags(ResourceArns=[balancer])["TagDescriptions"]
    assert {tag["Key"] for tag in found["Tags"]} == {f"k{n}" for n in range(CALLERS)}


class Worker:
    """One caller who makes, changes and deletes what others make, change and delete."""

    def __init__(self, crowd: Crowd, number: int, known: dict[str, list[str]]) -> None:
        self._crowd = crowd
        self._number = number
        self._random = random.Random(number)
        self._known = known  # ARNs by member, of all workers
        self.codes: Counter[str | None] = Counter()
        self.deleted: set[str] = set()

    def work(self) -> None:
        steps = (
            *(self._balancer, self._listener, self._listener, self._rule, self._rule, self._rule),
            *(self._group, self._modify_rule, self._modify_listener, self._tag, self._delete),
            *(self._move, self._delete),
        )
        for _ in range(ROUNDS):
            self._random.choice(steps)()

    def _call(self, operation: str, **params: Any) -> None:
        if None in params.values():  # there is none yet
            return
        reply = self._crowd.call(operation, self._number, **params)
        self.codes[reply.code] += 1
        for made in reply.result.values():
            for one in made if isinstance(made, list) else ():
                for name in ("RuleArn", "ListenerArn", "LoadBalancerArn", "TargetGroupArn"):
                    if name in one:
                        self._known[name].append(one[name])
                        break

    def _one(self, name: str) -> str | None:
        known = self._known[name]
        return self._random.choice(known) if known else None

    def _action(self) -> dict[str, Any]:
        group = self._one("TargetGroupArn")
        if group is None or self._random.random() < 0.3:
            return OK
        return {"Type": "forward", "TargetGroupArn": group}

    def _balancer(self) -> None:
        name = f"lb-{self._random.randrange(3)}"
        self._call("CreateLoadBalancer", Name=name, Subnets=SUBNETS)

    def _group(self) -> None:
        name = f"g-{self._random.randrange(4)}"
        self._call("CreateTargetGroup", Name=name, TargetType="lambda")

    def _listener(self) -> None:
        self._call(
            "CreateListener",
            LoadBalancerArn=self._one("LoadBalancerArn"),
            Protocol="HTTP",
            Port=self._random.randrange(80, 83),
            DefaultActions=[self._action()],
        )

    def _rule(self) -> None:
        self._call(
            "CreateRule",
            ListenerArn=self._one("ListenerArn"),
            Priority=self._random.randrange(1, 6),
            Conditions=PATH,
            Actions=[self._action()],
            Tags=[{"Key": "by", "Value": str(self._number)}],
        )

    def _modify_rule(self) -> None:
        self._call("ModifyRule", RuleArn=self._one("RuleArn"), Actions=[self._action()])

    def _modify_listener(self) -> None:
        self._call(
            "ModifyListener",
            ListenerArn=self._one("ListenerArn"),
            Port=self._random.randrange(80, 83),
            DefaultActions=[self._action()],
        )

    def _move(self) -> None:
        arn = self._one("RuleArn")
        priority = self._random.randrange(1, 6)
        if arn is not None:
            self._call("SetRulePriorities", RulePriorities=[{"RuleArn": arn, "Priority": priority}])

    def _tag(self) -> None:
        arn = self._one(self._random.choice(sorted(self._known)))
        tags = [{"Key": f"k{self._random.randrange(5)}", "Value": "v"}]
        if arn is not None:
            self._call("AddTags", ResourceArns=[arn], Tags=tags)

    def _delete(self) -> None:
        kind = self._random.choice(("LoadBalancer", "Listener", "Rule", "Rule", "TargetGroup"))
        arn = self._one(f"{kind}Arn")
        if arn is not None:
            before = self.codes[None]
            self._call(f"Delete{kind}", **{f"{kind}Arn": arn})
            if self.codes[None] > before:
                self.deleted.add(arn)


@pytest.mark.timeout(30 + ROUNDS * 5)
def test_whatever_many_do_at_once_leaves_a_whole_state(
    shared_api: Api, crowd: Crowd, elb: Any
) -> None:
    known: dict[str, list[str]] = {
        name: [] for name in ("LoadBalancerArn", "ListenerArn", "RuleArn", "TargetGroupArn")
    }
    workers = [Worker(crowd, number, known) for number in range(CALLERS)]
    crowd.all(lambda number: workers[number].work())
    codes = sum((worker.codes for worker in workers), Counter[str | None]())
    assert codes.keys() <= {None, *CONFLICTS}
    assert codes[None] > CALLERS  # most calls meet something that is there
    assert shared_api.faults() == []
    assert consistency.faults_of_api(elb) == []
    there = {each["LoadBalancerArn"] for each in elb.describe_load_balancers()["LoadBalancers"]}
    deleted = set().union(*(worker.deleted for worker in workers))
    assert there == set(known["LoadBalancerArn"]) - deleted
    groups = {each["TargetGroupArn"] for each in elb.describe_target_groups()["TargetGroups"]}
    assert groups == set(known["TargetGroupArn"]) - deleted
