"""ARNs: the only place that builds and parses them. Source: contract of names in the elbv2 API."""

import re
from dataclasses import dataclass

_FUNCTION_ARN = re.compile(
    r"arn:aws:lambda:(?P<region>[a-z0-9-]+):(?P<account>[0-9]{12}):function:"
    r"(?P<name>[A-Za-z0-9_-]+)(?::(?P<qualifier>\$LATEST|[A-Za-z0-9_-]+))?"
)
_PARTIAL_FUNCTION_ARN = re.compile(
    r"(?:(?:(?P<region>[a-z]{2}(?:-[a-z]+)+-[0-9]):)?(?P<account>[0-9]{12}):)?(?:function:)?"
    r"(?P<name>[A-Za-z0-9_-]{1,140})(?::(?P<qualifier>\$LATEST|[A-Za-z0-9_-]+))?"
)
_LAYER_ARN = re.compile(
    r"arn:aws:lambda:(?P<region>[a-z0-9-]+):(?P<account>[0-9]{12}):layer:"
    r"(?P<name>[A-Za-z0-9_-]{1,140})(?::(?P<version>[0-9]{1,18}))?"
)
_ELB_PARTS = {
    "loadbalancer": 3,
    "targetgroup": 2,
    "listener": 4,
    "listener-rule": 5,
    "truststore": 2,
}


@dataclass(frozen=True, slots=True)
class Scope:
    """One account in one Region: a world of its own."""

    account: str
    region: str


@dataclass(frozen=True, slots=True)
class FunctionName:
    """What an ARN or a name says about a function; `qualifier` is None where none was given."""

    name: str
    qualifier: str | None
    scope: Scope | None  # None: a bare name


@dataclass(frozen=True, slots=True)
class LayerName:
    """What an ARN says about a layer; `version` is None where none was given."""

    name: str
    scope: Scope
    version: int | None


def _elb(scope: Scope, resource: str) -> str:
    return f"arn:aws:elasticloadbalancing:{scope.region}:{scope.account}:{resource}"


def load_balancer(scope: Scope, name: str, id_: str) -> str:
    return _elb(scope, f"loadbalancer/app/{name}/{id_}")


def target_group(scope: Scope, name: str, id_: str) -> str:
    return _elb(scope, f"targetgroup/{name}/{id_}")


def trust_store(scope: Scope, name: str, id_: str) -> str:
    return _elb(scope, f"truststore/{name}/{id_}")


def listener(load_balancer_arn: str, id_: str) -> str:
    """`...:listener/app/NAME/LBID/ID` from the load balancer's ARN."""
    prefix, _, rest = load_balancer_arn.partition(":loadbalancer/")
    assert rest
    return f"{prefix}:listener/{rest}/{id_}"


def rule(listener_arn: str, id_: str) -> str:
    """`...:listener-rule/app/NAME/LBID/LISTENERID/ID` from the listener's ARN."""
    prefix, _, rest = listener_arn.partition(":listener/")
    assert rest
    return f"{prefix}:listener-rule/{rest}/{id_}"


def load_balancer_of(listener_arn: str) -> str:
    """Return the ARN of the load balancer that a listener belongs to."""
    prefix, _, rest = listener_arn.partition(":listener/")
    assert rest
    return f"{prefix}:loadbalancer/{rest.rpartition('/')[0]}"


def load_balancer_of_rule(rule_arn: str) -> str:
    """Return the ARN of the load balancer that a rule belongs to."""
    prefix, _, rest = rule_arn.partition(":listener-rule/")
    assert rest
    return f"{prefix}:loadbalancer/{rest.rsplit('/', 2)[0]}"


def function(scope: Scope, name: str, qualifier: str | None = None) -> str:
    arn = f"arn:aws:lambda:{scope.region}:{scope.account}:function:{name}"
    return f"{arn}:{qualifier}" if qualifier else arn


def layer(scope: Scope, name: str) -> str:
    return f"arn:aws:lambda:{scope.region}:{scope.account}:layer:{name}"


def certificate(scope: Scope, id_: str) -> str:
    return f"arn:aws:acm:{scope.region}:{scope.account}:certificate/{id_}"


def scope_of(arn: str) -> Scope:
    """Return the account and Region that an ARN names."""
    _, _, _, region, account, _ = arn.split(":", 5)
    return Scope(account, region)


def elb_kind(arn: str) -> str | None:
    """Return the kind of resource, a key of `_ELB_PARTS`, or None for anything else."""
    parts = arn.split(":", 5)
    if len(parts) != 6 or parts[:3] != ["arn", "aws", "elasticloadbalancing"]:
        return None
    kind, *rest = parts[5].split("/")
    return kind if len(rest) == _ELB_PARTS.get(kind) else None


def short(arn: str) -> str:
    """Return how logs and metrics name a resource: `app/NAME/ID`, `targetgroup/NAME/ID`."""
    resource = arn.split(":", 5)[-1]
    return resource.removeprefix("loadbalancer/")


def parse_function(text: str, caller: Scope | None = None) -> FunctionName | None:
    """Parse a name, partial ARN (`ACCOUNT:function:NAME`) or ARN, with a qualifier or not.

    A partial ARN without a Region is one in that of the `caller`.
    """
    if match := _FUNCTION_ARN.fullmatch(text):
        scope = Scope(match["account"], match["region"])
        return FunctionName(match["name"], match["qualifier"], scope)
    match = _PARTIAL_FUNCTION_ARN.fullmatch(text)
    if match is None:
        return None
    called = None
    if caller is not None and match["account"]:
        called = Scope(match["account"], match["region"] or caller.region)
    return FunctionName(match["name"], match["qualifier"], called)


def parse_layer(text: str) -> LayerName | None:
    """Parse the ARN of a layer or of a version of one."""
    match = _LAYER_ARN.fullmatch(text)
    if match is None:
        return None
    version = int(match["version"]) if match["version"] else None
    return LayerName(match["name"], Scope(match["account"], match["region"]), version)
