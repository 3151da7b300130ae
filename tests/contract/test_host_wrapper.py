"""Wrapper scripts, which start the runtime of a function in its place.

Source: Lambda guide, "Modifying the runtime environment".
"""

import re
from typing import Any

import pytest

from tests.support.command import zipped
from tests.support.invoking import BOOTSTRAP, SOURCE, executable, logged, run
from tests.support.node import NODE
from tests.support.stack import Stack

# As in the guide: the option goes before the last argument, which is the runtime.
OPTION = """#!/bin/bash
args=("$@")
extra=({})
exec "${{args[@]:0:$#-1}}" "${{extra[@]}}" "${{args[@]: -1}}"
"""
HANDLER = """#!/bin/sh
export ORIGINAL=$_HANDLER _HANDLER=deep/other.handler
exec "$@"
"""
OTHER = "import os\n" + SOURCE.replace('"result = event"', "\"result = os.environ['ORIGINAL']\"")


def wrapped(
    traffic: Stack, script: str, path: str = "/opt/wrapper", mode: int = 0o755, **params: Any
) -> str:
    """Make a function whose wrapper script is at `path`, with `script` at /opt/wrapper."""
    layer = traffic.functions.publish_layer_version(
        LayerName=traffic.name(), Content={"ZipFile": zipped(script, "wrapper", mode)}
    )["LayerVersionArn"]
    variables = {"AWS_LAMBDA_EXEC_WRAPPER": path}
    source = params.pop("source", SOURCE)
    return traffic.make(source, Layers=[layer], Environment={"Variables": variables}, **params)


def test_it_gets_the_interpreter_and_all_arguments_the_runtime_last(traffic: Stack) -> None:
    arn = wrapped(traffic, OPTION.format("-X importtime"))
    for _ in range(2):
        assert run(traffic, arn, "result = sys._xoptions").result["importtime"] is True
    lines = logged(traffic, f"/aws/lambda/{arn.rpartition(':')[2]}", "REPORT")
    assert any(re.match(r"import time: +\d+ \|", line) for line in lines)


def test_it_is_for_nodejs_too(traffic: Stack) -> None:
    if NODE is None:
        pytest.skip("node is not on the PATH")
    code = {"ZipFile": zipped("exports.handler = async () => process.execArgv", "app.js")}
    script = OPTION.format("--stack-size=900")
    arn = wrapped(traffic, script, source="", Runtime="nodejs20.x", Code=code)
    for _ in range(2):
        assert run(traffic, arn, "").result[-1] == "--stack-size=900"


def test_it_may_name_another_handler(traffic: Stack) -> None:
    code = {"ZipFile": zipped(OTHER, "deep/other.py")}
    arn = wrapped(traffic, HANDLER, source="", Code=code)
    assert run(traffic, arn, "result = os.environ['ORIGINAL']").result == "app.handler"


def test_it_may_start_another_program_that_speaks_the_runtime_api(traffic: Stack) -> None:
    code = {"ZipFile": executable(BOOTSTRAP)}
    arn = wrapped(traffic, '#!/bin/sh\nexec "$LAMBDA_TASK_ROOT/bootstrap"', source="", Code=code)
    for number in range(2):
        assert run(traffic, arn, f"result = {number}").result == number


def test_it_may_stay_and_the_memory_of_the_runtime_counts(traffic: Stack) -> None:
    arn = wrapped(traffic, '#!/bin/sh\n"$@"\nexit $?')
    invoked = run(traffic, arn, "time.sleep(0.02)")
    assert int(invoked.report["Max Memory Used"].removesuffix(" MB")) > 5
    failure = run(traffic, arn, "os._exit(3)").failure
    assert failure["errorMessage"].endswith("exit status 3")


def test_it_is_in_the_package_as_well_and_not_for_provided(traffic: Stack) -> None:
    code = {"ZipFile": executable(BOOTSTRAP)}
    variables = {"AWS_LAMBDA_EXEC_WRAPPER": "/var/task/bootstrap"}
    for runtime in ("python3.12", "provided.al2023"):
        arn = traffic.make("", Runtime=runtime, Code=code, Environment={"Variables": variables})
        found = run(traffic, arn, "result = sys.argv[0]").result
        assert found == "/var/task/bootstrap"


@pytest.mark.parametrize(
    ("path", "mode", "status", "line"),
    [
        ("/opt/nowhere", 0o755, 127, "/opt/nowhere: does not exist\n"),
        ("/opt/wrapper", 0o644, 126, "/opt/wrapper: is not an executable\n"),
    ],
)
def test_what_it_is_not_ends_the_runtime(
    traffic: Stack, path: str, mode: int, status: int, line: str
) -> None:
    arn = wrapped(traffic, "#!/bin/sh", path, mode)
    failure = run(traffic, arn, "").failure
    assert failure["errorType"] == "Runtime.ExitError"
    assert failure["errorMessage"].endswith(f"exit status {status}")
    assert line in logged(traffic, f"/aws/lambda/{arn.rpartition(':')[2]}", "REPORT")
