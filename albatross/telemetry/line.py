"""A request's record -> its line of the access log. Pure.

Source: ALB user guide, "Access logs for your Application Load Balancer", entries.
"""

import re
from datetime import datetime
from functools import lru_cache
from hashlib import sha256

from albatross.model import arn
from albatross.model.request_record import (
    ABSENT,
    CERTIFICATE_END,
    NO_REASON,
    Choice,
    Entrance,
    Record,
)

USER_AGENT_BYTES_MAX = 8192  # "8 KB"
CLIENT_CLOSED = "460"  # never sent: the client has gone
NEVER = "-1"  # of a time

# AWS is silent: in quoted fields `"`, `\` and what is not printable ASCII is written as `\xHH`.
_UNSAFE = re.compile(r'[^ -~]|["\\]')
_MICROSECONDS = 1_000_000
_KEPT_MAX = 4096
_VERSIONS = {"HTTP/2": "HTTP/2.0"}
# What Envoy calls an answer of our script, and the statuses with which it refuses requests before
# any rule is tried.
_SCRIPT = "lua_response"
_REFUSED_UNSEEN = frozenset({"400", "405", "414", "463"})
# Answers of the Lambda host to requests that went to no function.
_NOT_DISPATCHED = frozenset(
    {
        "LambdaBadRequest",
        "LambdaConnectionError",
        "LambdaConnectionTimeout",
        "LambdaRequestTooLarge",
        "LambdaWebsocketNotSupported",
    }
)
_NO_STATUS = frozenset({"0", "100", ABSENT})  # of a response: none has been sent
_BAD_COOKIE = "AWSALBTGCookieInvalid"  # of a request that is served all the same
# What the proxy tells of a request that it has refused -> class and reason.
_REFUSED_AS = {
    "http1.content_length_and_chunked_not_allowed": ("Ambiguous", "BothTeClPresent"),
    "http1.invalid_transfer_encoding": ("Severe", "BadTransferEncoding"),
}


def line(record: Record) -> str:
    """Return the line, without its end. It has 34 fields."""
    entrance = Entrance.of(record.entrance)
    choice = _choice(record, entrance)
    own = _is_own(record)
    status = _status(record)
    target_status = ABSENT if own or status == CLIENT_CLOSED else status
    error = ABSENT if record.error == NO_REASON else record.error
    if own and status == "413" and error == ABSENT:  # the proxy has seen it before the host
        error = "LambdaRequestTooLarge"
    is_lambda = record.target.startswith("/")
    target = ABSENT if is_lambda else record.target
    redirected = "redirect" in choice.actions and status[0] == "3"
    host, uri = _transformed(record)
    classification, reason = _classified(record)
    return " ".join(
        (
            _type(record, entrance),
            record.logged_at,
            arn.short(choice.load_balancer),
            record.client,
            target,
            *_times(record, status, own=own),
            status,
            target_status,
            record.received_bytes if record.method != ABSENT else "0",
            record.sent_bytes,
            _quoted(_request_line(record, choice, entrance)),
            _quoted(record.user_agent[:USER_AGENT_BYTES_MAX] or ABSENT),
            record.tls_cipher,
            record.tls_version,
            choice.target_group,
            _quoted(_trace_id(record, is_seen=choice.priority != ABSENT)),
            _quoted(_domain_name(record)),
            # differs from AWS: requests on a resumed TLS session are logged with the certificate,
            # not with session-reused.
            _quoted(record.certificate.partition(CERTIFICATE_END)[0]),
            # differs from AWS: no matched rule priority is -1: evaluating rules does not fail.
            choice.priority,
            f"{record.started_at}000Z",
            _quoted(choice.actions),
            _quoted(record.location if redirected else ABSENT),
            _quoted(error),
            _quoted(target),
            # AWS is silent: the list of target status codes is "-" for a function, as in the
            # sample line of AWS's guide.
            _quoted(ABSENT if is_lambda else target_status),
            _quoted(classification),
            _quoted(reason),
            conn_trace_id(record.client, record.connection),
            _quoted(host),
            _quoted(uri),
            _quoted(record.transform_status),
            record.node,
        )
    )


@lru_cache(_KEPT_MAX)
def conn_trace_id(client: str, connection: str) -> str:
    """Return the name by which all logs call a connection of `client` (address:port)."""
    return f"TID_{sha256(f'{client} {connection}'.encode()).hexdigest()[:32]}"


def _choice(record: Record, entrance: Entrance) -> Choice:
    """Return the rule that was chosen; where the request was refused before, of whose it would be.

    Then it is that of the load balancer for the request's host, if there was one, else the
    oldest's.
    """
    choice = Choice.of(record.choice)
    if choice is None:
        return Choice(
            entrance.load_balancer, entrance.protocol, entrance.port, ABSENT, ABSENT, ABSENT
        )
    is_refused = record.details == _SCRIPT and record.status in _REFUSED_UNSEEN
    if record.method == ABSENT or (is_refused and record.error == ABSENT):
        return choice._replace(priority=ABSENT, actions=ABSENT, target_group=ABSENT)
    return choice


def _is_own(record: Record) -> bool:
    """Tell whether the load balancer has answered, not the target.

    A target that has begun to answer has also where the connection ended before the answer did,
    as each WebSocket's does.
    """
    has_begun = record.details == "via_upstream" or record.answered_us != ABSENT
    return _has_failed(record) or not has_begun


