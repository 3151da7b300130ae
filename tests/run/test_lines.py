"""How `albatross run` shows what a function or its runtime has printed."""

import json

import pytest

from albatross.run import lines as run_lines


def node_error(title: str, **error: object) -> str:
    return f"2026-11-30T21:43:14.305Z\tundefined\tERROR\t{title} \t{json.dumps(error)}"


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        pytest.param("one\n\ntwo\n", ["one", "", "two"], id="the function's own"),
        pytest.param("START RequestId: 1 Version: $LATEST\nEND RequestId: 1\n", [], id="Lambda's"),
        pytest.param(
            "[WARNING]\t2026Z\t\tLAMBDA_WARNING: Unhandled exception. The most likely\nmine\n",
            ["mine"],
            id="advice of the runtime",
        ),
        pytest.param(
            'Traceback (most recent call last):\n  File "<frozen importlib._bootstrap>", line 1\n'
            '  File "/x/awslambdaric/bootstrap.py", line 178, in f\n    response = g(\n      e)\n'
            '  File "/home/me/app.py", line 6, in handler\n    deep()\nKeyError: 1\n',
            [
                "Traceback (most recent call last):",
                '  File "/home/me/app.py", line 6, in handler',
                "    deep()",
                "KeyError: 1",
            ],
            id="calls of Python's runtime",
        ),
        pytest.param(
            node_error(
                "Invoke Error",
                errorType="Error",
                errorMessage="no",
                code="ENOENT",
                stack=[
                    "Error: no",
                    "    at handler (file:///home/me/index.mjs:3:9)",
                    "    at invoke (file:///x/albatross/host/node/invocation.mjs:54:24)",
                    "    at Pipe.onStreamRead (node:internal/stream_base_commons:181:34)",
                ],
            ),
            [
                "[ERROR] Invoke Error",
                "Error: no",
                "    at handler (file:///home/me/index.mjs:3:9)",
                '{"code":"ENOENT"}',
            ],
            id="an error of Node.js",
        ),
        pytest.param(
            node_error(
                "Unhandled Promise Rejection",
                stack=["Runtime.UnhandledPromiseRejection: Error: no"],
                reason={"stack": ["Error: no", "    at f (/home/me/index.js:3:9)"]},
                promise={},
            ),
            [
                "[ERROR] Unhandled Promise Rejection",
                "Error: no",
                "    at f (/home/me/index.js:3:9)",
            ],
            id="a rejected promise",
        ),
        pytest.param(
            node_error("Invoke Error", errorMessage="text"),
            ["[ERROR] Invoke Error", "text"],
            id="a thrown text",
        ),
        pytest.param(
            "2026Z\tid\tERROR\tInvoke Error \t{cut off}",
            ["2026Z\tid\tERROR\tInvoke Error \t{cut off}"],
            id="what only looks like one",
        ),
    ],
)
def test_what_is_printed_is_shown_for_its_author(text: str, lines: list[str]) -> None:
    assert run_lines.printed(text) == lines


def test_a_trace_is_that_of_either_runtime() -> None:
    assert run_lines.trace({"stackTrace": ['  File "a.py", line 1\n    import x\n']}) == [
        '  File "a.py", line 1',
        "    import x",
    ]
    assert run_lines.trace({"trace": ["Error: no", "    at node:internal/x:1"]}) == ["Error: no"]
    assert run_lines.trace({"trace": "none"}) == []
