"""What an answer of the Invoke API means. Pure. Source: Lambda API, `Invoke` and its errors."""

from collections.abc import Mapping

import orjson

from albatross.host.invocation import Outcome

PAYLOAD_BYTES_MAX = 6 * 1024 * 1024 + 100  # of a result that Lambda itself lets pass

# That the caller is not known, or may not, every service of AWS says; no model lists it.
_DENIED = frozenset(
    {
        *("AccessDenied", "ExpiredToken", "ExpiredTokenException", "IncompleteSignature"),
        *("IncompleteSignatureException", "InvalidClientTokenId", "InvalidSignatureException"),
        *("MissingAuthenticationToken", "MissingAuthenticationTokenException"),
        *("NotAuthorized", "OptInRequired", "SignatureDoesNotMatch"),
        "UnrecognizedClientException",
    }
)
_THROTTLED = frozenset({"Throttling", "ThrottlingException", "RequestLimitExceeded", "SlowDown"})
_BY_STATUS = {
    401: "AccessDeniedException",
    403: "AccessDeniedException",
    404: "ResourceNotFoundException",
    413: "RequestTooLargeException",
    429: "TooManyRequestsException",
}
# Lambda API, Invoke: StatusCode. Whoever knows one type of invocation only answers as to that.
_SUCCESS = {"RequestResponse": {200}, "Event": {202, 200}, "DryRun": {204, 200}}
_SHOWN_MAX = 1000  # characters of a text that is no JSON


def outcome(kind: str, status: int, headers: Mapping[str, str], payload: bytes) -> Outcome:
    """Return how an invocation of type `kind` ended. `headers` are found in any case of letters.

    An asynchronous one has ended, for us, when it is accepted: without a result.
    """
    if status in _SUCCESS[kind]:
        if kind != "RequestResponse":
            return Outcome(b"")
        return Outcome(payload, function_error=headers.get("X-Amz-Function-Error") or None)
    document = _document(payload)
    named = headers.get("x-amzn-ErrorType") or document.get("__type") or document.get("code")
    code = str(named or "").rpartition("#")[2].partition(":")[0].partition(",")[0].strip()
    if code in _DENIED:
        code = "AccessDeniedException"
    elif code in _THROTTLED:
        code = "TooManyRequestsException"
    message = document.get("message") or document.get("Message")
    if code == "TooManyRequestsException" or status == 429:
        message = document.get("Reason") or message
    if not document:
        message = payload[:_SHOWN_MAX].decode(errors="replace") or f"status {status}"
    return Outcome(
        str(message or f"status {status}").encode(),
        api_error=code or _BY_STATUS.get(status, "ServiceException"),
    )


def _document(payload: bytes) -> dict[str, object]:
    try:
        document = orjson.loads(payload)
    except orjson.JSONDecodeError:
        return {}
    return document if isinstance(document, dict) else {}
