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
            "The 'path-pattern' field contains too many values; the limit is '1'",
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
            "A rule can only have '5' condition values",
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


def header(*values, name="X-Thing", **more):
    config = {"HttpHeaderName": name, "Values": list(values)} | more
    return {"Field": "http-header", "HttpHeaderConfig": config}


def method(*values):
    return {"Field": "http-request-method", "HttpRequestMethodConfig": {"Values": list(values)}}


def query(*pairs):
    return {"Field": "query-string", "QueryStringConfig": {"Values": list(pairs)}}


def source(*values, **more):
    return {"Field": "source-ip", "SourceIpConfig": {"Values": list(values)} | more}


PATH_REGEX = {"Field": "path-pattern", "PathPatternConfig": {"RegexValues": ["^/a$"]}}
HEADER_REGEX = {
    "Field": "http-header",
    "HttpHeaderConfig": {"HttpHeaderName": "User-Agent", "RegexValues": [".+"]},
}


@pytest.mark.parametrize(
    ("condition", "shown"),
    [
        pytest.param(path("/a"), {"Values": ["/a"]}, id="path"),
        pytest.param(host("a.b", "c.d"), {"Values": ["a.b", "c.d"]}, id="hosts"),
        pytest.param(PATH_REGEX, {"RegexValues": ["^/a$"]}, id="path expression"),
        pytest.param(header("*Chrome*", "a b"), {}, id="header"),
        pytest.param(header("a", name="x!#$%&'+.^_`|~-9"), {}, id="header of odd characters"),
        pytest.param(HEADER_REGEX, {"RegexValues": [".+"]}, id="header expression"),
        pytest.param(method("CUSTOM-METHOD_X", "GET"), {}, id="methods"),
        pytest.param(
            query({"Key": "version", "Value": "v1"}, {"Value": "*example*"}), {}, id="query"
        ),
        pytest.param(query({"Key": "k" * 128, "Value": r"\*%20&"}), {}, id="query, odd characters"),
        pytest.param(source("192.0.2.0/24", "2001:db8::/32", "0.0.0.0/0"), {}, id="addresses"),
    ],
)
def test_a_condition_is_shown_as_it_was_given(create, condition, shown):
    """Values are repeated outside of the configuration for paths and hosts alone."""
    assert create(condition) == [condition | shown]


@pytest.mark.parametrize(
    ("condition", "shown"),
    [
        pytest.param({"Field": "path-pattern", "RegexValues": ["^/a$"]}, PATH_REGEX, id="path"),
        pytest.param(
            {
                "Field": "http-header",
                "HttpHeaderConfig": {"HttpHeaderName": "User-Agent"},
                "RegexValues": [".+"],
            },
            HEADER_REGEX,
            id="header",
        ),
    ],
)
def test_expressions_may_stand_outside_of_the_configuration(create, condition, shown):
    assert create(condition) == [shown | {"RegexValues": condition["RegexValues"]}]


def test_headers_and_queries_may_be_repeated(create):
    conditions = [header("a"), header("b"), query({"Value": "c"}), query({"Value": "d"})]
    assert create(*conditions) == conditions


