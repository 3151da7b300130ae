"""Query strings and paths in events, row by row. Source: ALB user guide, "Use Lambda functions as
targets of an Application Load Balancer"; events of live load balancers.
"""

from collections.abc import Callable

import pytest

from tests.support.deviations import told
from tests.support.http2 import ask
from tests.support.rules import ANY, path, rule, url_rewrite
from tests.support.stack import Front, Stack, event, fixed, forward, request

Check = Callable[[str, dict[str, list[str]]], None]


@pytest.fixture
def check(single: Front, multi: Front, multi_h2: Front) -> Check:
    """Holds that a query becomes these values, in both modes and in HTTP/2."""

    def check(query: str, expected: dict[str, list[str]]) -> None:
        for seen in (event(multi.get("/" + query)), event(ask(multi_h2, "GET", "/" + query))):
            assert seen["multiValueQueryStringParameters"] == expected
            assert seen["path"] == "/"
        last = {name: values[-1] for name, values in expected.items()}
        assert event(single.get("/" + query))["queryStringParameters"] == last

    return check


def test_my_key_val1_my_key_val2_single_val2_multi_both(check: Check) -> None:
    check("?myKey=val1&myKey=val2", {"myKey": ["val1", "val2"]})
    check("?k=&k=1&K=2&k=", {"k": ["", "1", ""], "K": ["2"]})


def test_foo_5ba_5d_keys_too_are_raw(check: Check) -> None:
    check("?foo%5Ba%5D=foo%5B", {"foo%5Ba%5D": ["foo%5B"]})
    check("?a=1&%61=2&%zz=%&%=%00", {"a": ["1"], "%61": ["2"], "%zz": ["%"], "%": ["%00"]})


def test_q_a_plus_b_plus_untouched_a_2bb_stays(check: Check) -> None:
    check("?q=a+b", {"q": ["a+b"]})
    check("?q=a%2Bb", {"q": ["a%2Bb"]})
    check("?+=+&q=a%20b", {"+": ["+"], "q": ["a%20b"]})


def test_redirect_https_3a_2f_2fe_com_stays(check: Check) -> None:
    check("?redirect=https%3A%2F%2Fe.com", {"redirect": ["https%3A%2F%2Fe.com"]})
    check("?redirect=https://e.com/../?x", {"redirect": ["https://e.com/../?x"]})


def test_query_country_code_characters_as_they_came_encoded_or_not(check: Check) -> None:
    check("?query=(countryCode%3DUS)", {"query": ["(countryCode%3DUS)"]})
    check("?query=%28countryCode%3DUS%29", {"query": ["%28countryCode%3DUS%29"]})
    check("?a='\"<>`{}|^\\~!*,:@$", {"a": ["'\"<>`{}|^\\~!*,:@$"]})


def test_empty_value(check: Check) -> None:
    check("?empty=", {"empty": [""]})


def test_colors_with_brackets_blue_red(check: Check) -> None:
    check("?colors[]=blue&colors[]=red", {"colors[]": ["blue", "red"]})


def test_empty_pair_ignored(check: Check) -> None:
    check("?&myKey=v", {"myKey": ["v"]})
    check("?&&", {})
    check("?a=1&&b=2&", {"a": ["1"], "b": ["2"]})


def test_flag_without_equals_sign_empty_value(check: Check) -> None:
    check("?flag", {"flag": [""]})
    check("?a=1&a", {"a": ["1", ""]})


def test_a_b_c_split_at_the_first_equals_sign(check: Check) -> None:
    check("?a=b=c", {"a": ["b=c"]})
    check("?==&=v", {"": ["=", "v"]})


def test_no_question_mark_or_bare_question_mark_empty_object(check: Check) -> None:
    check("", {})
    check("?", {})
    check("??a=?", {"?a": ["?"]})


def test_semicolon_not_a_separator(check: Check) -> None:
    check("?a;b=c;d", {"a;b": ["c;d"]})


def test_a_thousand_parameters_and_one_of_16_kb(multi: Front) -> None:
    query = "&".join(f"k{n}={n}" for n in range(1000))
    found = event(multi.get("/?" + query))["multiValueQueryStringParameters"]
    assert found == {f"k{n}": [str(n)] for n in range(1000)}
    long = "x" * 16_000
    assert event(multi.get("/?a=" + long))["multiValueQueryStringParameters"] == {"a": [long]}


# Path

PATHS = r"""
/ // ///a// /./ /../ /a/../b /a/.. /%2F /%2e%2E/x /%zz /% /%00 /a;b=c /capture/space%20value /a+b
/%C3%A9 /\ /|{}"<>^` /'()!*,:@&=$~ /http://x/ //host/x /a.b..c/... /UPPER/lower
"""


def test_not_decoded_not_altered_by_routing(
    traffic: Stack, multi: Front, single_h2: Front, node: Front
) -> None:
    for target in PATHS.split():
        assert event(multi.get(target))["path"] == target
    for target in PATHS.split()[::4]:
        assert event(ask(single_h2, "GET", target))["path"] == target
        assert event(node.get(target))["path"] == target


def test_trailing_slash_kept(single: Front) -> None:
    for target in ("/lambda/", "/lambda"):
        assert event(single.get(target))["path"] == target


def test_event_gets_the_original_path_rule_evaluation_the_normalised_one(traffic: Stack) -> None:
    front = traffic.front(fixed(404, "default"))
    with rule(front, path("/api/*"), action=forward(traffic.group())):
        for target in ("/x/../api/y", "/%61pi/%7e", "/api/./z"):
            assert event(front.get(target))["path"] == target


def test_url_rewrite_transform_changes_path_and_query_before_the_event_is_built(
    traffic: Stack,
) -> None:
    front = traffic.front(fixed(404, "default"))
    transforms = [url_rewrite("^/old/(.*)$", "/new/$1?to=%61&b")]
    with rule(front, ANY, action=forward(traffic.group()), Transforms=transforms):
        seen = event(front.get("/old/a%20b"))
        assert seen["path"] == "/new/a%20b"
        assert seen["queryStringParameters"] == {"to": "%61", "b": ""}


def test_absolute_form_request_target_path_only_authority_goes_to_host(single: Front) -> None:
    for target, expected in (
        ("http://dns-name/x%20y/", "/x%20y/"),
        ("HTTPS://dns-name:81/%2e%2e/a", "/%2e%2e/a"),
        ("http://dns-name", "/"),
        ("http://dns-name/http://other/", "/http://other/"),
    ):
        seen = event(single.send(request(f"GET {target}", host="a.com")))
        assert (seen["path"], seen["headers"]["host"]) == (expected, "dns-name")
    seen = event(single.send(request("GET http://dns-name/x?a=b", host="a.com")))
    assert (seen["path"], seen["queryStringParameters"]) == ("/x", {"a": "b"})


def test_options_asterisk_is_a_deviation(single: Front) -> None:
    assert told("`OPTIONS *`", "400")
    with single.connect() as client:
        client.write(request("OPTIONS *") + request("GET /next"))
        assert client.read().status == 400
        assert event(client.read())["path"] == "/next"
