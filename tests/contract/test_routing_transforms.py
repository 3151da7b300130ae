"""Transforms, row by row. Sources: ALB user guide, "Transforms for listener rules"; elbv2 API,
`RuleTransform`, `RewriteConfig`.
"""

from contextlib import AbstractContextManager
from typing import Any

import pytest

from albatross.model import pages
from tests.support.rules import Document, host_rewrite, path, refused, rule, url_rewrite
from tests.support.stack import Front, Stack, event, fixed, forward, redirect


@pytest.fixture(scope="module")
def group(traffic: Stack) -> str:
    return traffic.group()


def rewriting(
    front: Front, group: str, *transforms: Document, pattern: str = "*"
) -> AbstractContextManager[str]:
    """Have a rule that forwards to the function what it has transformed."""
    action = forward(group)
    return rule(front, path(pattern), action=action, priority=5, Transforms=list(transforms))


def seen(front: Front, group: str, target: str, *transforms: Document, **options: Any) -> Document:
    """Return what the function gets: its path, query and host."""
    with rewriting(front, group, *transforms):
        found = event(front.get(target, **options))
    return {
        "path": found["path"],
        "query": found["queryStringParameters"],
        "host": found["headers"]["host"],
    }


class TestWhen:
    def test_after_the_rule_is_chosen_never_changes_routing(self, front: Front, group: str) -> None:
        transforms = [url_rewrite("^/old", "/new"), host_rewrite("^a[.]com$", "b.com")]
        with (
            rewriting(front, group, *transforms, pattern="/old*"),
            front.rule(fixed(200, "path"), 1, path_pattern=["/new*"]),
            front.rule(fixed(200, "host"), 2, host_header=["b.com"]),
        ):
            found = event(front.get("/old/x", host="a.com"))
            assert (found["path"], found["headers"]["host"]) == ("/new/x", "b.com")
            assert front.get("/new/x", host="a.com").body == b"path"

    @pytest.mark.parametrize("action", [fixed(200, "fixed"), redirect(host="c.com")])
    def test_before_the_target_is_called(self, front: Front, action: Document) -> None:
        transforms = [url_rewrite("^/", "/new/")]
        with rule(front, path("/x*"), action=action, Transforms=transforms):
            answer = front.get("/x", host="a.com")
        if action["Type"] == "redirect":
            assert answer.header("Location") == "http://c.com:80/x"
        else:
            assert answer.body == b"fixed"


class TestUrlRewrite:
    @pytest.mark.parametrize(
        ("regex", "replace", "target", "made"),
        [
            pytest.param(
                "^/dp/([A-Za-z0-9]+)/?$",
                "/product.php?id=$1",
                "/dp/B09G3HRMW",
                ("/product.php", {"id": "B09G3HRMW"}),
                id="path and query",
            ),
            pytest.param("^/api/(.*)$", "/$1", "/api/v1/x", ("/v1/x", {}), id="path"),
            pytest.param("^/a(.*)$", "/b$1", "/a?q=1", ("/b", {"q": "1"}), id="query stays"),
            pytest.param("[?]q=(.*)$", "?p=$1", "/a?q=1", ("/a", {"p": "1"}), id="over the query"),
            pytest.param("^/(.*)/(.*)$", "/$2/$1", "/a/b", ("/b/a", {}), id="two groups"),
            pytest.param("^/a$", "/x/%20y", "/a", ("/x/%20y", {}), id="an escape"),
            pytest.param("^/A$", "/b", "/a", ("/a", {}), id="case counts"),
            pytest.param("(?i)^/A$", "/b", "/a", ("/b", {}), id="unless it does not"),
            pytest.param("[?].*", "", "/a?b=c", ("/a", {}), id="an empty replacement"),
        ],
    )
    def test_regex_over_path_replacement_may_set_path_and_query(
        self,
        front: Front,
        group: str,
        regex: str,
        replace: str,
        target: str,
        made: tuple[str, dict[str, str]],
    ) -> None:
        found = seen(front, group, target, url_rewrite(regex, replace))
        assert (found["path"], found["query"]) == made

    def test_not_protocol_or_port(self, front: Front, group: str) -> None:
        with rewriting(front, group, url_rewrite("^/.*$", "https://other.com:8443/x")):
            assert front.get("/a").status == 500


class TestHostHeaderRewrite:
    @pytest.mark.parametrize(
        ("regex", "replace", "sent", "made"),
        [
            (
                "^mywebsite-(.+).com$",
                "internal.dev.$1.myweb.com",
                "mywebsite-example.com",
                "internal.dev.example.myweb.com",
            ),
            ("example", "test", "www.example.com", "www.test.com"),
            ("^(.+)[.](.+)$", "$2.$1", "a.b", "b.a"),
            ("^other$", "x", "example.com", "example.com"),
            ("^EXAMPLE[.]com$", "x.com", "example.com", "example.com"),
            ("^example[.]com$", "x.com", "example.com:8080", "x.com"),
        ],
    )
    def test_regex_over_host(
        self, front: Front, group: str, regex: str, replace: str, sent: str, made: str
    ) -> None:
        found = seen(front, group, "/", host_rewrite(regex, replace), host=sent)
        assert found["host"] == made


