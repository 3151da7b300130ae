"""Regular expressions that AWS takes are taken, those that it excludes are refused."""

import pytest
import re2  # type: ignore[import-untyped]

from albatross.elbv2 import regexes
from albatross.model.errors import ValidationError
from albatross.model.rule import HostHeader, HttpHeader, PathPattern
from albatross.xds import patterns

LATIN1 = re2.Options()  # the proxy's
LATIN1.encoding = re2.Options.Encoding.LATIN1


@pytest.mark.parametrize(
    "regex",
    [
        r"^(.*)\.example\.com$",
        r"^\/api\/(.*)$",
        ".+",
        r"(?i)chrome|safari",
        r"^/(?P<year>\d{4})/(?:a|b){2,3}[^x]?\b$",
        r"a*?b+?",
        r"[[:alpha:]]+",
        r"\\p",
        "a b",
        r"\x{ff}",
    ],
)
def test_taken(regex: str) -> None:
    regexes.check(regex, "value")


@pytest.mark.parametrize(
    "regex",
    [
        pytest.param("(?=a)", id="lookahead"),
        pytest.param("(?!a)", id="negative lookahead"),
        pytest.param("(?<=a)b", id="lookbehind"),
        pytest.param("(?<!a)b", id="negative lookbehind"),
        pytest.param(r"(a)\1", id="backreference"),
        pytest.param(r"(?P<a>x)(?P=a)", id="named backreference"),
        pytest.param("(?>a)", id="atomic group"),
        pytest.param("a++", id="possessive quantifier"),
        pytest.param("(?R)", id="recursion"),
        pytest.param("(?1)", id="subroutine"),
        pytest.param(r"\p{L}", id="Unicode class"),
        pytest.param(r"\\\PN", id="Unicode class after a backslash"),
        pytest.param("(a", id="open group"),
        pytest.param("[a", id="open class"),
        pytest.param("*a", id="nothing to repeat"),
        pytest.param("a{1001}", id="too many repetitions"),
        pytest.param("((a{100}){100}){100}", id="too many repetitions together"),
        pytest.param(r"\w{1000}\w{1000}\w{1000}", id="too large"),
        pytest.param("a\n", id="control character"),
        pytest.param("\u00e4", id="beyond ASCII"),
        pytest.param(r"[^\x{100}]", id="beyond one byte, escaped"),
    ],
)
def test_refused(regex: str) -> None:
    with pytest.raises(ValidationError) as error:
        regexes.check(regex, "'path-pattern' value")
    assert str(error.value) == (
        f"The 'path-pattern' value '{regex}' is not a valid regular expression"
    )


@pytest.mark.parametrize("regex", [r"\w{1000}" * 2, ".{600}", "[^a]{600}", "k{1000}" * 2])
def test_five_of_the_largest_are_not_too_large_for_the_proxy(regex: str) -> None:
    regexes.check(regex, "value")
    five = (regex,) * 5
    header = HttpHeader(header_name="a", values=(), regex_values=five)
    for expression in (
        patterns.any_header(header),
        patterns.any_host([HostHeader(values=(), regex_values=five)]),
        patterns.any_path(PathPattern(values=(), regex_values=five)),
    ):
        re2.compile(expression.encode(), LATIN1)
