import pytest

GROUP = "arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/tg/0123456789abcdef"


def fixed(**config):
    config = {"StatusCode": "200", **config}
    return {"Type": "fixed-response", "FixedResponseConfig": config}


def redirect(**config):
    config = {"StatusCode": "HTTP_301", **config}
    return {"Type": "redirect", "RedirectConfig": config}


@pytest.fixture
def create(elb, make_balancer):
    """`create(action)` makes a listener and returns its default actions."""
    balancer = make_balancer()

    def create(*actions):
        return elb.create_listener(
            LoadBalancerArn=balancer, Protocol="HTTP", Port=80, DefaultActions=list(actions)
        )["Listeners"][0]["DefaultActions"]

    return create


def test_a_redirect_is_described_with_its_defaults(create):
    assert create(redirect(Protocol="HTTPS", StatusCode="HTTP_302") | {"Order": 3}) == [
        {
            "Type": "redirect",
            "RedirectConfig": {
                "Protocol": "HTTPS",
                "Port": "#{port}",
                "Host": "#{host}",
                "Path": "/#{path}",
                "Query": "#{query}",
                "StatusCode": "HTTP_302",
            },
            "Order": 3,
        }
    ]


@pytest.mark.parametrize(
    "action",
    [
        pytest.param(redirect(Host="www.#{host}"), id="host"),
        pytest.param(redirect(Port="65535"), id="port"),
        pytest.param(redirect(Path="/#{host}/#{port}/#{path}"), id="path"),
        pytest.param(
            redirect(Protocol="HTTP", Query="#{protocol}&#{host}&#{port}&#{path}&#{query}"),
            id="query",
        ),
        pytest.param(redirect(Path="/a", Query=""), id="empty query"),
        pytest.param(redirect(Host="a" * 128), id="128 characters"),
        pytest.param(fixed(MessageBody="a" * 1024), id="body of 1024 characters"),
        pytest.param(fixed(MessageBody="", ContentType="text/css"), id="empty body"),
        pytest.param(fixed(StatusCode="599"), id="599"),
        pytest.param(fixed() | {"Order": 50_000}, id="order"),
    ],
)
def test_what_aws_takes_is_taken_and_shown_as_given(create, action):
    (shown,) = create(action)
    config = next(key for key in action if key.endswith("Config"))
    assert action[config].items() <= shown[config].items()
    assert shown.get("Order") == action.get("Order")


