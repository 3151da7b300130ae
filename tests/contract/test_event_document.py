"""The event as a document, row by row. Source: ALB user guide, "Use Lambda functions as targets of
an Application Load Balancer"; events of live load balancers.
"""

import json
import re

from tests.support.http2 import ask
from tests.support.rules import path, rule
from tests.support.stack import OWN, Front, Stack, client_headers, event, fixed, forward, request

FRESH = r"Root=1-[0-9a-f]{8}-[0-9a-f]{24}"
SINGLE = ["queryStringParameters", "headers"]
MULTI = ["multiValueQueryStringParameters", "multiValueHeaders"]


def fields(family: list[str]) -> list[str]:
    return ["requestContext", "httpMethod", "path", *family, "body", "isBase64Encoded"]


def test_field_order_request_context_http_method_path_query_map_header_map_body_is_base64_encoded(
    single: Front, multi: Front
) -> None:
    assert list(event(single.get())) == fields(SINGLE)
    assert list(event(multi.get())) == fields(MULTI)


def test_request_context_elb_target_group_arn_arn_of_the_target_group_chosen_its_only_content(
    traffic: Stack,
) -> None:
    first, second = traffic.group(), traffic.group(multi_value=True)
    front = traffic.front(forward(first))
    with rule(front, path("/second"), action=forward(second)):
        for target, group in (("/", first), ("/second", second)):
            context = event(front.get(target))["requestContext"]
            assert context == {"elb": {"targetGroupArn": group}}


def test_http_method_request_method_as_sent_upper_case(single: Front) -> None:
    for method in ("GET", "POST", "Purge", "get"):
        assert event(single.send(request(f"{method} /")))["httpMethod"] == method


def test_path_url_path_still_percent_encoded_exactly_as_sent(single: Front) -> None:
    assert event(single.get("/capture/space%20value?x"))["path"] == "/capture/space%20value"


def test_query_string_parameters_single_mode_only_not_decoded_last_value_wins_empty_without_a_query(
    single: Front,
) -> None:
    seen = event(single.get("/?a%20b=1&a%20b=c%2Fd"))
    assert seen["queryStringParameters"] == {"a%20b": "c%2Fd"}
    assert event(single.get())["queryStringParameters"] == {}


def test_multi_value_query_string_parameters_multi_mode_only_all_values_in_request_order_per_key(
    multi: Front,
) -> None:
    seen = event(multi.get("/?a=2&b=%2F&a=1&a="))
    assert seen["multiValueQueryStringParameters"] == {"a": ["2", "1", ""], "b": ["%2F"]}
    assert event(multi.get())["multiValueQueryStringParameters"] == {}


def test_headers_single_mode_only_names_lower_case_last_value_wins_for_a_repeated_header_line(
    single: Front,
) -> None:
    headers = event(single.get("/", "X-CaSe: 1", "x-case: 2", "X-Case: 3, 4"))["headers"]
    assert headers["x-case"] == "3, 4"
    assert all(name == name.lower() for name in headers)


def test_multi_value_headers_multi_mode_only_one_array_element_per_line_a_comma_list_is_not_split(
    multi: Front,
) -> None:
    seen = event(multi.get("/", "X-CaSe: 1", "x-case: 2", "X-Case: 3, 4"))
    assert client_headers(seen) == {"x-case": ["1", "2", "3, 4"]}


def test_body_empty_string_when_there_is_no_body_never_null(single: Front, multi: Front) -> None:
    for front in (single, multi):
        for data in (request("GET /"), request("POST /", body=""), request("DELETE /")):
            seen = event(front.send(data))
            assert (seen["body"], seen["isBase64Encoded"]) == ("", False)


def test_is_base64_encoded_boolean(single: Front) -> None:
    assert event(single.get())["isBase64Encoded"] is False
    assert event(single.post(body="x"))["isBase64Encoded"] is True


def test_nothing_else_no_version_resource_path_parameters_stage_variables_cookies_raw_query_string(
    single: Front, multi: Front
) -> None:
    sent = ("/a/b?c=d", "Cookie: a=b", "Content-Type: text/plain")
    assert event(single.post(*sent, body="x")).keys() == set(fields(SINGLE))
    assert event(multi.post(*sent, body="x")).keys() == set(fields(MULTI))


def test_family_of_the_other_mode_absent_key_not_in_the_json(single: Front, multi: Front) -> None:
    for front, absent in ((single, MULTI), (multi, SINGLE)):
        text = front.get("/?a=b").body.decode()
        assert not [name for name in absent if f'"{name}"' in text]


def test_never_both_families_also_right_after_the_mode_is_changed(traffic: Stack) -> None:
    group = traffic.group()
    front = traffic.front(forward(group))
    for value, family in (("true", MULTI), ("false", SINGLE)):
        traffic.elb.modify_target_group_attributes(
            TargetGroupArn=group,
            Attributes=[{"Key": "lambda.multi_value_headers.enabled", "Value": value}],
        )
        assert list(event(front.get())) == fields(family)


