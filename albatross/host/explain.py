"""Why a function's answer is a 502, in words for its author. Pure.

What is told: what went wrong, where in the function's code, and the command that mends it.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any

import orjson

from albatross.host.failures import EXIT_ERROR, OUT_OF_MEMORY
from albatross.model.function import ELB_SERVICE, Directory, Function

TASK_ROOT = "/var/task"
HEADER_BYTES_MAX = 1000  # of a debug header's value
_MESSAGE_MAX = 2000  # characters of an exception's message
_CUT = " ... "
_SHOWN_MAX = 300  # characters of a line that a function printed
_PYTHON_FRAME = re.compile(r'File "([^"]+)",? [Ll]ine (\d+)(?:, in (\S+))?')
# Its parts exclude each other's ends: whatever a function makes of its trace, once over it will do.
_NODE_FRAME = re.compile(r"^\s*at (?:async )?(?:([^(]*) \()?(?:file://)?(/[^()]*):(\d+):\d+\)?$")
_NODE_SYNTAX = re.compile(r"^(?:file://)?(/.*):(\d+)$")  # above a syntax error's line
_INSTALLED = ("/site-packages/", "/dist-packages/", "/node_modules/")
_PLATFORM = ("START RequestId", "END RequestId", "REPORT RequestId", "INIT_", "EXTENSION\t")
_TIMED_OUT = "Sandbox.Timedout"
_REJECTION = "\tUnhandled Promise Rejection \t"
_EXITED = ("exit status", "without providing a reason")
# What messages of runtimes contain, and what to do then.
_REMEDIES = {
    "Object of type coroutine is not JSON": (
        "Lambda's Python does not await an async handler; make it a plain function that calls "
        "asyncio.run(...)"
    ),
    "but 2 were given": "a handler is called with two arguments, event and context",
    "Unable to stringify response body": (
        "JSON has no BigInt, no function and no object that contains itself"
    ),
}


def error(payload: bytes, function: Function | None, printed: Iterable[bytes] = ()) -> str:
    """Return what an error document says, and where in the code of `function` it arose.

    `printed`: the log of the invocation, whose last line tells of a crash.
    """
    try:
        document = orjson.loads(payload)
        kind, message = document["errorType"], document["errorMessage"]
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return payload[:200].decode(errors="replace")
    text = shortened(f"{kind}: {message}" if message else str(kind), _MESSAGE_MAX)
    if function is None:
        return text
    if kind == _TIMED_OUT:
        return f"{text}; {_longer(function)}"
    log = b"".join(printed).decode(errors="replace")
    if kind == EXIT_ERROR:
        return f"{text}{_ended(text)}{_crash(function, log)}"
    place = _place(document, function) or _place(_rejected(log), function)
    remedy = next((remedy for part, remedy in _REMEDIES.items() if part in text), None)
    return text + (f" ({place})" if place else "") + (f"; {remedy}" if remedy else "")


def throttled(reason: str, reserved: int | None, provisioned: int, function: Function) -> str:
    """Return which limit has been reached, and what raises it."""
    if not reason.startswith("Reserved"):
        return f"{reason}: the account's concurrency is used up by other invocations"
    command = (
        f"aws lambda put-function-concurrency --function-name {function.name} "
        "--reserved-concurrent-executions N"
    )
    if isinstance(function.code, Directory):
        command += ", or albatross run --concurrency N"
    limit = f"reserved concurrency of {reserved}"
    if provisioned:
        limit += f", of which {provisioned} provisioned for versions,"
    return f"{reason}: the function's {limit} is used up; more: {command}"


def denied(function_arn: str, target_group_arn: str) -> str:
    """Return which permission is missing, and the command that adds it."""
    name, qualifier = _named(function_arn)
    option = f" --qualifier '{qualifier}'" if qualifier else ""
    return (
        f"the policy of {function_arn} does not allow {target_group_arn} to invoke it; add the "
        f"permission: aws lambda add-permission --function-name {name}{option} --statement-id elb "
        f"--action lambda:InvokeFunction --principal {ELB_SERVICE} --source-arn {target_group_arn}"
    )


def without_target(target_group_arn: str | None) -> str:
    """Return that a target group has no target, and the command that registers one."""
    if target_group_arn is None:
        return "the target group is being deleted"
    return (
        "the target group has no registered target; register one: aws elbv2 register-targets "
        f"--target-group-arn {target_group_arn} --targets Id=FUNCTION_ARN"
    )


def missing(function_arn: str) -> str:
    """Return that the registered function, version or alias does not exist."""
    return f"{function_arn} does not exist; register another target, or create it again"


def header_value(text: str) -> str:
    """Return `text` as the value of a header: printable ASCII in one line, of bounded length."""
    line = " ".join(text.split())
    shown = line.encode("ascii", "backslashreplace").decode()
    shown = "".join([char if char.isprintable() else "?" for char in shown])
    return shortened(shown, HEADER_BYTES_MAX)


def shortened(text: str, length: int) -> str:
    """Return at most `length` characters of `text`: its beginning and its end, which says where."""
    if len(text) <= length:
        return text
    end = length // 3
    return text[: length - end - len(_CUT)] + _CUT + text[-end:]


def _longer(function: Function) -> str:
    return (
        f"the function's Timeout is {function.timeout_s} s; longer: "
        f"{_update(function, '--timeout SECONDS')}"
    )


def _update(function: Function, option: str) -> str:
    command = f"aws lambda update-function-configuration --function-name {function.name} {option}"
    is_run = isinstance(function.code, Directory)
    return f"{command}, or albatross run {option}" if is_run else command


def _crash(function: Function, printed: str) -> str:
    lines = [line for line in printed.splitlines() if line.strip()]
    told = ""
    if OUT_OF_MEMORY in printed:
        told = (
            f"; it used more than its MemorySize of {function.memory_mb} MB; more: "
            f"{_update(function, '--memory-size MB').replace('run --memory-size', 'run --memory')}"
        )
    own = [line for line in lines if not line.startswith(_PLATFORM)]
    return f'{told}; the last line that it printed: "{own[-1][:_SHOWN_MAX]}"' if own else told


def _ended(text: str) -> str:
    """Return what an exit without a signal means."""
    if any(part in text for part in _EXITED):
        return "; the process has ended by itself, as by sys.exit() or process.exit()"
    return ""


def _rejected(printed: str) -> Mapping[str, Any]:
    """Return the error with which a promise was rejected, which Node.js's runtime only logs."""
    try:
        document = orjson.loads(printed.partition(_REJECTION)[2].partition("\n")[0])
        return {"trace": document["reason"]["stack"]}
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return {}