def _has_failed(record: Record) -> bool:
    """Tell whether the answer is the load balancer's, for the reason that was noted."""
    return record.error not in (ABSENT, _BAD_COOKIE)


def _status(record: Record) -> str:
    if record.status not in _NO_STATUS:
        return record.status
    # AWS is silent: a client that closes in the middle of its request is logged with 400, one
    # that closes after it with 460.
    return CLIENT_CLOSED if record.received_us != ABSENT else "400"


def _type(record: Record, entrance: Entrance) -> str:
    is_secure = entrance.protocol == "https"
    if record.upgrade.lower() == "websocket" and record.status == "101":
        return "wss" if is_secure else "ws"
    if record.version == "HTTP/2":
        return "grpcs" if record.content_type.startswith("application/grpc") else "h2"
    return entrance.protocol


def _times(record: Record, status: str, *, own: bool) -> tuple[str, str, str]:
    """Return seconds until the request is with the target, until it answers, until we do."""
    is_host = record.target.startswith("/")
    # A function is invoked when the whole request is there.
    sent = record.sent_all_us if is_host else record.sent_us
    not_dispatched = (
        sent == ABSENT
        or "UF" in record.flags
        or record.error in _NOT_DISPATCHED
        or (record.error == NO_REASON and status == "503")
    )
    if not_dispatched:
        return NEVER, NEVER, NEVER
    is_late = status == CLIENT_CLOSED or (own and status == "504")
    if record.answered_us == ABSENT or is_late:
        return _seconds("0", sent), NEVER, NEVER
    if _has_failed(record) or record.answering_us == ABSENT:
        return _seconds("0", sent), _seconds(sent, record.answered_us), NEVER
    return (
        _seconds("0", sent),
        _seconds(sent, record.answered_us),
        _seconds(record.answered_us, record.answering_us),
    )


def _seconds(start_us: str, end_us: str) -> str:
    # A target may answer before it has the whole request.
    return f"{max(int(end_us) - int(start_us), 0) / _MICROSECONDS:.3f}"


def _request_line(record: Record, choice: Choice, entrance: Entrance) -> str:
    # AWS is silent: the port in the request line is the listener's, whatever port Host names.
    if record.method == ABSENT:
        return f"- {entrance.protocol}://{entrance.dns_name}:{entrance.port}- -"
    host = record.original_host if record.original_host != ABSENT else record.host
    path = record.original_path if record.original_path != ABSENT else record.path
    version = _VERSIONS.get(record.version, record.version)
    if host == ABSENT:
        host = entrance.dns_name
    return (
        f"{record.method} {choice.protocol}://{_without_port(host)}:{choice.port}{path} {version}"
    )


def _without_port(host: str) -> str:
    return host[: host.rfind("]") + 1] if host.startswith("[") else host.partition(":")[0]


def _trace_id(record: Record, *, is_seen: bool) -> str:
    """Return the trace header; where no target was sent one, as it would have been."""
    if not is_seen or "Root=" in record.trace_id:
        return record.trace_id
    seed = sha256(f"{record.client} {record.connection} {record.logged_at}".encode()).hexdigest()
    root = f"Root=1-{_epoch_s(record.started_at):08x}-{seed[:24]}"
    return root if record.trace_id == ABSENT else f"{root};{record.trace_id}"


def _epoch_s(started_at: str) -> int:
    return int(datetime.fromisoformat(f"{started_at}+00:00").timestamp())


def _domain_name(record: Record) -> str:
    """Return the name that the client asked for, ABSENT where the certificate shown has another."""
    name = record.server_name
    if name.startswith("invalid:"):
        return ABSENT
    shown = record.certificate_names
    is_known = shown == ABSENT or any(_covers(one, name) for one in shown.lower().split(","))
    return name if is_known else ABSENT


def _covers(certified: str, name: str) -> bool:
    """Tell whether a certificate's name, whose `*` is one label, is one of the host `name`."""
    label, dot, parent = name.lower().partition(".")
    return certified in (f"{label}{dot}{parent}", f"*{dot}{parent}")


def _transformed(record: Record) -> tuple[str, str]:
    """Return host and URI after a rule's transforms, ABSENT where these have changed nothing."""
    if record.transform_status != "TransformSuccess":
        return ABSENT, ABSENT
    is_host_changed = record.original_host not in (ABSENT, record.host)
    is_path_changed = record.original_path not in (ABSENT, record.path)
    return (
        record.host if is_host_changed else ABSENT,
        record.path if is_path_changed else ABSENT,
    )


def _classified(record: Record) -> tuple[str, str]:
    """Return the class of a request that HTTP leaves room to misread, and why.

    What else is refused as malformed has none: the proxy does not tell what was wrong.
    """
    # differs from AWS: access logs classify a GET or HEAD with a body, a Content-Length beside
    # Transfer-Encoding, another coding than chunked, Transfer_Encoding, Content_Length and, in the
    # desync mitigation mode strictest, other odd headers; nothing else.
    if record.details in _REFUSED_AS:
        return _REFUSED_AS[record.details]
    class_, _, reason = record.classification.partition(" ")
    return class_, reason or ABSENT


def _quoted(text: str) -> str:
    if text == ABSENT:
        return '"-"'
    if _UNSAFE.search(text):
        text = _UNSAFE.sub(lambda match: f"\\x{ord(match[0]):02X}", text)
    return f'"{text}"'
