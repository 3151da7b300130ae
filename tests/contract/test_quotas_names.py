"""Names and ranges of values, row by row: what is taken and what is refused.

Sources: elbv2 API and Lambda API, by their models; ALB user guide.
"""

import re
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.account import OPERATIONS, SUBNETS, Account
from tests.support.rules import refused, weighted
from tests.support.server import serve
from tests.support.stack import forward

LONG, ODD = "a" * 33, "can only contain characters that are alphanumeric characters"
BAD_NAMES = {
    LONG: "cannot be longer than '32' characters",
    "a_b": f"{ODD} or hyphens(-)",
    "a.b": f"{ODD} or hyphens(-)",
    "-a": "cannot begin or end with '-'",
    "a-": "cannot begin or end with '-'",
}
BAD_BALANCER_NAMES = {
    LONG: "cannot be longer than '32' characters",
    "a_b": f"{ODD} and hyphens(-)",
    "a.b": f"{ODD} and hyphens(-)",
    "-a": "cannot begin with a hyphen(-)",
    "a-": "cannot end with a hyphen(-)",
    "internal-a": "cannot begin with 'internal-'",
}
HEX = "[0-9a-f]{16}"


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with serve(OPERATIONS) as url:
        yield url


@pytest.fixture
def account(url: str) -> Account:
    return Account(url)


def test_lb_name_up_to_32_alphanumeric_and_hyphen_not_first_or_last_not_starting_internal(
    account: Account,
) -> None:
    for good in ("a" * 32, "A-1", "1", "internal", "my-internal-a"):
        account.balancer(good)
    for name in BAD_BALANCER_NAMES:
        expected = f"The load balancer name '{name}' {BAD_BALANCER_NAMES[name]}"
        assert refused(account.balancer, name=name) == ("ValidationError", expected)


def test_lb_name_unique_per_account_and_region_duplicate_load_balancer_name(
    url: str, account: Account
) -> None:
    first = account.balancer("same")
    assert account.balancer("same") == first
    assert refused(account.balancer, name="same", Scheme="internal") == (
        "DuplicateLoadBalancerName",
        "A load balancer with the same name 'same' exists, but with different settings",
    )
    assert Account(url).balancer("same") != first


def test_tg_name_up_to_32_alphanumeric_and_hyphen_not_first_or_last(account: Account) -> None:
    for good in ("a" * 32, "A-1", "1", "internal-a"):
        account.group(good)
    for name in BAD_NAMES:
        expected = f"Target group name '{name}' {BAD_NAMES[name]}"
        assert refused(account.group, name=name) == ("ValidationError", expected)


def test_tg_name_unique_duplicate_target_group_name(url: str, account: Account) -> None:
    first = account.group("same")
    assert account.group("same") == first
    code, message = refused(account.group, name="same", TargetType="ip")
    assert code == "DuplicateTargetGroupName"
    assert message == "A target group with the same name 'same' exists, but with different settings"
    assert Account(url).group("same") != first


@pytest.mark.parametrize("name", ["a" * 33, "-a", "a-", "a--b", "a_b", ""])
def test_trust_store_name_pattern_1_to_32(account: Account, name: str) -> None:
    bundle = {"CaCertificatesBundleS3Bucket": "b", "CaCertificatesBundleS3Key": "k"}
    # S3 is away here: a good name is refused for that alone.
    make = account.elb.create_trust_store
    for good in ("a" * 32, "A-1-b"):
        assert refused(make, Name=good, **bundle)[0] != "ValidationError"
    code, message = refused(make, Name=name, **bundle)
    assert code == "ValidationError"
    assert "'name'" in message


def test_lb_arn_tg_arn_listener_arn_rule_arn(account: Account) -> None:
    prefix = f"arn:aws:elasticloadbalancing:us-east-1:{account.id}"
    balancer, group = account.balancer("my-lb"), account.group("my-tg")
    listener = account.listener(balancer)
    rule = account.rule(listener, 1)
    assert re.fullmatch(rf"{prefix}:loadbalancer/app/my-lb/{HEX}", balancer)
    assert re.fullmatch(rf"{prefix}:targetgroup/my-tg/{HEX}", group)
    own = balancer.partition("loadbalancer/")[2]
    assert re.fullmatch(rf"{prefix}:listener/{own}/{HEX}", listener)
    of_listener = listener.partition("listener/")[2]
    assert re.fullmatch(rf"{prefix}:listener-rule/{of_listener}/{HEX}", rule)


@pytest.mark.parametrize("subnets", [SUBNETS[:1], [SUBNETS[0]] * 2, []])
def test_subnets_at_least_2_azs_one_per_az(account: Account, subnets: list[str]) -> None:
    code, _ = refused(account.balancer, Subnets=subnets)
    assert code in ("ValidationError", "InvalidConfigurationRequest")
    made = account.elb.create_load_balancer(Name="zones", Subnets=SUBNETS)["LoadBalancers"][0]
    zones = [each["ZoneName"] for each in made["AvailabilityZones"]]
    assert len(set(zones)) == len(zones) == 2