class TestRegexReplace:
    @pytest.mark.parametrize("member", ["Regex", "Replace"])
    def test_at_most_1024_chars_each(self, elb: Any, front: Front, member: str) -> None:
        for transform in (url_rewrite("a", "/b"), host_rewrite("a", "b")):
            (config,) = (transform[key] for key in transform if key.endswith("Config"))
            rewrite = config["Rewrites"][0]
            rewrite[member] = "a" * 1024
            with rule(front, path("/x"), action=fixed(200), Transforms=[transform]):
                pass
            rewrite[member] = "a" * 1025
            assert refused(create, elb=elb, front=front, transforms=[transform]) == (
                "ValidationError",
                f"The '{member}' value is too long; the limit is '1024'",
            )

    @pytest.mark.parametrize(
        ("replace", "made"),
        [("/$1$2", "/ab"), ("/$2-$1", "/b-a"), ("/x$1x", "/xax"), ("/$1/$1", "/a/a")],
    )
    def test_groups_1_2(self, front: Front, group: str, replace: str, made: str) -> None:
        transform = url_rewrite("^/(a)/(b)$", replace)
        assert seen(front, group, "/a/b", transform)["path"] == made

    def test_one_rewrite_per_transform(self, elb: Any, front: Front) -> None:
        transform = url_rewrite("a", "b")
        transform["UrlRewriteConfig"]["Rewrites"] *= 2
        code, message = refused(create, elb=elb, front=front, transforms=[transform])
        assert code == "ValidationError"
        assert message == "A 'url-rewrite' transform can only have one rewrite"

    @pytest.mark.parametrize("regex", ["(", "(?=a)", r"(a)\1", ""])
    def test_what_cannot_be_matched_is_refused(self, elb: Any, front: Front, regex: str) -> None:
        transforms = [url_rewrite(regex, "/a")]
        code, _ = refused(create, elb=elb, front=front, transforms=transforms)
        assert code == "ValidationError"


def create(elb: Any, front: Front, transforms: list[Document]) -> None:
    elb.create_rule(
        ListenerArn=front.listener,
        Priority=1,
        Conditions=[path("/x")],
        Actions=[fixed(200)],
        Transforms=transforms,
    )


def test_no_match_request_unchanged(front: Front, group: str) -> None:
    transforms = [url_rewrite("^/other$", "/x"), host_rewrite("^other$", "x")]
    found = seen(front, group, "/a/%41?b=c", *transforms, host="Example.com")
    assert found == {"path": "/a/%41", "query": {"b": "c"}, "host": "Example.com"}


@pytest.mark.parametrize(
    "transform",
    [
        pytest.param(url_rewrite("^/a$", "no-slash"), id="a path without a slash"),
        pytest.param(url_rewrite("^.*$", ""), id="no path"),
        pytest.param(url_rewrite("^/a$", "/b c"), id="a space"),
        pytest.param(url_rewrite("^/a$", "/b#c"), id="a fragment"),
        pytest.param(host_rewrite("^.*$", ""), id="no host"),
        pytest.param(host_rewrite("^.*$", "a b"), id="a space in the host"),
        pytest.param(host_rewrite("^.*$", "a/b"), id="a slash in the host"),
    ],
)
def test_match_but_fails_http_500(front: Front, group: str, transform: Document) -> None:
    with rewriting(front, group, transform):
        answer = front.get("/a")
        assert (answer.status, answer.body.decode()) == (500, pages.page(500))
        assert answer.header("Server") == "awselb/2.0"


def test_first_match_or_all_anchored_patterns_behave_the_same(front: Front, group: str) -> None:
    assert seen(front, group, "/a/b/a", url_rewrite("^/a/(.*)$", "/x/$1"))["path"] == "/x/b/a"
    assert seen(front, group, "/a/b/a", url_rewrite("^(.*)/a$", "$1/x"))["path"] == "/a/b/x"


class TestApi:
    def test_modifyrule_transforms_and_resettransforms_exclude_each_other(
        self, elb: Any, front: Front, group: str
    ) -> None:
        with rewriting(front, group, url_rewrite("^/", "/one/")) as arn:
            code, _ = refused(
                elb.modify_rule,
                RuleArn=arn,
                Transforms=[url_rewrite("^/", "/two/")],
                ResetTransforms=True,
            )
            assert code == "ValidationError"
            assert event(front.get("/a"))["path"] == "/one/a"

    def test_modifyrule_with_either(self, elb: Any, front: Front, group: str) -> None:
        with rewriting(front, group, url_rewrite("^/", "/one/")) as arn:
            two = [url_rewrite("^/", "/two/")]
            assert elb.modify_rule(RuleArn=arn, Transforms=two)["Rules"][0]["Transforms"] == two
            assert event(front.get("/a"))["path"] == "/two/a"
            elb.modify_rule(RuleArn=arn, Conditions=[path("/*")])
            assert event(front.get("/a"))["path"] == "/two/a"
            made = elb.modify_rule(RuleArn=arn, ResetTransforms=True)["Rules"][0]
            assert made["Transforms"] == []
            assert event(front.get("/a"))["path"] == "/a"
