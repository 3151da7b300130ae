"""How Lambda says that a function failed: error documents, reasons, names of errors.

Sources: Lambda guide, execution environment life cycle and Runtime API; the runtime interface
emulator.
"""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field

from albatross.host.invocation import RESULT_BYTES_MAX, Invocation, Outcome

EXIT_ERROR = "Runtime.ExitError"
INVALID_ENTRYPOINT = "Runtime.InvalidEntrypoint"
LAUNCH_ERROR = "Extension.LaunchError"
TIMED_OUT = "Sandbox.Timedout"
_SIZE = f"{RESULT_BYTES_MAX} bytes"
TOO_LARGE = f"Exceeded maximum allowed payload size ({_SIZE})."  # what the runtime is told
TRUNCATED = "Runtime.TruncatedResponse"
OUT_OF_MEMORY = "Runtime.OutOfMemory"
# As Go calls them, which Lambda's own part is written in.
_SIGNALS = {
    1: "hangup",
    2: "interrupt",
    3: "quit",
    4: "illegal instruction",
    5: "trace/breakpoint trap",
    6: "aborted",
    7: "bus error",
    8: "floating point exception",
    9: "killed",
    10: "user defined signal 1",
    11: "segmentation fault",
    12: "user defined signal 2",
    13: "broken pipe",
    14: "alarm clock",
    15: "terminated",
}
_KNOWN_KIND = re.compile(r"(Runtime|Function)\.[A-Z][a-zA-Z]+")


@dataclass(frozen=True, slots=True)
class InitFailure:
    """Why an environment never became ready. `document` is the error that its runtime has reported.

    Where none has, `error_type` and `message` say it in Lambda's words. `within_invoke`: it was
    started, or started again, at the expense of an invocation. `tell` logs one that fails with it.
    """

    document: bytes = b""
    error_type: str = ""
    message: str = ""
    timed_out: bool = False
    within_invoke: bool = False
    tell: Callable[[Invocation], None] = field(default=lambda _: None, compare=False)

    def document_for(self, request_id: str = "") -> bytes:
        """Return the error as Invoke shows it to who has sent the request."""
        return self.document or error_document(self.error_type, said(self.message, request_id))


def error_document(error_type: str, message: str) -> bytes:
    document = {"errorType": error_type, "errorMessage": message}
    return json.dumps(document, separators=(",", ":")).encode()


def said(message: str, request_id: str = "") -> str:
    """Return how Lambda itself says that an invocation, if there is one, has failed."""
    return f"RequestId: {request_id} Error: {message}" if request_id else f"Error: {message}"


def timeout_document(request_id: str, timeout_s: float) -> bytes:
    """Return the payload of an invocation that outlived the function's timeout."""
    message = f"Task timed out after {timeout_s:.2f} seconds"
    return error_document(TIMED_OUT, said(message, request_id))


def too_large() -> Outcome:
    """Return the outcome of an invocation whose result is over `RESULT_BYTES_MAX`."""
    message = f"Response payload size exceeded maximum allowed payload size ({_SIZE})."
    document = error_document("Function.ResponseSizeTooLarge", message)
    return Outcome(document, function_error="Unhandled")


def exit_reason(returncode: int | None) -> str:
    """Say how a runtime ended, in Lambda's words."""
    if not returncode:
        return "Runtime exited without providing a reason"
    if returncode > 0:
        return f"Runtime exited with error: exit status {returncode}"
    # AWS is silent: how a function ended is said in the words that are known from Lambda's logs.
    name = _SIGNALS.get(-returncode, f"signal {-returncode}")
    return f"Runtime exited with error: signal: {name}"


def kind_of(error_type: str) -> str:
    """Return how Lambda's own records name an error that a runtime calls `error_type`."""
    if _KNOWN_KIND.match(error_type):
        return error_type
    return "Function.Unknown" if error_type.startswith("Function.") else "Runtime.Unknown"


def of_extension(name: str, kind: str, reason: str) -> tuple[str, str]:
    """Return how Lambda says that the extension `name` has failed, and how an EXTENSION line does.

    Of one that could not be started, `reason` says which it is.
    """
    if kind != LAUNCH_ERROR:
        return f"{name}: {reason}", kind_of(reason)
    return reason, "PermissionDenied" if reason.endswith("permission denied") else "UnknownError"


def type_in(document: bytes) -> str:
    """Return the `errorType` of an error document, empty when there is none."""
    try:
        found = json.loads(document)["errorType"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return ""
    return found if isinstance(found, str) else ""
