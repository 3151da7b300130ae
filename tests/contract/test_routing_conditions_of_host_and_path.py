"""Conditions on host and path, row by row. Sources: ALB user guide, "Condition types for listener
rules"; elbv2 API, `RuleCondition`, `HostHeaderConditionConfig`, `PathPatternConditionConfig`.
"""

from typing import Any

import pytest

from tests.support.rules import Document, Matching, header, host, path, refused, rule
from tests.support.stack import Front, event, fixed, forward

RULE = fixed(200, "rule")


def create(elb: Any, front: Front, condition: Document) -> Document:
    """Make a rule with the condition, delete it, and return the condition as it was shown."""
    made = elb.create_rule(
        ListenerArn=front.listener, Priority=1, Conditions=[condition], Actions=[RULE]
    )["Rules"][0]
    elb.delete_rule(RuleArn=made["RuleArn"])
    (shown,) = made["Conditions"]
    assert isinstance(shown, dict)
    return shown


class TestWildcards:
    @pytest.mark.parametrize("target", ["/a/c", "/a/b/c", "/a//c", "/a/b/b/b/c"])
    def test_star_0_or_more_characters_crosses_slash(self, matches: Matching, target: str) -> None:
        assert matches(path("/a*/c"), f"GET {target}")

    @pytest.mark.parametrize(
        ("target", "expected"), [("/ac", False), ("/abc", True), ("/a/c", True), ("/abbc", False)]
    )
    def test_question_mark_exactly_1(self, matches: Matching, target: str, expected: bool) -> None:
        assert matches(path("/a?c"), f"GET {target}") == expected

    @pytest.mark.parametrize("target", ["/x/a", "/a/", "/ab", "//a"])
    def test_whole_value_match(self, matches: Matching, target: str) -> None:
        assert not matches(path("/a"), f"GET {target}")

    @pytest.mark.parametrize(
        ("pattern", "target", "expected"),
        [
            pytest.param("/img/*", "/img/", True, id="star of nothing"),
            pytest.param("/img/*", "/img", False, id="the slash counts"),
            pytest.param("/img/*", "/x/img/a", False, id="from the start"),
            pytest.param("/img/*/pics", "/img/a/b/pics", True, id="star within"),
            pytest.param("/img/*/pics", "/img/a/b/pics/", False, id="to the end"),
            pytest.param("/a?c", "/a?c", False, id="question mark is no query"),
            pytest.param("*", "//", True, id="everything"),
            pytest.param("*.php", "/x/y.php", True, id="star first"),
            pytest.param("/a?b", "/a%b", True, id="a lone percent is a character"),
        ],
    )
    def test_wildcards_of_paths(
        self, matches: Matching, pattern: str, target: str, expected: bool
    ) -> None:
        assert matches(path(pattern), f"GET {target}") == expected

    @pytest.mark.parametrize("target", ["/a.b", "/a+b", "/a$b", "/a&b", "/a~b", "/a@b"])
    def test_other_characters_mean_themselves(self, matches: Matching, target: str) -> None:
        assert matches(path(target), f"GET {target}")
        assert not matches(path(target), "GET /aab")


