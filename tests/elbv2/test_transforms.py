"""Transforms of rules."""

import pytest

OK = [{"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "200"}}]
PATH = [{"Field": "path-pattern", "Values": ["/x"]}]


def url(regex="^/dp/(.*)$", replace="/p?id=$1"):
    rewrites = [{"Regex": regex, "Replace": replace}]
    return {"Type": "url-rewrite", "UrlRewriteConfig": {"Rewrites": rewrites}}


def host(regex="^a-(.+).com$", replace="$1.internal"):
    rewrites = [{"Regex": regex, "Replace": replace}]
    return {"Type": "host-header-rewrite", "HostHeaderRewriteConfig": {"Rewrites": rewrites}}


@pytest.fixture
def create(elb, make_balancer, make_listener):
    listener = make_listener(make_balancer())

    def create(*transforms, **more):
        given = {"Conditions": PATH, "Actions": OK, "Transforms": list(transforms)} | more
        return elb.create_rule(ListenerArn=listener, Priority=1, **given)["Rules"][0]

    return create


@pytest.mark.parametrize(
    "transforms",
    [
        pytest.param([], id="none"),
        pytest.param([url()], id="URL"),
        pytest.param([host()], id="host"),
        pytest.param([host(), url()], id="both"),
        pytest.param([url("a" * 1024, "b" * 1024)], id="1,024 characters"),
        pytest.param([url("a", "")], id="empty replacement"),
    ],
)
def test_transforms_are_kept_and_shown(create, elb, transforms):
    rule = create(*transforms)
    assert rule["Transforms"] == transforms
    assert elb.describe_rules(RuleArns=[rule["RuleArn"]])["Rules"] == [rule]


@pytest.mark.parametrize(
    ("transforms", "message"),
    [
        pytest.param(
            [url(), url()], "A rule can only have one 'url-rewrite' transform", id="two of a kind"
        ),
        pytest.param(
            [{"Type": "url-rewrite"}],
            "A 'UrlRewriteConfig' must be specified with 'url-rewrite'",
            id="no configuration",
        ),
        pytest.param(
            [url() | {"HostHeaderRewriteConfig": {"Rewrites": []}}],
            "The 'HostHeaderRewriteConfig' field is not compatible with 'url-rewrite'",
            id="configuration of another kind",
        ),
        pytest.param(
            [
                {
                    "Type": "url-rewrite",
                    "UrlRewriteConfig": {"Rewrites": [{"Regex": "a", "Replace": "b"}] * 2},
                }
            ],
            "A 'url-rewrite' transform can only have one rewrite",
            id="two rewrites",
        ),
        pytest.param(
            [url("")],
            "A 'Regex' must be specified in 'RewriteConfig'",
            id="no expression",
        ),
        pytest.param(
            [url("a" * 1025)],
            "The 'Regex' value is too long; the limit is '1024'",
            id="expression of 1,025 characters",
        ),
        pytest.param(
            [host("a", "b" * 1025)],
            "The 'Replace' value is too long; the limit is '1024'",
            id="replacement of 1,025 characters",
        ),
        pytest.param(
            [url("(?=a)")],
            "The transform expression '(?=a)' is not a valid regular expression",
            id="lookahead",
        ),
    ],
)
def test_what_cannot_be_performed_is_refused(create, refused, transforms, message):
    assert refused(lambda: create(*transforms)) == ("ValidationError", message)


def test_an_unknown_type_is_refused(create, refused):
    code, message = refused(lambda: create({"Type": "path-rewrite"}))
    assert code == "ValidationError"
    assert "transforms.1.member.type" in message


def test_transforms_are_replaced_whole_or_removed(create, elb, refused):
    arn = create(host(), url())["RuleArn"]
    modify = elb.modify_rule
    assert modify(RuleArn=arn, Transforms=[url("x")])["Rules"][0]["Transforms"] == [url("x")]
    assert modify(RuleArn=arn, Actions=OK)["Rules"][0]["Transforms"] == [url("x")]
    assert refused(modify, RuleArn=arn, Transforms=[url()], ResetTransforms=True) == (
        "ValidationError",
        "You cannot specify both 'Transforms' and 'ResetTransforms'",
    )
    assert modify(RuleArn=arn, ResetTransforms=True)["Rules"][0]["Transforms"] == []


def test_a_default_rule_has_none(elb, refused, make_balancer, make_listener):
    (rule,) = elb.describe_rules(ListenerArn=make_listener(make_balancer()))["Rules"]
    assert rule["Transforms"] == []
    code, _ = refused(elb.modify_rule, RuleArn=rule["RuleArn"], Transforms=[url()])
    assert code == "OperationNotPermitted"