@pytest.mark.parametrize(
    ("conditions", "message"),
    [
        pytest.param(
            [{"Field": "http-header"}],
            "A 'HttpHeaderConfig' must be specified with 'http-header'",
            id="header without configuration",
        ),
        pytest.param(
            [{"Field": "http-header", "HttpHeaderConfig": {"Values": ["a"]}}],
            "A 'HttpHeaderName' must be specified in 'HttpHeaderConfig'",
            id="header without a name",
        ),
        pytest.param(
            [header("a", name="x" * 41)],
            "The 'HttpHeaderName' value is too long; the limit is '40'",
            id="header name of 41 characters",
        ),
        pytest.param(
            [header("a", name="x*")],
            "The 'HttpHeaderName' value 'x*' is not a valid header name",
            id="wildcard in a header name",
        ),
        pytest.param(
            [header("a", name="x y")],
            "The 'HttpHeaderName' value 'x y' is not a valid header name",
            id="space in a header name",
        ),
        pytest.param(
            [header("a", name="HOST")],
            "The 'HttpHeaderName' value 'HOST' is not supported; use a 'host-header' condition",
            id="Host",
        ),
        pytest.param([header()], "A condition value must be specified", id="no header value"),
        pytest.param(
            [header("a" * 129)],
            "The 'http-header' value is too long; the limit is '128'",
            id="header value of 129 characters",
        ),
        pytest.param(
            [header("\u00e4")],
            "Condition value '\u00e4' contains a character that is not valid",
            id="header value beyond ASCII",
        ),
        pytest.param(
            [{"Field": "http-header", "Values": ["a"]}],
            "The 'Values' field is not compatible with 'http-header'",
            id="short values of a header",
        ),
        pytest.param(
            [source("10.0.0.0/8") | {"RegexValues": ["a"]}],
            "The 'RegexValues' field is not compatible with 'source-ip'",
            id="expression for addresses",
        ),
        pytest.param(
            [{"Field": "http-request-method"}],
            "A 'HttpRequestMethodConfig' must be specified with 'http-request-method'",
            id="method without configuration",
        ),
        pytest.param(
            [method("G" * 41)],
            "The 'http-request-method' value is too long; the limit is '40'",
            id="method of 41 characters",
        ),
        pytest.param(
            [method("get")],
            "The 'http-request-method' value is invalid; the allowed characters are A-Z, hyphen "
            "and underscore",
            id="method in lower case",
        ),
        pytest.param(
            [method("G*")],
            "The 'http-request-method' value is invalid; the allowed characters are A-Z, hyphen "
            "and underscore",
            id="wildcard in a method",
        ),
        pytest.param(
            [method("GET"), method("PUT")],
            "A rule can only have one 'http-request-method' condition",
            id="two conditions on the method",
        ),
        pytest.param(
            [{"Field": "query-string"}],
            "A 'QueryStringConfig' must be specified with 'query-string'",
            id="query without configuration",
        ),
        pytest.param(
            [query({"Key": "a"})],
            "A 'Value' must be specified in 'QueryStringKeyValuePair'",
            id="query without a value",
        ),
        pytest.param(
            [query({"Key": "a", "Value": ""})],
            "A 'Value' must be specified in 'QueryStringKeyValuePair'",
            id="query with an empty value",
        ),
        pytest.param(
            [query({"Key": "k" * 129, "Value": "a"})],
            "The 'Key' value is too long; the limit is '128'",
            id="query key of 129 characters",
        ),
        pytest.param(
            [query({"Value": "v" * 129})],
            "The 'Value' value is too long; the limit is '128'",
            id="query value of 129 characters",
        ),
        pytest.param(
            [query({"Value": "a b"})],
            "Condition value 'a b' contains a character that is not valid",
            id="space in a query value",
        ),
        pytest.param(
            [{"Field": "source-ip"}],
            "A 'SourceIpConfig' must be specified with 'source-ip'",
            id="addresses without configuration",
        ),
        pytest.param(
            [source(IpAddressType="ipv4")],
            "'IpAddressType' is not supported for listeners of Application Load Balancers",
            id="kind of addresses",
        ),
        *(
            pytest.param(
                [source(block)],
                f"The 'source-ip' value '{block}' is not a valid CIDR block",
                id=f"address {block}",
            )
            for block in (
                "10.0.0.1",
                "10.0.0.0/33",
                "10.0.0.*/8",
                "10.0.0.0/255.0.0.0",
                "255.255.255.255/32",
                "fe80::1%eth0/64",
                "example.com/8",
            )
        ),
        pytest.param(
            [source(*(f"10.{n}.0.0/16" for n in range(6)))],
            "A rule can only have '5' condition values",
            id="six addresses",
        ),
        pytest.param(
            [header("a", "b"), header("c", "d"), query({"Value": "e"}, {"Value": "f"})],
            "A rule can only have '5' condition values",
            id="six values of all kinds",
        ),
        pytest.param(
            [header("*a*"), query({"Key": "*", "Value": "?*"}), path("/*?")],
            "A rule can only have '6' condition wildcards",
            id="seven wildcards of all kinds",
        ),
        pytest.param(
            [path("/a") | {"RegexValues": ["a"]}],
            "You cannot provide both RegexValues and 'PathPatternConfig' "
            "for a condition of type 'path-pattern'",
            id="expression beside the configuration",
        ),
        pytest.param(
            [{"Field": "path-pattern", "Values": ["/a"], "RegexValues": ["a"]}],
            "You cannot provide both Values and RegexValues for a condition of type 'path-pattern'",
            id="value and expression",
        ),
        pytest.param(
            [header("a", RegexValues=["b"])],
            "You cannot provide both Values and RegexValues for a condition of type 'http-header'",
            id="value and expression of a header",
        ),
        pytest.param(
            [{"Field": "path-pattern", "RegexValues": ["a" * 129]}],
            "The 'path-pattern' value is too long; the limit is '128'",
            id="expression of 129 characters",
        ),
        pytest.param(
            [{"Field": "host-header", "RegexValues": ["(?=a)"]}],
            "The 'host-header' value '(?=a)' is not a valid regular expression",
            id="expression with lookahead",
        ),
    ],
)
def test_other_kinds_of_conditions_have_their_limits(create, refused, conditions, message):
    assert refused(lambda: create(*conditions)) == ("ValidationError", message)


def test_escaped_wildcards_of_a_query_are_none(create):
    create(query({"Key": r"\*\*", "Value": r"\?\?*"}), path("/*****"))