@pytest.mark.parametrize(
    ("action", "code", "message"),
    [
        pytest.param(
            redirect(),
            "InvalidLoadBalancerAction",
            "The redirect configuration is not valid because it creates a loop.",
            id="loop",
        ),
        pytest.param(
            redirect(Query="a=b", Path="/#{path}", Port="#{port}"),
            "InvalidLoadBalancerAction",
            "The redirect configuration is not valid because it creates a loop.",
            id="loop with another query",
        ),
        pytest.param(
            redirect(Path="a"),
            "InvalidLoadBalancerAction",
            "The redirect path 'a' is not valid",
            id="relative path",
        ),
        pytest.param(
            redirect(Path="/a\r\nSet-Cookie:x"),
            "InvalidLoadBalancerAction",
            "The redirect path '/a\r\nSet-Cookie:x' is not valid",
            id="control characters",
        ),
        pytest.param(
            redirect(Port="65536"),
            "InvalidLoadBalancerAction",
            "The redirect port '65536' is not valid",
            id="port too high",
        ),
        pytest.param(
            redirect(Port="https"),
            "InvalidLoadBalancerAction",
            "The redirect port 'https' is not valid",
            id="port in words",
        ),
        pytest.param(
            redirect(Port="²"),
            "InvalidLoadBalancerAction",
            "The redirect port '²' is not valid",
            id="port in other digits",
        ),
        pytest.param(
            redirect(Path="/a", Query="?a"),
            "InvalidLoadBalancerAction",
            "The redirect query '?a' is not valid",
            id="question mark",
        ),
        pytest.param(
            redirect(Host="#{path}"),
            "InvalidLoadBalancerAction",
            "The redirect host '#{path}' contains a keyword that is not valid there: '#{path}'",
            id="keyword in the wrong place",
        ),
        pytest.param(
            redirect(Protocol="ftp"),
            "ValidationError",
            "1 validation error detected: Value 'ftp' at "
            "'defaultActions.1.member.redirectConfig.protocol' failed to satisfy constraint: "
            r"Member must satisfy regular expression pattern: ^(HTTPS?|#\{protocol\})$",
            id="protocol",
        ),
        pytest.param(
            redirect(Protocol="HTTPS", StatusCode="HTTP_307"),
            "ValidationError",
            "1 validation error detected: Value 'HTTP_307' at "
            "'defaultActions.1.member.redirectConfig.statusCode' failed to satisfy constraint: "
            "Member must satisfy enum value set: [HTTP_301, HTTP_302]",
            id="status of a redirect",
        ),
        pytest.param(
            {"Type": "redirect"},
            "ValidationError",
            "A 'RedirectConfig' must be specified with 'redirect'",
            id="nothing to redirect to",
        ),
        pytest.param(
            fixed(StatusCode="302"),
            "ValidationError",
            "1 validation error detected: Value '302' at "
            "'defaultActions.1.member.fixedResponseConfig.statusCode' failed to satisfy "
            r"constraint: Member must satisfy regular expression pattern: ^(2|4|5)\d\d$",
            id="status of a fixed response",
        ),
        pytest.param(
            fixed(ContentType="text/xml"),
            "InvalidLoadBalancerAction",
            "The ContentType must be one of:'text/html', 'application/json', "
            "'application/javascript', 'text/css', 'text/plain'",
            id="content type",
        ),
        pytest.param(
            {"Type": "forward"},
            "ValidationError",
            "A target group ARN must be specified",
            id="nowhere to forward to",
        ),
        pytest.param(
            {"Type": "forward", "TargetGroupArn": GROUP},
            "TargetGroupNotFound",
            f"Target group '{GROUP}' not found",
            id="missing target group",
        ),
        pytest.param(
            {"Type": "forward", "TargetGroupArn": "my-targets"},
            "ValidationError",
            "'my-targets' is not a valid target group ARN",
            id="a name instead of an ARN",
        ),
        pytest.param(
            {
                "Type": "forward",
                "TargetGroupArn": GROUP,
                "ForwardConfig": {"TargetGroups": [{"TargetGroupArn": GROUP + "0"}]},
            },
            "ValidationError",
            "You cannot specify different target groups in 'TargetGroupArn' and 'ForwardConfig'",
            id="two different target groups",
        ),
        pytest.param(
            {
                "Type": "forward",
                "ForwardConfig": {"TargetGroups": [{"TargetGroupArn": GROUP, "Weight": 1000}]},
            },
            "ValidationError",
            "The target group weight '1000' must be between '0-999' inclusive",
            id="weight",
        ),
        pytest.param(
            fixed() | {"TargetGroupArn": GROUP},
            "ValidationError",
            "The 'TargetGroupArn' field is not compatible with 'fixed-response'",
            id="configuration of another action",
        ),
        pytest.param(
            fixed() | {"Order": 0},
            "ValidationError",
            "1 validation error detected: Value '0' at 'defaultActions.1.member.order' failed to "
            "satisfy constraint: Member must have value greater than or equal to 1",
            id="order",
        ),
        pytest.param(
            {"Type": "teapot"},
            "ValidationError",
            "1 validation error detected: Value 'teapot' at 'defaultActions.1.member.type' failed "
            "to satisfy constraint: Member must satisfy enum value set: [forward, "
            "authenticate-oidc, authenticate-cognito, redirect, fixed-response, jwt-validation]",
            id="unknown action",
        ),
    ],
)
def test_what_aws_refuses_is_refused(create, refused, action, code, message):
    assert refused(lambda: create(action)) == (code, message)


