"""Filter patterns: the forms of the CloudWatch Logs guide, and what is refused."""

import pytest

from albatross.logs.filter_pattern import BadPattern, compiled, values

APACHE = '127.0.0.1 - frank [10/Oct/2000:13:25:15 -0700] "GET /index.html HTTP/1.0" 404 1534'
DOCUMENT = """{"level": "ERROR", "status": 503, "user": {"id": 1, "email": "jo@example.com"},
 "users": [{"id": 2}, {"id": 3}], "tags": ["a", "b"], "ok": true, "none": null, "ip.a": "10.0.0.1",
 "path": "/a/b"}"""


@pytest.mark.parametrize(
    ("pattern", "message", "expected"),
    [
        pytest.param("", "anything", True, id="nothing is asked for"),
        pytest.param("ERROR", "[ERROR 400] BAD", True, id="a term"),
        pytest.param("ERROR", "error", False, id="case counts"),
        pytest.param("ERROR ARGUMENTS", "ERROR in ARGUMENTS", True, id="all terms"),
        pytest.param("ERROR ARGUMENTS", "ERROR", False, id="one of all terms"),
        pytest.param("?ERROR ?WARN", "a WARN", True, id="any of them"),
        pytest.param("?ERROR ?WARN", "INFO", False, id="none of them"),
        pytest.param('"BAD REQUEST"', "400 BAD REQUEST", True, id="a phrase"),
        pytest.param('"BAD REQUEST"', "REQUEST BAD", False, id="a phrase in another order"),
        pytest.param(r'"say \"x\""', 'say "x"', True, id="quotes in a phrase"),
        pytest.param("ERROR -ARGUMENTS", "ERROR", True, id="excluded and absent"),
        pytest.param("ERROR -ARGUMENTS", "ERROR ARGUMENTS", False, id="excluded"),
        pytest.param('-"a b"', "x", True, id="only excluded"),
        pytest.param("%AUTH[A-Z]+%", "UNAUTHORIZED", True, id="a regular expression"),
        pytest.param("ERROR %[0-9]{3}%", "ERROR 12", False, id="a term and an expression"),
        pytest.param("[ip, id, user, when, request, status = 4*, bytes > 1000]", APACHE, True,
                     id="columns"),
        pytest.param("[ip, id, user, when, request, status = 4*, bytes > 2000]", APACHE, False,
                     id="a number too low"),
        pytest.param("[..., status = 404 || status = 500, bytes]", APACHE, True, id="the last"),
        pytest.param("[ip, ..., bytes]", APACHE, True, id="first and last"),
        pytest.param("[]", APACHE, True, id="any columns"),
        pytest.param('[ip, id, user, when, request = "GET *", ...]', APACHE, True, id="quotes"),
        pytest.param("[a, b]", APACHE, False, id="another number of columns"),
        pytest.param("[w != ERROR && w != WARN, rest]", "INFO x", True, id="conditions at once"),
        pytest.param("[w = %^E%, rest]", "ERROR x", True, id="an expression in a column"),
        pytest.param("[a, b]", "[ " * 100_000, False, id="brackets that never end"),
        pytest.param("[w = *a*a*a*a*b]", "a" * 50_000, False, id="stars of which each fits late"),
    ],
)  # fmt: skip
def test_messages_match_text_patterns(pattern: str, message: str, expected: bool) -> None:
    assert compiled(pattern)(message) is expected


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        pytest.param('{ $.level = "ERROR" }', True, id="text"),
        pytest.param("{ $.level = ERROR }", True, id="text without quotes"),
        pytest.param("{$.level=ERR*}", True, id="a star"),
        pytest.param("{ $.level = %^E.R% }", True, id="an expression"),
        pytest.param('{ $.level != "INFO" }', True, id="not equal"),
        pytest.param('{ $.absent != "INFO" }', False, id="what is absent is not unequal"),
        pytest.param("{ $.status >= 500 }", True, id="a number"),
        pytest.param("{ $.status < 5.03e2 }", False, id="a number with an exponent"),
        pytest.param("{ $.status = 503.0 }", True, id="the same number"),
        pytest.param("{ $.level > 1 }", False, id="text is no number"),
        pytest.param('{ $.user.email = "*@example.com" }', True, id="a way"),
        pytest.param("{ $.users[1].id = 3 }", True, id="an element"),
        pytest.param("{ $.users[2].id = 3 }", False, id="an element that is not there"),
        pytest.param("{ $.users[*].id = 3 }", True, id="any element"),
        pytest.param("{ $.tags[0] = a }", True, id="an element of texts"),
        pytest.param("{ $.['ip.a'] = \"10.*\" }", True, id="a name in brackets"),
        pytest.param('{ $.path = "/a/b" }', True, id="a slash"),
        pytest.param("{ $.ok IS TRUE }", True, id="true"),
        pytest.param("{ $.ok is false }", False, id="false"),
        pytest.param("{ $.none IS NULL }", True, id="null"),
        pytest.param("{ $.absent IS NULL }", False, id="absent is not null"),
        pytest.param("{ $.absent NOT EXISTS }", True, id="absent"),
        pytest.param("{ $.none NOT EXISTS }", False, id="null is there"),
        pytest.param("{ $.user = x }", False, id="an object is no text"),
        pytest.param("{ $.a = 1 || $.status = 503 && $.level = ERROR }", True, id="and first"),
        pytest.param("{ ($.status = 503 || $.a = 1) && $.level = X }", False, id="parentheses"),
    ],
)
def test_documents_match_json_patterns(pattern: str, expected: bool) -> None:
    assert compiled(pattern)(DOCUMENT) is expected
    assert compiled(pattern)("no document") is False


