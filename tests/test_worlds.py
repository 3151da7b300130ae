"""Every operation of the API: what is in one account and Region is not there in any other.

The table is made from the operations that there are: a new one is in it.
"""

import json

import pytest

from albatross.control import s3
from albatross.model.errors import AwsError, NotImplementedHere
from tests.support.tls import authority
from tests.support.worlds import ABROAD, ELB, FIXED, HOME, NAME, Worlds, members, operation_names
from tests.support.worlds import params as required

# What in HOME a member of an input may name.
IDENTIFIERS = {
    "acm": {"CertificateArn": ["certificate"]},
    ELB: {
        "ListenerArn": ["listener", "secure"],
        "ListenerArns": ["listener"],
        "LoadBalancerArn": ["balancer"],
        "LoadBalancerArns": ["balancer"],
        "ResourceArn": ["trust_store", "balancer"],
        "ResourceArns": ["balancer", "listener", "rule", "group", "trust_store"],
        "RuleArn": ["rule"],
        "RuleArns": ["rule"],
        "RulePriorities": ["rule"],
        "TargetGroupArn": ["group", "servers"],
        "TargetGroupArns": ["group"],
        "TrustStoreArn": ["trust_store"],
        "TrustStoreArns": ["trust_store"],
    },
    "lambda": {
        "Arn": ["layer_version"],
        "CodeSigningConfigArn": ["signing"],
        "FunctionName": ["function"],
        "LayerName": ["layer"],
        "Resource": ["function", "signing"],
    },
    "sts": {},
}
# Members that end as identifiers do, and name nothing that a world holds.
OTHERS = {
    *("CertificateAuthorityArn", "KMSKeyArn", "SourceArn", "RuntimeVersionArn", "EventSourceArn"),
    "SourceKMSKeyArn",
}


@pytest.fixture(scope="module")
def worlds(tmp_path_factory):
    root = authority()
    with pytest.MonkeyPatch.context() as patch:
        revoked = root.revoking()
        patch.setattr(s3, "read", lambda _, at, __: revoked if at.key == "revoked" else root.pem)
        worlds = Worlds(tmp_path_factory.mktemp("worlds"))
        yield worlds
        worlds.close()


def filled(worlds, of, name, member, kind):
    """Return parameters in which `member`, and what else is required, is of HOME."""
    known = worlds.known[HOME]
    given = required(of, name) | ({"FunctionName": "other"} if name == "CreateFunction" else {})
    for each, kinds in IDENTIFIERS[of].items():
        if each == member or (each in given and not name.startswith("Create")):
            arn = known[kind if each == member else kinds[0]]
            value = [{"RuleArn": arn, "Priority": 7}] if each == "RulePriorities" else arn
            given[each] = [value] if each.endswith("Arns") else value
    return given


def outcome(worlds, scope, of, name, given):
    """Return the error's code and text, and the result; one of them is None."""
    try:
        return None, worlds.call(scope, of, name, **given)
    except AwsError as error:
        return (error.code, error.message), None
    except OSError:  # of the Lambda host, which is not there
        return None, None


CASES = [
    pytest.param(of, name, member, kind, id=f"{name}-{member}-{kind}")
    for of, name in operation_names()
    for member in members(of, name)
    if not (name == "CreateFunction" and member == "FunctionName")
    for kind in IDENTIFIERS[of].get(member, ())
]


@pytest.mark.parametrize(("of", "name", "member", "kind"), CASES)
def test_what_another_world_holds_is_not_there(worlds, of, name, member, kind):
    given = filled(worlds, of, name, member, kind)
    before = worlds.resources(HOME)
    refusals = {outcome(worlds, scope, of, name, given)[0] for scope in ABROAD}
    assert None not in refusals, "another world's resource was found"
    assert not [code for code, _ in refusals if code == NotImplementedHere.code]
    assert worlds.resources(HOME) == before


def test_where_it_is_it_is_found(worlds):
    """Else the test above would be content with parameters that are refused everywhere."""
    found = set()
    for case in CASES:
        of, name, member, kind = case.values
        given = filled(worlds, of, name, member, kind)
        abroad = outcome(worlds, ABROAD[0], of, name, given)[0]
        if outcome(worlds, HOME, of, name, given)[0] != abroad:
            found.add((of, name))
    missed = {case.values[:2] for case in CASES} - found
    assert not missed