def test_live_specimen_single_mode_curl(traffic: Stack, single: Front) -> None:
    answer = single.get("/", "User-Agent: curl/7.88.1", "Accept: */*", host=single.dns_name)
    seen = event(answer)
    trace = seen["headers"]["x-amzn-trace-id"]
    assert re.fullmatch(FRESH, trace)
    arn = seen["requestContext"]["elb"]["targetGroupArn"]
    assert re.fullmatch(r"arn:aws:elasticloadbalancing:[\w-]+:\d{12}:targetgroup/\w+/\w{16}", arn)
    assert seen == {
        "requestContext": {"elb": {"targetGroupArn": arn}},
        "httpMethod": "GET",
        "path": "/",
        "queryStringParameters": {},
        "headers": {
            "accept": "*/*",
            "host": single.dns_name,
            "user-agent": "curl/7.88.1",
            "x-amzn-trace-id": trace,
            "x-forwarded-for": "127.0.0.1",
            "x-forwarded-port": "80",
            "x-forwarded-proto": "http",
        },
        "body": "",
        "isBase64Encoded": False,
    }


def test_header_keys_come_out_sorted_alphabetically(single: Front, multi: Front) -> None:
    lines = ("Z: 1", "B: 2", "Y-A: 3", "A: 4", "Z: 5")
    for front, family in ((single, "headers"), (multi, "multiValueHeaders")):
        names = list(event(front.get("/", *lines))[family])
        assert names == sorted(names)
        assert {"a", "b", "y-a", "z"} < set(names)


def test_no_way_to_get_the_client_ip_except_x_forwarded_for(traffic: Stack, single: Front) -> None:
    seen = event(single.get("/", "Accept: text/html"))
    assert seen["headers"].pop("x-forwarded-for") == "127.0.0.1"
    assert "127.0.0.1" not in json.dumps(seen)
    single.set(routing__http__xff_header_processing__mode="remove")
    try:
        assert "127.0.0.1" not in json.dumps(event(single.get()))
    finally:
        single.set(routing__http__xff_header_processing__mode="append")


def test_http_0_9_1_0_1_1_front_event_identical(single: Front) -> None:
    lines = "Host: example.com\r\nX-A: 1\r\n\r\n"
    old, new = (event(single.send(f"GET /a?b=c HTTP/1.{n}\r\n{lines}")) for n in (0, 1))
    oldest = event(single.send("GET /a?b=c\r\n\r\n"))
    for seen in (oldest, old, new):
        assert re.fullmatch(FRESH, seen["headers"].pop("x-amzn-trace-id"))
    assert old == new
    assert oldest["headers"].pop("host") == single.dns_name
    assert oldest["headers"] | {"host": "example.com", "x-a": "1"} == new["headers"]
    assert {**oldest, "headers": None} == {**new, "headers": None}


def test_h2_only_on_https_listeners_event_identical_x_forwarded_proto_https(
    single: Front, single_h2: Front, multi_h2: Front
) -> None:
    lines = (("x-r", "1"), ("x-r", "2"), ("content-type", "text/plain"))
    over_http2 = event(ask(single_h2, "POST", "/a%20b?c=1&c=2", *lines, body="hi"))
    plain = ("X-R: 1", "X-R: 2", "Content-Type: text/plain")
    over_http1 = event(single.post("/a%20b?c=1&c=2", *plain, body="hi"))
    for seen in (over_http2, over_http1):
        del seen["requestContext"], seen["headers"]["x-amzn-trace-id"], seen["headers"]["host"]
    assert over_http2["headers"].pop("x-forwarded-proto") == "https"
    assert over_http2["headers"].pop("x-forwarded-port") == "443"
    del over_http1["headers"]["x-forwarded-proto"], over_http1["headers"]["x-forwarded-port"]
    assert over_http1["headers"].pop("content-length") == "2"  # which HTTP/2 does not need
    assert over_http2 == over_http1
    seen = event(ask(multi_h2, "GET", "/?c=1&c=2", *lines))
    assert seen["multiValueQueryStringParameters"] == {"c": ["1", "2"]}
    assert client_headers(seen) == {"x-r": ["1", "2"], "content-type": ["text/plain"]}
    assert single.send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").status == 400


def test_adapters_in_nodejs_get_the_same_document(single: Front, node: Front) -> None:
    target = "/a%20b/?__proto__=1&q=a+b&q=%F0%9F%98%80&constructor="
    sent = ("Content-Type: text/plain", "X-U: \xc3\xa9", "__proto__: 2", "toString: 3")
    python, javascript = (
        event(front.post(target, *sent, body="é😀\0".encode())) for front in (single, node)
    )
    for seen in (python, javascript):
        del seen["requestContext"], seen["headers"]["x-amzn-trace-id"]
    assert javascript == python
    assert javascript["body"] == "é😀\0"
    assert javascript["headers"].keys() >= {"__proto__", "tostring", "x-u"} | (
        OWN - {"x-amzn-trace-id"}
    )


def test_a_function_that_is_not_chosen_is_not_invoked(traffic: Stack) -> None:
    front = traffic.front(fixed(200, "fixed"))
    assert front.get("/-/count/unchosen").body == b"fixed"
    assert traffic.noted("unchosen") == 0