@pytest.mark.parametrize(
    "pattern",
    [
        *('"open', "%(a)%", "%a!%", "{ $.a = }", "{ a = 1 }", "{ $.a = 1", "{ $.a = 1 } x"),
        *("{ $.a > b }", "{ $.a IS 1 }", "{}", "[a b]", "[a", "[a, ..., b, ...]", "[a =]"),
        *("[a = 1 & b]", "[%a]", "{ $.a && $.b = 1 }"),
        pytest.param(f"{{{'(' * 500}$.a = 1{')' * 500}}}", id="deep parentheses"),
    ],
)
def test_what_is_no_pattern_is_refused(pattern: str) -> None:
    with pytest.raises(BadPattern):
        compiled(pattern)


WORDS = ("127.0.0.1", "-", "frank", "10/Oct/2000:13:25:15 -0700", "GET /index.html HTTP/1.0", "404")
NUMBERED = {f"${number}": word for number, word in enumerate(WORDS, start=1)}


@pytest.mark.parametrize(
    ("pattern", "message", "expected"),
    [
        pytest.param("[]", APACHE, NUMBERED | {"$7": "1534"}, id="words without names"),
        pytest.param("[..., size]", APACHE, NUMBERED | {"$size": "1534"}, id="one name"),
        pytest.param("[$ip, , (user = f* || user = x), when, request, status >= 400, size]", APACHE,
                     dict(zip(("$ip", "$2", "$user", "$when", "$request", "$status", "$size"),
                              (*WORDS, "1534"), strict=True)), id="names and conditions"),
        pytest.param("frank", APACHE, {}, id="terms"),
        pytest.param("{ $.status = 5* && ($.users[1].id > 2 || $.absent = 1) && $.no NOT EXISTS }",
                     DOCUMENT, {"$.status": "503", "$.users[1].id": "3"}, id="selectors"),
        pytest.param("{ $.tags[*] = b && $.ok IS TRUE }", DOCUMENT,
                     {"$.tags[*]": "a", "$.ok": "true"}, id="elements"),
    ],
)  # fmt: skip
def test_what_a_pattern_names_has_values(pattern: str, message: str, expected: object) -> None:
    assert values(pattern, message) == expected