@pytest.mark.parametrize(
    ("of", "name"), [pytest.param(*each, id=each[1]) for each in operation_names()]
)
def test_nothing_of_another_world_is_in_an_answer(worlds, of, name):
    own = worlds.known[ABROAD[0]]
    home = worlds.known[HOME]
    given = required(of, name)
    for member, kinds in IDENTIFIERS[of].items():
        if member in given and not name.startswith("Create"):
            arn = own[kinds[0]]
            value = [{"RuleArn": arn, "Priority": 7}] if member == "RulePriorities" else arn
            given[member] = [value] if member.endswith("Arns") else value
    error, result = outcome(worlds, ABROAD[0], of, name, given)
    if error is None:
        text = json.dumps(result, default=str)
        assert not [arn for arn in home.values() if arn in text]


def test_every_member_that_looks_like_an_identifier_is_in_the_table():
    unknown = {
        (of, member)
        for of, name in operation_names()
        for member in members(of, name)
        if member.endswith(("Arn", "Arns"))
        and member not in IDENTIFIERS[of]
        and member not in OTHERS
    }
    assert not unknown


def forward(arn):
    return [{"Type": "forward", "TargetGroupArn": arn}]


HTTPS = {"Protocol": "HTTPS", "Port": 444, "DefaultActions": [FIXED]}
REFERENCES = [
    pytest.param(
        "CreateRule",
        lambda own, other: {
            "ListenerArn": own["secure"],
            "Priority": 9,
            "Conditions": [{"Field": "path-pattern", "Values": ["/x"]}],
            "Actions": forward(other["group"]),
        },
        id="target group of a new rule",
    ),
    pytest.param(
        "ModifyRule",
        lambda own, other: {"RuleArn": own["rule"], "Actions": forward(other["group"])},
        id="target group of a rule",
    ),
    pytest.param(
        "CreateListener",
        lambda own, other: {
            "LoadBalancerArn": own["balancer"],
            "Protocol": "HTTP",
            "Port": 82,
            "DefaultActions": forward(other["group"]),
        },
        id="target group of a new listener",
    ),
    pytest.param(
        "ModifyListener",
        lambda own, other: {
            "ListenerArn": own["listener"],
            "DefaultActions": [
                {
                    "Type": "forward",
                    "ForwardConfig": {
                        "TargetGroups": [
                            {"TargetGroupArn": own["servers"], "Weight": 1},
                            {"TargetGroupArn": other["group"], "Weight": 1},
                        ]
                    },
                }
            ],
        },
        id="one target group of two",
    ),
    pytest.param(
        "CreateListener",
        lambda own, other: {
            "LoadBalancerArn": own["balancer"],
            "Certificates": [{"CertificateArn": other["certificate"]}],
            **HTTPS,
        },
        id="certificate of a new listener",
    ),
    pytest.param(
        "AddListenerCertificates",
        lambda own, other: {
            "ListenerArn": own["secure"],
            "Certificates": [{"CertificateArn": other["certificate"]}],
        },
        id="further certificate",
    ),
    pytest.param(
        "CreateListener",
        lambda own, other: {
            "LoadBalancerArn": own["balancer"],
            "Certificates": [{"CertificateArn": own["certificate"]}],
            "MutualAuthentication": {"Mode": "verify", "TrustStoreArn": other["trust_store"]},
            **HTTPS,
        },
        id="trust store",
    ),
    pytest.param(
        "DescribeTags",
        lambda own, other: {"ResourceArns": [own["balancer"], other["balancer"]]},
        id="one of two",
    ),
    pytest.param(
        "RegisterTargets",
        lambda own, other: {
            "TargetGroupArn": own["group"],
            "Targets": [{"Id": other["function"]}],
        },
        id="function as target",
    ),
]


@pytest.mark.parametrize(("name", "given"), REFERENCES)
def test_what_another_world_holds_cannot_be_referred_to(worlds, name, given):
    for scope in ABROAD:
        own = worlds.known[scope]
        error, _ = outcome(worlds, scope, ELB, name, given(own, worlds.known[HOME]))
        assert error is not None
        error, _ = outcome(worlds, scope, ELB, name, given(own, own))
        assert error is None, error


@pytest.mark.parametrize("form", ["{account}:function:" + NAME, "{account}:" + NAME])
def test_a_partial_arn_names_its_account(worlds, form):
    for scope in (HOME, *ABROAD):
        partial = form.format(account=scope.account)
        for caller in (HOME, *ABROAD):
            error, result = outcome(
                worlds, caller, "lambda", "GetFunctionConfiguration", {"FunctionName": partial}
            )
            assert (error is None) == (scope.account == caller.account)
            if error is None:
                assert result["FunctionArn"] == worlds.known[caller]["function"]