@pytest.mark.parametrize(
    ("config", "length"),
    [pytest.param("Host", 129, id="host"), pytest.param("Query", 129, id="query")],
)
def test_a_long_part_of_a_redirect_is_refused(create, refused, config, length):
    code, message = refused(lambda: create(redirect(Path="/a", **{config: "a" * length})))
    assert code == "ValidationError"
    assert message.endswith("Member must have length less than or equal to 128")


def test_a_long_message_is_refused(create, refused):
    code, message = refused(lambda: create(fixed(MessageBody="a" * 1025)))
    assert code == "ValidationError"
    assert message.endswith("Member must have length less than or equal to 1024")


def test_one_routing_action_is_all_there_may_be(create, refused):
    actions = fixed() | {"Order": 1}, redirect(Protocol="HTTPS") | {"Order": 2}
    assert refused(lambda: create(*actions))[0] == "InvalidLoadBalancerAction"


@pytest.mark.parametrize(
    ("actions", "what"),
    [
        pytest.param(
            [
                {
                    "Type": "authenticate-cognito",
                    "AuthenticateCognitoConfig": {
                        "UserPoolArn": "a",
                        "UserPoolClientId": "b",
                        "UserPoolDomain": "c",
                    },
                    "Order": 1,
                },
                fixed() | {"Order": 2},
            ],
            "The action type 'authenticate-cognito'",
            id="authentication",
        ),
        pytest.param(
            [
                {
                    "Type": "jwt-validation",
                    "JwtValidationConfig": {"JwksEndpoint": "https://a.b", "Issuer": "c"},
                }
            ],
            "The action type 'jwt-validation'",
            id="token validation",
        ),
    ],
)
def test_an_action_that_would_not_be_performed_is_refused_by_name(create, refused, actions, what):
    code, message = refused(lambda: create(*actions))
    assert code == "NotImplemented"
    assert message == (
        f"{what} is not implemented in this version of Albatross; docs/coverage.md says what is"
    )


def test_a_target_group_may_be_given_in_either_form_or_both(create, make_group):
    group = make_group()
    (shown,) = create(
        {
            "Type": "forward",
            "TargetGroupArn": group,
            "ForwardConfig": {
                "TargetGroups": [{"TargetGroupArn": group, "Weight": 100}],
                "TargetGroupStickinessConfig": {"Enabled": False},
            },
        }
    )
    assert shown["TargetGroupArn"] == group
    assert shown["ForwardConfig"]["TargetGroups"] == [{"TargetGroupArn": group, "Weight": 100}]


def weighted(*groups, **stickiness):
    """A forward action to groups: an ARN alone, or with a weight."""
    pairs = [group if isinstance(group, tuple) else (group,) for group in groups]
    tuples = [dict(zip(("TargetGroupArn", "Weight"), pair, strict=False)) for pair in pairs]
    config = {"TargetGroups": tuples}
    if stickiness:
        config["TargetGroupStickinessConfig"] = stickiness
    return {"Type": "forward", "ForwardConfig": config}


@pytest.mark.parametrize(
    ("weights", "stickiness", "shown"),
    [
        pytest.param([1, 999, 0, 5, 7], {}, {"Enabled": False}, id="five groups"),
        pytest.param([0, 0], {}, {"Enabled": False}, id="no weight at all"),
        pytest.param(
            [1, 1],
            {"Enabled": True, "DurationSeconds": 604_800},
            {"Enabled": True, "DurationSeconds": 604_800},
            id="stickiness",
        ),
        pytest.param(
            [1, 1],
            {"Enabled": False, "DurationSeconds": 20},
            {"Enabled": False, "DurationSeconds": 20},
            id="stickiness off, with a duration",
        ),
    ],
)
def test_several_target_groups_are_shown_as_given(create, make_group, weights, stickiness, shown):
    given = [(make_group(f"tg{n}"), weight) for n, weight in enumerate(weights)]
    (action,) = create(weighted(*given, **stickiness))
    tuples = [{"TargetGroupArn": arn, "Weight": weight} for arn, weight in given]
    assert action == {
        "Type": "forward",
        "ForwardConfig": {"TargetGroups": tuples, "TargetGroupStickinessConfig": shown},
    }


