"""Conditions on headers, methods, queries and addresses, row by row. Sources: ALB user guide,
"Condition types for listener rules"; elbv2 API, `HttpHeaderConditionConfig` and its relatives.
"""

from typing import Any

import pytest

from tests.contract.test_routing_conditions_of_host_and_path import create
from tests.support.rules import (
    ANY,
    Document,
    Matching,
    header,
    method,
    query,
    refused,
    rule,
    source,
)
from tests.support.stack import Front, event, fixed, forward, request


class TestHttpHeader:
    @pytest.mark.parametrize(
        ("name", "value", "line"),
        [
            ("X-Thing", "Blue", "X-Thing: Blue"),
            ("X-Thing", "Blue", "x-thing: blue"),
            ("x-thing", "blue", "X-THING: BLUE"),
            ("user-agent", "*CHROME*", "User-Agent: Mozilla Chrome/1"),
        ],
    )
    def test_name_and_value_insensitive(
        self, matches: Matching, name: str, value: str, line: str
    ) -> None:
        assert matches(header(name, value), "GET /", line)

    @pytest.mark.parametrize(
        ("value", "sent", "expected"),
        [
            pytest.param("a*", "abc", True, id="star"),
            pytest.param("a?c", "abc", True, id="question mark"),
            pytest.param("a?c", "ac", False, id="question mark is one"),
            pytest.param("*", "anything at all", True, id="star alone"),
            pytest.param("*", "", True, id="star of nothing"),
            pytest.param("a", "ab", False, id="whole value"),
            pytest.param("a b", "a b", True, id="a space"),
            pytest.param("a", "  a\t", True, id="spaces around the value"),
            pytest.param("a, b", "a, b", True, id="a list is one value"),
            pytest.param("b", "a, b", False, id="not one of a list"),
            pytest.param('"a";q=0.5', '"A";Q=0.5', True, id="punctuation"),
        ],
    )
    def test_wildcards_and_whole_values(
        self, matches: Matching, value: str, sent: str, expected: bool
    ) -> None:
        assert matches(header("X-Thing", value), "GET /", f"X-Thing: {sent}") == expected

    def test_a_request_without_the_header_does_not_match(self, matches: Matching) -> None:
        assert not matches(header("X-Thing", "*"), "GET /", "X-Thing2: a")

    def test_name_at_most_40_chars(self, elb: Any, front: Front, matches: Matching) -> None:
        longest = "X" * 40
        assert matches(header(longest, "a"), "GET /", f"{longest}: a")
        assert refused(create, elb=elb, front=front, condition=header(longest + "X", "a")) == (
            "ValidationError",
            "The 'HttpHeaderName' value is too long; the limit is '40'",
        )

    @pytest.mark.parametrize("name", ["X-*", "X-?", "X A", "X:", "X(", "X/Y", 'X"', "Xé", "X\t"])
    def test_rfc_7230_token_no_wildcard(self, elb: Any, front: Front, name: str) -> None:
        assert refused(create, elb=elb, front=front, condition=header(name, "a")) == (
            "ValidationError",
            f"The 'HttpHeaderName' value '{name}' is not a valid header name",
        )

    @pytest.mark.parametrize("name", ["a", "9", "x_y", "X.Y", "!#$%&'+^`|~"])
    def test_every_other_token(self, matches: Matching, name: str) -> None:
        assert matches(header(name, "a"), "GET /", f"{name}: a")

    @pytest.mark.parametrize("name", ["Host", "host", "HOST"])
    def test_not_host(self, elb: Any, front: Front, name: str) -> None:
        code, message = refused(create, elb=elb, front=front, condition=header(name, "a"))
        assert code == "ValidationError"
        assert "use a 'host-header' condition" in message

    def test_value_at_most_128(self, elb: Any, front: Front, matches: Matching) -> None:
        assert matches(header("X-A", "a" * 128), "GET /", f"X-A: {'a' * 128}")
        assert refused(create, elb=elb, front=front, condition=header("X-A", "a" * 129)) == (
            "ValidationError",
            "The 'http-header' value is too long; the limit is '128'",
        )

    @pytest.mark.parametrize(
        "lines",
        [["a", "good"], ["good", "a"], ["a", "b", "good"], ["GOOD", "a"]],
        ids=", ".join,
    )
    def test_several_same_named_headers_searched_in_order_until_one_matches(
        self, matches: Matching, lines: list[str]
    ) -> None:
        sent = [
            f"{name}: {value}" for name, value in zip(["X-A", "x-a", "X-A"], lines, strict=False)
        ]
        assert matches(header("X-A", "good"), "GET /", *sent)
        assert not matches(header("X-A", "a*good", "a,*"), "GET /", *sent)

    @pytest.mark.parametrize(
        "line",
        [
            "Cookie: a=1; session=blue; b=2",
            "Referer: http://session=blue/",
            "Accept: session=blue",
            "Content-Type: session=blue",
            "X-Forwarded-For: session=blue",
            "X-Amzn-Trace-Id: session=blue",
            "Authorization: Basic session=blue",
        ],
    )
    def test_headers_that_mean_something_too(self, matches: Matching, line: str) -> None:
        name = line.partition(":")[0]
        assert matches(header(name, "*session=blue*"), "GET /", line)

    @pytest.mark.parametrize("value", ["http://a_b/", "about:blank", "http://a/#b", "a, b", "/c"])
    def test_a_referer_that_is_no_url(self, front: Front, matches: Matching, value: str) -> None:
        line = f"Referer: {value}"
        assert matches(header("Referer", value), "GET /", line)
        with rule(front, ANY, action=forward(front.stack.group())):
            assert event(front.get("/", line))["headers"]["referer"] == value

    def test_http_header_name_must_be_specified(self, elb: Any, front: Front) -> None:
        condition = {"Field": "http-header", "HttpHeaderConfig": {"Values": ["a"]}}
        code, message = refused(create, elb=elb, front=front, condition=condition)
        assert (code, "HttpHeaderName" in message) == ("ValidationError", True)