class TestRegexValues:
    def test_for_host_header_http_header_path_pattern(self, matches: Matching) -> None:
        for condition, line, lines, authority in (
            (host(regex=[r"^(a|b)\.example\.com$"]), "GET /", (), "b.example.com"),
            (header("X-A", regex=["^v[0-9]+$"]), "GET /", ("X-A: v12",), "a"),
            (path(regex=[r"^/api/(v1|v2)/\d+$"]), "GET /api/v2/7", (), "a"),
        ):
            assert matches(condition, line, *lines, host=authority)
            assert not matches(condition, "GET /other", host="example.org")

    @pytest.mark.parametrize(
        "condition",
        [
            {"Field": "http-request-method", "RegexValues": ["GET"]},
            {"Field": "query-string", "RegexValues": ["a"]},
            {"Field": "source-ip", "RegexValues": ["10"]},
        ],
        ids=lambda condition: condition["Field"],
    )
    def test_for_no_others(self, elb: Any, front: Front, condition: Document) -> None:
        assert refused(create, elb=elb, front=front, condition=condition) == (
            "ValidationError",
            f"The 'RegexValues' field is not compatible with '{condition['Field']}'",
        )

    @pytest.mark.parametrize(
        "condition",
        [host(regex=["a" * 128]), path(regex=["a" * 128]), header("X-A", regex=["a" * 128])],
        ids=lambda condition: condition["Field"],
    )
    def test_at_most_128_chars_each(self, elb: Any, front: Front, condition: Document) -> None:
        create(elb, front, condition)
        (name,) = {key for key in condition if key.endswith("Config")}
        longer = {**condition, name: {**condition[name], "RegexValues": ["a" * 129]}}
        assert refused(create, elb=elb, front=front, condition=longer) == (
            "ValidationError",
            f"The '{condition['Field']}' value is too long; the limit is '128'",
        )

    @pytest.mark.parametrize(
        "regex",
        [
            pytest.param("a(?=b)", id="lookahead"),
            pytest.param("a(?!b)", id="negative lookahead"),
            pytest.param("(?<=a)b", id="lookbehind"),
            pytest.param("(?<!a)b", id="negative lookbehind"),
            pytest.param(r"(a)\1", id="backreference"),
            pytest.param("(?>a+)b", id="atomic group"),
            pytest.param("a++b", id="possessive quantifier"),
            pytest.param("(?1)(a)", id="subroutine"),
            pytest.param("(a|(?R))", id="recursion"),
            pytest.param(r"\p{L}", id="Unicode class"),
            pytest.param(r"\P{Lu}", id="negated Unicode class"),
            pytest.param(r"\pL", id="Unicode class of one letter"),
            pytest.param("(a", id="not closed"),
            pytest.param("a{2,1}", id="wrong range"),
        ],
    )
    @pytest.mark.parametrize("kind", ["host-header", "path-pattern", "http-header"])
    def test_no_lookaround_backreference_atomic_group_possessive_quantifier_subroutine_recursion(
        self, elb: Any, front: Front, kind: str, regex: str
    ) -> None:
        condition = {
            "host-header": host(regex=[regex]),
            "path-pattern": path(regex=[regex]),
            "http-header": header("X-A", regex=[regex]),
        }[kind]
        code, message = refused(create, elb=elb, front=front, condition=condition)
        assert code == "ValidationError"
        assert "is not a valid regular expression" in message

    def test_an_alternative_to_values(self, elb: Any, front: Front) -> None:
        config = {"Values": ["/a"], "RegexValues": ["^/a$"]}
        both = {"Field": "path-pattern", "PathPatternConfig": config}
        code, message = refused(create, elb=elb, front=front, condition=both)
        assert code == "ValidationError"
        assert "both Values and RegexValues" in message


class TestHostHeader:
    @pytest.mark.parametrize(
        "condition",
        [
            {"Field": "host-header", "Values": ["a.example.com"]},
            host("a.example.com"),
            host(regex=["^a.example.com$"]),
        ],
        ids=["Values", "HostHeaderConfig.Values", "RegexValues"],
    )
    def test_values_hostheaderconfig_values_regexvalues(
        self, matches: Matching, condition: Document
    ) -> None:
        assert matches(condition, "GET /", host="a.example.com")
        assert not matches(condition, "GET /", host="b.example.com")

    @pytest.mark.parametrize("sent", ["a.example.com", "A.EXAMPLE.COM", "a.Example.cOm"])
    @pytest.mark.parametrize("pattern", ["a.example.com", "A.EXAMPLE.COM", "?.eXample.*om"])
    def test_insensitive(self, matches: Matching, pattern: str, sent: str) -> None:
        assert matches(host(pattern.replace(".*om", ".com")), "GET /", host=sent)

    def test_128_chars(self, elb: Any, front: Front, matches: Matching) -> None:
        longest = "a" * 124 + ".com"
        assert matches(host(longest), "GET /", host=longest)
        assert refused(create, elb=elb, front=front, condition=host("a" + longest)) == (
            "ValidationError",
            "The 'host-header' value is too long; the limit is '128'",
        )

    @pytest.mark.parametrize(
        "value",
        [
            pytest.param("localhost", id="no dot"),
            pytest.param("*", id="a star alone"),
            pytest.param("10.0.0.1", id="an address"),
            pytest.param("example.com:80", id="a port"),
            pytest.param("example.c0m", id="a digit after the last dot"),
            pytest.param("example.*", id="a star after the last dot"),
            pytest.param("example.co?", id="a question mark after the last dot"),
            pytest.param("example.", id="nothing after the last dot"),
            pytest.param("a_b.example.com", id="an underscore"),
            pytest.param("a/b.example.com", id="a slash"),
            pytest.param("a b.example.com", id="a space"),
            pytest.param("[::1].com", id="brackets"),
            pytest.param("münchen.example.com", id="an umlaut"),
        ],
    )
    def test_characters_at_least_one_dot_only_letters_after_the_last_dot(
        self, elb: Any, front: Front, value: str
    ) -> None:
        assert refused(create, elb=elb, front=front, condition=host(value)) == (
            "ValidationError",
            f"Condition value '{value}' contains a character that is not valid",
        )

    @pytest.mark.parametrize("value", ["A-z0.9-*?.example.com", ".com", "-.-.com", "xn--p1ai.com"])
    def test_all_allowed_characters(self, elb: Any, front: Front, value: str) -> None:
        assert create(elb, front, host(value))["Values"] == [value]

    @pytest.mark.parametrize(
        ("sent", "expected"),
        [
            ("www.example.com", True),
            ("a.b.example.com", True),
            ("example.com", False),
            ("www.example.org", False),
            ("www.example.com.evil.org", False),
        ],
    )
    def test_star_example_com_does_not_match_example_com(
        self, matches: Matching, sent: str, expected: bool
    ) -> None:
        assert matches(host("*.example.com"), "GET /", host=sent) == expected

    @pytest.mark.parametrize(
        ("pattern", "sent", "expected"),
        [
            pytest.param("example.com", "www.example.com", False, id="whole"),
            pytest.param("example.com", "example.com.evil", False, id="not a prefix"),
            pytest.param("example.com", "exampleXcom", False, id="a dot is a dot"),
            pytest.param("*.example.com", ".example.com", True, id="star of nothing"),
            pytest.param("*.com", "evil.com:80", True, id="star and port"),
            pytest.param("a-*.example.com", "a-1.example.com", True, id="star within"),
            pytest.param("ex?mple.com", "example.com", True, id="question mark"),
            pytest.param("ex?mple.com", "exmple.com", False, id="question mark is one"),
            pytest.param("example.??.com", "example.abc.com", False, id="not two for three"),
        ],
    )
    def test_wildcards_of_hosts(
        self, matches: Matching, pattern: str, sent: str, expected: bool
    ) -> None:
        assert matches(host(pattern), "GET /", host=sent) == expected

    def test_first_host_header_only(self, matches: Matching) -> None:
        assert matches(host("a.com"), "GET /", "Host: b.com", host="a.com")
        assert not matches(host("b.com"), "GET /", "Host: b.com", host="a.com")

    @pytest.mark.parametrize("port", [":80", ":8080", ":65535", ":"])
    def test_port_in_host_ignored(self, matches: Matching, port: str) -> None:
        assert matches(host("a.com"), "GET /", host=f"a.com{port}")
        assert matches(host(regex=["^a[.]com$"]), "GET /", host=f"a.com{port}")

    def test_the_host_of_an_absolute_target_counts(self, matches: Matching) -> None:
        assert matches(host("a.com"), "GET http://a.com/", host="b.com")


