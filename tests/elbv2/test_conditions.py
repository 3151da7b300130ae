import pytest

OK = [{"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "200"}}]


def path(*values):
    return {"Field": "path-pattern", "PathPatternConfig": {"Values": list(values)}}


def host(*values):
    return {"Field": "host-header", "HostHeaderConfig": {"Values": list(values)}}


@pytest.fixture
def create(elb, make_balancer, make_listener):
    listener = make_listener(make_balancer())

    def create(*conditions):
        return elb.create_rule(
            ListenerArn=listener, Priority=1, Conditions=list(conditions), Actions=OK
        )["Rules"][0]["Conditions"]

    return create


@pytest.mark.parametrize(
    "conditions",
    [
        pytest.param([path("""/aZ0_-.$/~"'@:+&*?""")], id="every character of a path"),
        pytest.param([path("*.png")], id="path without a slash"),
        pytest.param([path("/" + "a" * 127)], id="path of 128 characters"),
        pytest.param([host("a-Z0.?*.example.COM")], id="every character of a host"),
        pytest.param([host(f"{'a' * 124}.com")], id="host of 128 characters"),
        pytest.param([path("/1", "/2", "/3", "/4", "/5")], id="five values"),
        pytest.param([path("/1", "/2", "/3"), host("a.b", "c.d")], id="five in two conditions"),
        pytest.param([path("/***"), host("???.b")], id="six wildcards"),
    ],
)
def test_what_aws_takes_is_taken(create, conditions):
    taken = create(*conditions)
    assert [condition["Field"] for condition in taken] == [given["Field"] for given in conditions]


@pytest.mark.parametrize(
    ("conditions", "message"),
    [
        pytest.param([], "A condition must be specified", id="none"),
        pytest.param([{"Values": ["/a"]}], "A condition field must be specified", id="no field"),
        pytest.param(
            [{"Field": "cookie", "Values": ["a"]}],
            "Condition field 'cookie' must be one of '[path-pattern,host-header,http-header,"
            "http-request-method,query-string,source-ip]'",
            id="unknown field",
        ),
        pytest.param(
            [{"Field": "path-pattern"}], "A condition value must be specified", id="no value"
        ),
        pytest.param([path()], "A condition value must be specified", id="empty list"),
        pytest.param([path("/a", "")], "A condition value must be specified", id="empty value"),
        pytest.param(
            [{"Field": "path-pattern", "Values": ["/a", "/b"]}],
            "The 'path-pattern' field contains too many values; the limit is '1'; "
            "use 'PathPatternConfig'",
            id="two short values",
        ),
        pytest.param(
            [path("/a") | {"Values": ["/a"]}],
            "You cannot provide both Values and 'PathPatternConfig' "
            "for a condition of type 'path-pattern'",
            id="short and long form",
        ),
        pytest.param(
            [path("/a") | {"HostHeaderConfig": {"Values": ["a.b"]}}],
            "The 'HostHeaderConfig' field is not compatible with 'path-pattern'",
            id="configuration of another field",
        ),
        pytest.param(
            [path("/" + "a" * 128)],
            "The 'path-pattern' value is too long; the limit is '128'",
            id="path of 129 characters",
        ),
        pytest.param(
            [host(f"{'a' * 125}.com")],
            "The 'host-header' value is too long; the limit is '128'",
            id="host of 129 characters",
        ),
        pytest.param(
            [path("/1", "/2", "/3"), host("a.b", "c.d", "e.f")],
            "A rule can only have '5' condition values and regex values",
            id="six values",
        ),
        pytest.param(
            [path("/****"), host("???.b")],
            "A rule can only have '6' condition wildcards",
            id="seven wildcards",
        ),
        pytest.param(
            [path("/a"), path("/b")],
            "A rule can only have one 'path-pattern' condition",
            id="two conditions of a kind",
        ),
    ],
)
def test_what_aws_refuses_is_refused(create, refused, conditions, message):
    assert refused(lambda: create(*conditions)) == ("ValidationError", message)


@pytest.mark.parametrize(
    "condition",
    [
        pytest.param(path("/a b"), id="space in a path"),
        pytest.param(path("/a%20b"), id="percent in a path"),
        pytest.param(path("/ä"), id="umlaut in a path"),
        pytest.param(path("/a\n"), id="line end in a path"),
        pytest.param(host("localhost"), id="host without a dot"),
        pytest.param(host("10.0.0.1"), id="address"),
        pytest.param(host("example.com:80"), id="port"),
        pytest.param(host("example.*"), id="wildcard after the last dot"),
        pytest.param(host("example."), id="nothing after the last dot"),
        pytest.param(host("a_b.example.com"), id="underscore in a host"),
    ],
)
def test_characters_that_aws_does_not_match_are_refused(create, refused, condition):
    (value,) = (config["Values"][0] for config in condition.values() if isinstance(config, dict))
    assert refused(lambda: create(condition)) == (
        "ValidationError",
        f"Condition value '{value}' contains a character that is not valid",
    )


@pytest.mark.parametrize(
    ("condition", "what"),
    [
        pytest.param(
            {
                "Field": "http-header",
                "HttpHeaderConfig": {"HttpHeaderName": "a", "Values": ["b"]},
            },
            "The condition field 'http-header'",
            id="http-header",
        ),
        pytest.param(
            {"Field": "http-request-method", "HttpRequestMethodConfig": {"Values": ["GET"]}},
            "The condition field 'http-request-method'",
            id="http-request-method",
        ),
        pytest.param(
            {"Field": "query-string", "QueryStringConfig": {"Values": [{"Value": "b"}]}},
            "The condition field 'query-string'",
            id="query-string",
        ),
        pytest.param(
            {"Field": "source-ip", "SourceIpConfig": {"Values": ["10.0.0.0/8"]}},
            "The condition field 'source-ip'",
            id="source-ip",
        ),
        pytest.param(
            {"Field": "path-pattern", "PathPatternConfig": {"RegexValues": ["^/a$"]}},
            "A regular expression in a 'path-pattern' condition",
            id="regular expression",
        ),
        pytest.param(
            {"Field": "host-header", "RegexValues": ["^a$"]},
            "A regular expression in a 'host-header' condition",
            id="regular expression in short",
        ),
    ],
)
def test_a_condition_that_would_not_be_enforced_is_refused_by_name(
    create, refused, condition, what
):
    code, message = refused(lambda: create(condition))
    assert code == "NotImplemented"
    assert message == (
        f"{what} is not implemented in this version of Albatross; docs/coverage.md says what is"
    )