class TestHttpRequestMethod:
    @pytest.mark.parametrize(
        ("value", "sent", "expected"),
        [
            ("GET", "GET", True),
            ("GET", "get", False),
            ("GET", "GETS", False),
            ("CUSTOM-METHOD", "CUSTOM-METHOD", True),
            ("M_SEARCH", "M_SEARCH", True),
            ("PROPFIND", "PROPFIND", True),
            ("DELETE", "DELETE", True),
        ],
    )
    def test_sensitive_custom_methods_allowed(
        self, matches: Matching, value: str, sent: str, expected: bool
    ) -> None:
        assert matches(method(value), f"{sent} /") == expected

    def test_get_is_not_head(self, front: Front) -> None:
        with rule(front, method("GET"), action=fixed(200, "rule")):
            assert front.send(request("HEAD /"), head=True).status == 404

    def test_at_most_40_chars(self, elb: Any, front: Front, matches: Matching) -> None:
        assert matches(method("A" * 40), f"{'A' * 40} /")
        assert refused(create, elb=elb, front=front, condition=method("A" * 41)) == (
            "ValidationError",
            "The 'http-request-method' value is too long; the limit is '40'",
        )

    @pytest.mark.parametrize("value", ["get", "GET*", "G?T", "*", "M1", "A B", "M.X", "É"])
    def test_a_z_hyphen_underscore_no_wildcards(self, elb: Any, front: Front, value: str) -> None:
        code, message = refused(create, elb=elb, front=front, condition=method(value))
        assert code == "ValidationError"
        assert "the allowed characters are A-Z, hyphen and underscore" in message