class TestPathPattern:
    @pytest.mark.parametrize(
        "condition",
        [{"Field": "path-pattern", "Values": ["/a/b"]}, path("/a/b"), path(regex=["^/a/b$"])],
        ids=["Values", "PathPatternConfig", "RegexValues"],
    )
    def test_values_pathpatternconfig(self, matches: Matching, condition: Document) -> None:
        assert matches(condition, "GET /a/b")
        assert not matches(condition, "GET /a/b/c")

    @pytest.mark.parametrize("target", ["/IMG/a", "/Img/a", "/img/A"])
    def test_sensitive(self, matches: Matching, target: str) -> None:
        assert not matches(path("/img/a"), f"GET {target}")
        assert not matches(path(regex=["^/img/a$"]), f"GET {target}")

    def test_128_chars(self, elb: Any, front: Front, matches: Matching) -> None:
        longest = "/" + "a" * 127
        assert matches(path(longest), f"GET {longest}")
        assert refused(create, elb=elb, front=front, condition=path(longest + "a")) == (
            "ValidationError",
            "The 'path-pattern' value is too long; the limit is '128'",
        )

    @pytest.mark.parametrize("character", "%#[]{}|\\^`<>()!,;= é")
    def test_no_other_characters(self, elb: Any, front: Front, character: str) -> None:
        value = f"/a{character}b"
        assert refused(create, elb=elb, front=front, condition=path(value)) == (
            "ValidationError",
            f"Condition value '{value}' contains a character that is not valid",
        )

    @pytest.mark.parametrize("character", "_-.$/~\"'@:+&*?aZ0")
    def test_all_allowed_characters(self, matches: Matching, character: str) -> None:
        value = f"/a{character}b"
        sent = value.replace("?", "x")
        assert matches(path(value), f"GET {sent}")

    @pytest.mark.parametrize("target", ["/a?", "/a?/b", "/a?x=/c", "/a?b?c"])
    def test_path_only_no_query(self, matches: Matching, target: str) -> None:
        assert matches(path("/a"), f"GET {target}")
        assert not matches(path("/a*c*"), f"GET {target}")
        assert not matches(path("/a??*"), f"GET {target}")