def _place(document: Mapping[str, Any], function: Function) -> str | None:
    """Return `app.py:7, in handler`: the innermost call in the function's own code."""
    trace = document.get("stackTrace") or document.get("trace")
    if not isinstance(trace, list):
        return None
    lines = "\n".join(map(str, trace)).splitlines()
    found = [each for line in lines if (each := _frame(line, _roots(function)))]
    if not found:
        return None
    # Python names the innermost call last, JavaScript first.
    is_python = any(_PYTHON_FRAME.search(line) for line in lines)
    return found[-1] if is_python else found[0]


def _frame(line: str, roots: Iterable[str]) -> str | None:
    if match := _PYTHON_FRAME.search(line):
        path, number, name = match.groups()
    elif match := _NODE_FRAME.match(line):
        name, path, number = match.groups()
    elif match := _NODE_SYNTAX.match(line):
        name, (path, number) = None, match.groups()
    else:
        return None
    for root in roots:
        below = path.partition(f"{root}/")[2]
        if below and not any(each in path for each in _INSTALLED):
            return f"{below}:{number}" + (f", in {name}" if name else "")
    return None


def _roots(function: Function) -> tuple[str, ...]:
    """Return how paths of the function's own code may begin, or what they contain."""
    if isinstance(function.code, Directory):
        return (function.code.path, TASK_ROOT)
    return (f"/code/{function.code.digest}", TASK_ROOT)


def _named(function_arn: str) -> tuple[str, str]:
    parts = function_arn.split(":")
    return parts[6], parts[7] if len(parts) > 7 else ""