class TestQueryString:
    @pytest.mark.parametrize(
        ("pair", "sent", "expected"),
        [
            pytest.param(("Version", "V1"), "version=v1", True, id="key and value insensitive"),
            pytest.param(("version", "v1"), "VERSION=V1", True, id="the other way round"),
            pytest.param(("version", "v1"), "version=v2", False, id="another value"),
            pytest.param(("version", "v1"), "aversion=v1", False, id="whole key"),
            pytest.param(("version", "v1"), "version=v1a", False, id="whole value"),
            pytest.param(("v", "1"), "a=b&v=1", True, id="second parameter"),
            pytest.param(("v", "1"), "v=2&v=1", True, id="second of the same key"),
            pytest.param(("v", "1"), "v=1&v=2", True, id="first of the same key"),
            pytest.param(("v", "1"), "a=v=1", False, id="not within a value"),
            pytest.param(("v", "a=b"), "v=a=b", True, id="an equals sign in the value"),
            pytest.param(("v*", "?"), "version=1", True, id="wildcards"),
            pytest.param(("v", "*"), "v=", True, id="star of nothing"),
            pytest.param(("v", "?"), "v=", False, id="question mark is one"),
            pytest.param(("v", "a*c"), "v=a%26b%26c", True, id="star over escapes"),
            pytest.param(("v", "a*c"), "v=a&b=c", False, id="star within the parameter"),
            pytest.param(("v", "1"), "v=1;a=2", False, id="no semicolons"),
            pytest.param(("v", "1"), "?v=1", False, id="a second question mark"),
            pytest.param(("?v", "1"), "?v=1", True, id="which is part of the key"),
            pytest.param(("v", "1"), "&&v=1&&", True, id="empty parameters"),
        ],
    )
    def test_insensitive(
        self, matches: Matching, pair: tuple[str, str], sent: str, expected: bool
    ) -> None:
        assert matches(query(pair), f"GET /?{sent}") == expected

    @pytest.mark.parametrize(
        ("pair", "sent", "expected"),
        [
            ((r"a\*b", "1"), "a*b=1", True),
            ((r"a\*b", "1"), "axb=1", False),
            (("k", r"\?"), "k=?", True),
            (("k", r"\?"), "k=x", False),
            (("k", r"\**"), "k=*abc", True),
            (("k", r"\**"), "k=abc", False),
            (("k", r"a\*"), "k=a%2A", True),
        ],
    )
    def test_literal_star_question_mark_escaped(
        self, matches: Matching, pair: tuple[str, str], sent: str, expected: bool
    ) -> None:
        assert matches(query(pair), f"GET /?{sent}") == expected

    def test_key_value_at_most_128(self, elb: Any, front: Front, matches: Matching) -> None:
        longest = "a" * 128
        pairs = [(f"{n}{longest[1:]}", longest) for n in range(5)]  # as many as a rule may have
        assert matches(query(*pairs), f"GET /?4{longest[1:]}={longest}")
        for pair, what in (((longest + "a", "b"), "Key"), (("a", longest + "b"), "Value")):
            assert refused(create, elb=elb, front=front, condition=query(pair)) == (
                "ValidationError",
                f"The '{what}' value is too long; the limit is '128'",
            )

    @pytest.mark.parametrize(
        ("sent", "expected"),
        [("any=example", True), ("=example", True), ("example=any", False), ("a=b", False)],
    )
    def test_key_omitted_any_key_with_that_value(
        self, matches: Matching, sent: str, expected: bool
    ) -> None:
        assert matches(query("example"), f"GET /?{sent}") == expected

    def test_any_one_pair_suffices_or(self, matches: Matching) -> None:
        condition = query(("version", "v1"), "*example*")
        assert matches(condition, "GET /?version=v1")
        assert matches(condition, "GET /?x=anexample1&version=v2")
        assert not matches(condition, "GET /?version=v2")
        assert not matches(condition, "GET /version=v1")

    @pytest.mark.parametrize(
        ("pair", "sent"),
        [
            (("name", "value"), "n%61me=v%61lue"),
            (("name", "value"), "%6Eame=%56alue"),
            (("NAME", "VALUE"), "n%61me=v%41lue"),
            (("a", "b&c"), "a=b%26c"),
            (("a=b", "c"), "a%3Db=c"),
            (("a", "b%20c"), "a=b%20c"),
            (("a", "b+c"), "a=b+c"),
            (("a", "b+c"), "a=b%2Bc"),
            (("a", "/x/"), "a=%2fx%2F"),
            (("a", "?"), "a=%20"),
        ],
    )
    def test_any_character_can_be_percentage_encoded_compare_both_raw_and_decoded(
        self, matches: Matching, pair: tuple[str, str], sent: str
    ) -> None:
        assert matches(query(pair), f"GET /?{sent}")

    @pytest.mark.parametrize(
        "values",
        [[], [{"Value": ""}], [{"Key": "a"}], [{"Key": "a", "Value": ""}], [{}]],
        ids=repr,
    )
    def test_empty_values_not_allowed(self, elb: Any, front: Front, values: list[Document]) -> None:
        condition = {"Field": "query-string", "QueryStringConfig": {"Values": values}}
        code, message = refused(create, elb=elb, front=front, condition=condition)
        assert code == "ValidationError"
        assert "must be specified" in message


class TestSourceIp:
    @pytest.mark.parametrize(
        ("blocks", "expected"),
        [
            (["127.0.0.0/8"], True),
            (["0.0.0.0/0"], True),
            (["10.0.0.0/8"], False),
            (["10.0.0.0/8", "192.0.2.0/24", "127.0.0.0/8"], True),
            (["2001:db8::/32"], False),
            (["::/0"], False),
            (["2001:db8::/32", "127.0.0.0/8"], True),
        ],
    )
    def test_cidr_v4_v6(self, matches: Matching, blocks: list[str], expected: bool) -> None:
        assert matches(source(*blocks), "GET /") == expected

    def test_at_most_5_values(self, elb: Any, front: Front) -> None:
        blocks = [f"10.0.0.{number}/32" for number in range(6)]
        assert create(elb, front, source(*blocks[:5]))["SourceIpConfig"] == {"Values": blocks[:5]}
        code, _ = refused(create, elb=elb, front=front, condition=source(*blocks))
        assert code == "ValidationError"

    @pytest.mark.parametrize(
        "block",
        [
            "255.255.255.255/32",
            "10.0.0.1",
            "10.0.0.0/33",
            "10.0.0/24",
            "10.0.0.*/32",
            "10.0.0.?/32",
            "*",
            "10.0.0.0/",
            "10.0.0.0/255.0.0.0",
            "256.0.0.0/8",
            "2001:db8::/129",
            "example.com/32",
            " 10.0.0.0/8",
        ],
    )
    def test_not_255_255_255_255_no_wildcards(self, elb: Any, front: Front, block: str) -> None:
        assert refused(create, elb=elb, front=front, condition=source(block)) == (
            "ValidationError",
            f"The 'source-ip' value '{block}' is not a valid CIDR block",
        )

    @pytest.mark.parametrize("name", ["X-Forwarded-For", "X-Real-IP", "Forwarded"])
    def test_tcp_peer_address_never_x_forwarded_for(self, matches: Matching, name: str) -> None:
        line = f"{name}: 192.0.2.1"
        assert not matches(source("192.0.2.0/24"), "GET /", line)
        assert matches(source("127.0.0.0/8"), "GET /", line)

    def test_empty_values_not_allowed(self, elb: Any, front: Front) -> None:
        for values in ([], [""]):
            condition = source(*values)
            code, message = refused(create, elb=elb, front=front, condition=condition)
            assert (code, message) == ("ValidationError", "A 'source-ip' value must be specified")