class TestEvaluatedAfterUriNormalisation:
    @pytest.mark.parametrize(
        ("sent", "normalised"),
        [
            pytest.param("/x/../api/y", "/api/y", id="resolve dot segments"),
            pytest.param("/./api/./y", "/api/y", id="single dots"),
            pytest.param("/../../api/y", "/api/y", id="above the root"),
            pytest.param("/api/y/.", "/api/y/", id="a dot at the end"),
            pytest.param("/api/y/..", "/api/", id="two dots at the end"),
            pytest.param("/api/%7ey", "/api/~y", id="decode unreserved"),
            pytest.param("/%61%50i/y", "/aPi/y", id="decode letters of both cases"),
            pytest.param("/%2e%2E/api/y", "/api/y", id="dots that are escaped"),
            pytest.param("/api/y?/../x", "/api/y", id="not in the query"),
        ],
    )
    def test_resolve_dot_segments_decode_unreserved_rfc_3986(
        self, matches: Matching, sent: str, normalised: str
    ) -> None:
        assert matches(path(normalised), f"GET {sent}")

    @pytest.mark.parametrize(
        ("sent", "expression"),
        [
            pytest.param("/a%2fb", "^/a%2Fb$", id="uppercase hex"),
            pytest.param("/a%20b", "^/a%20b$", id="a space"),
            pytest.param("/a%25b", "^/a%25b$", id="a percent sign"),
            pytest.param("/caf%c3%a9", "^/caf%C3%A9$", id="UTF-8"),
        ],
    )
    def test_uppercase_hex_keep_other_escapes(
        self, matches: Matching, sent: str, expression: str
    ) -> None:
        assert matches(path(regex=[expression]), f"GET {sent}")
        assert not matches(path("/a/b"), f"GET {sent}")

    @pytest.mark.parametrize("sent", ["/x/../api/%7e/./y?a=/../b%2e", "/%2e/API", "//a%2Fb"])
    def test_match_on_that_forward_the_original(self, front: Front, sent: str) -> None:
        with rule(front, path("*"), action=forward(front.stack.group())):
            seen = event(front.get(sent))
        assert seen["path"] == sent.partition("?")[0]

    @pytest.mark.parametrize("sent", ["//api/y", "/api//y", "/api/y//"])
    def test_slash_slash_no_collapsing(self, matches: Matching, sent: str) -> None:
        assert not matches(path("/api/y", "/api/y/"), f"GET {sent}")
        assert matches(path(sent), f"GET {sent}")

    @pytest.mark.parametrize("condition", [path("/a*b"), path("/a???b"), path(regex=["^/a%2Fb$"])])
    def test_encoded_paths_can_only_be_matched_through_star_question_mark_or_regex(
        self, matches: Matching, condition: Document
    ) -> None:
        assert matches(condition, "GET /a%2fb")


class TestEmptyValuesNotAllowed:
    @pytest.mark.parametrize(
        "condition",
        [
            path(),
            path(""),
            path("/a", ""),
            host(""),
            host(regex=[""]),
            header("X-A", ""),
            {"Field": "path-pattern"},
            {"Field": "host-header", "Values": []},
            {"Field": "path-pattern", "PathPatternConfig": {}},
        ],
        ids=repr,
    )
    def test_a_condition_value_must_be_specified(
        self, elb: Any, front: Front, condition: Document
    ) -> None:
        assert refused(create, elb=elb, front=front, condition=condition) == (
            "ValidationError",
            "A condition value must be specified",
        )


class TestValuesShorthand:
    @pytest.mark.parametrize("field", ["host-header", "path-pattern"])
    def test_with_one_value(self, elb: Any, front: Front, field: str) -> None:
        value = "a.example.com"
        shown = create(elb, front, {"Field": field, "Values": [value]})
        config = {"host-header": "HostHeaderConfig", "path-pattern": "PathPatternConfig"}[field]
        assert shown == {"Field": field, "Values": [value], config: {"Values": [value]}}
        code, message = refused(
            create, elb=elb, front=front, condition={"Field": field, "Values": [value, value]}
        )
        assert code == "ValidationError"
        assert "too many values; the limit is '1'" in message

    @pytest.mark.parametrize(
        "field", ["http-header", "http-request-method", "query-string", "source-ip"]
    )
    def test_only_for_host_header_and_path_pattern(
        self, elb: Any, front: Front, field: str
    ) -> None:
        condition = {"Field": field, "Values": ["GET"]}
        assert refused(create, elb=elb, front=front, condition=condition) == (
            "ValidationError",
            f"The 'Values' field is not compatible with '{field}'",
        )


@pytest.mark.parametrize("field", ["cookie", "Path-Pattern", "host", "path-pattern "])
def test_condition_field_must_be_one_of(elb: Any, front: Front, field: str) -> None:
    condition = {"Field": field, "Values": ["/a"]}
    assert refused(create, elb=elb, front=front, condition=condition) == (
        "ValidationError",
        f"Condition field '{field}' must be one of '[path-pattern,host-header,http-header,"
        "http-request-method,query-string,source-ip]'",
    )