@pytest.mark.parametrize(
    ("what", "good", "bad"),
    [
        ("port", (1, 65_535), (0, 65_536, -1)),
        ("priority", (1, 50_000), (0, 50_001, -1)),
        ("weight", (0, 999), (-1, 1000)),
        ("order", (1, 50_000), (0, 50_001)),
        ("path", (1, 1024), (0, 1025)),
    ],
)
def test_port_1_to_65535_priority_1_to_50000_weight_0_to_999_order_1_to_50000_path_1_to_1024(
    account: Account, what: str, good: tuple[int, ...], bad: tuple[int, ...]
) -> None:
    balancer, group = account.balancer(), account.group()
    listener = account.listener(balancer, 77)

    def call(value: int) -> None:
        match what:
            case "port":
                account.listener(balancer, value)
            case "priority":
                account.rule(listener, value)
            case "weight":
                account.rule(listener, value + 1, Actions=[weighted({group: value})])
            case "order":
                account.rule(listener, 1 + value % 7, Actions=[{**forward(group), "Order": value}])
            case "path":
                account.group(HealthCheckPath="/" * value)

    for value in good:
        call(value)
    for value in bad:
        code, message = refused(call, value=value)
        assert code == "ValidationError", message


def test_attribute_key_pattern_up_to_256(account: Account) -> None:
    balancer = account.balancer()
    modify = account.elb.modify_load_balancer_attributes
    for key in ("a" * 257, "a-b", "a b", ""):
        code, message = refused(
            modify, LoadBalancerArn=balancer, Attributes=[{"Key": key, "Value": "x"}]
        )
        assert code == "ValidationError"
        assert "'attributes.1.member.key' failed to satisfy constraint" in message


# Functions


def test_function_name_1_to_64_pattern(account: Account) -> None:
    for good in ("f" * 64, "A-b_9", "1"):
        assert account.function(good).endswith(f":function:{good}")
    for name in ["f" * 65, "a b", "a.b", "", "f:1"]:
        params = {"FunctionName": name}
        code, message = refused(account.function, **params)
        # AWS looks at the length of the name itself only after it has checked the shape.
        long = len(name) > 64
        assert code == ("InvalidParameterValueException" if long else "ValidationException")
        assert "'functionName' failed to satisfy constraint" in message


def test_function_name_arn_forms_to_140(account: Account) -> None:
    name = "f" * 64
    arn = f"arn:aws:lambda:us-east-1:{account.id}:function:{name}"
    assert account.function(arn) == arn
    get = account.functions.get_function_configuration
    for form in (name, arn, f"{account.id}:function:{name}", f"{arn}:$LATEST"):
        assert get(FunctionName=form)["FunctionName"] == name
    code, message = refused(account.function, FunctionName="g" * 140)
    assert code == "InvalidParameterValueException"
    assert message.endswith("Member must have length less than or equal to 64")


def test_alias_1_to_128_not_only_digits(account: Account) -> None:
    function = account.function()
    make = account.functions.create_alias
    for good in ("a" * 128, "1a", "-_"):
        made = make(FunctionName=function, FunctionVersion="$LATEST", Name=good)
        assert made["AliasArn"] == f"{function}:{good}"
    for name in ["a" * 129, "12", "a b", "$LATEST", ""]:
        code, message = refused(make, FunctionName=function, FunctionVersion="$LATEST", Name=name)
        assert code == "ValidationException"
        assert "'name' failed to satisfy constraint" in message


def test_description_up_to_256(account: Account) -> None:
    account.function(Description="d" * 256)
    code, message = refused(account.function, Description="d" * 257)
    assert code == "ValidationException"
    assert message.endswith("Member must have length less than or equal to 256")


def test_statement_id_1_to_100(account: Account) -> None:
    function = account.function()
    given: dict[str, Any] = {"FunctionName": function, "Action": "lambda:InvokeFunction"}
    given["Principal"] = "elasticloadbalancing.amazonaws.com"
    account.functions.add_permission(StatementId="s" * 100, **given)
    for sid in ["s" * 101, "a b", "a.b", ""]:
        code, message = refused(account.functions.add_permission, StatementId=sid, **given)
        assert code == "ValidationException"
        assert "'statementId' failed to satisfy constraint" in message


@pytest.mark.parametrize(
    ("member", "good", "bad"),
    [
        ("Timeout", (1, 900), (0, 901, -1)),
        ("MemorySize", (128, 10_240), (127, 10_241, 32_769)),
        ("EphemeralStorage", (512, 10_240), (511, 10_241)),
    ],
)
def test_timeout_1_to_900_memory_size_128_to_10240_ephemeral_storage_512_to_10240(
    account: Account, member: str, good: tuple[int, ...], bad: tuple[int, ...]
) -> None:
    function = account.function()
    update = account.functions.update_function_configuration

    def of(value: int) -> dict[str, Any]:
        return {member: {"Size": value} if member == "EphemeralStorage" else value}

    for value in good:
        shown = update(FunctionName=function, **of(value))
        assert shown[member] == of(value)[member]
        account.function(**of(value))
    for value in bad:
        for call in (lambda **o: update(FunctionName=function, **o), account.function):
            code, message = refused(call, **of(value))
            assert code in ("ValidationException", "InvalidParameterValueException")
            assert "value" in message and "than or equal to" in message


def test_async_age_60_to_21600_retries_0_to_2(account: Account) -> None:
    function = account.function()
    put = account.functions.put_function_event_invoke_config
    for member, good, bad in (
        ("MaximumEventAgeInSeconds", (60, 21_600), (59, 21_601)),
        ("MaximumRetryAttempts", (0, 2), (-1, 3)),
    ):
        for value in good:
            assert put(FunctionName=function, **{member: value})[member] == value
        for value in bad:
            code, _ = refused(put, FunctionName=function, **{member: value})
            assert code == "ValidationException"