def test_one_group_may_have_no_weight_and_stickiness(create, make_group):
    group = make_group()
    stickiness = {"Enabled": True, "DurationSeconds": 1}
    (action,) = create(weighted(group, **stickiness))
    assert action["TargetGroupArn"] == group
    assert action["ForwardConfig"] == {
        "TargetGroups": [{"TargetGroupArn": group, "Weight": 1}],
        "TargetGroupStickinessConfig": stickiness,
    }


@pytest.mark.parametrize(
    ("action", "code", "message"),
    [
        pytest.param(
            weighted(*((f"{GROUP}{n}", 1) for n in range(6))),
            "TooManyActions",
            "An action can only have '5' target groups",
            id="six groups",
        ),
        pytest.param(
            weighted((GROUP, 1), (GROUP + "0",)),
            "ValidationError",
            "A weight must be specified for each target group",
            id="no weight",
        ),
        pytest.param(
            weighted((GROUP, 1), (GROUP, 2)),
            "ValidationError",
            "A target group can only be specified once in an action",
            id="the same group twice",
        ),
        pytest.param(
            weighted((GROUP, 1), (GROUP + "0", 1000)),
            "ValidationError",
            "The target group weight '1000' must be between '0-999' inclusive",
            id="weight of 1,000",
        ),
        pytest.param(
            weighted((GROUP, 1), Enabled=True),
            "ValidationError",
            "'DurationSeconds' must be specified to enable stickiness of target groups",
            id="stickiness without a duration",
        ),
        pytest.param(
            weighted((GROUP, 1), Enabled=True, DurationSeconds=604_801),
            "ValidationError",
            "The stickiness duration '604801' must be between '1-604800' inclusive",
            id="too long a stickiness",
        ),
        pytest.param(
            weighted((GROUP, 1), (GROUP + "0", 1)) | {"TargetGroupArn": GROUP},
            "ValidationError",
            "You cannot specify different target groups in 'TargetGroupArn' and 'ForwardConfig'",
            id="short form beside several groups",
        ),
        pytest.param(
            weighted((GROUP, 1), ("", 1)),
            "ValidationError",
            "A target group ARN must be specified",
            id="no ARN",
        ),
    ],
)
def test_weights_and_stickiness_have_their_limits(create, refused, action, code, message):
    assert refused(lambda: create(action)) == (code, message)


def test_every_target_group_must_be_there(create, refused, make_group):
    group = make_group()
    missing = f"{group[:-16]}{'0' * 16}"
    assert refused(lambda: create(weighted((group, 1), (missing, 0)))) == (
        "TargetGroupNotFound",
        f"Target group '{missing}' not found",
    )


def test_https_is_not_redirected_to_http(elb, refused, make_balancer, make_https, make_rule):
    listener = make_https(make_balancer())["ListenerArn"]

    def to(protocol):
        config = {"Protocol": protocol, "Path": "/x", "StatusCode": "HTTP_302"}
        return [{"Type": "redirect", "RedirectConfig": config}]

    rule = make_rule(listener, 1, to("#{protocol}"))
    make_rule(listener, 2, to("HTTPS"))
    expected = ("InvalidLoadBalancerAction", "You cannot redirect from HTTPS to HTTP")
    http = to("HTTP")
    assert refused(elb.modify_rule, RuleArn=rule, Actions=http) == expected
    assert refused(elb.modify_listener, ListenerArn=listener, DefaultActions=http) == expected
    assert refused(lambda: make_rule(listener, 3, http)) == expected
