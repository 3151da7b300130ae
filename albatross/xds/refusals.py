"""What the proxy answers by itself, and why: told to the control plane as it happens, over the
connection on which Envoy gets its configuration.

Envoy says of each answer how it came to it (`RESPONSE_CODE_DETAILS`); the script notes code and
words of its own refusals. Answers of targets, fixed responses and redirects are not told of.
Source: Envoy documentation, access logging, response code details.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import grpc
from envoy.config.accesslog.v3.accesslog_pb2 import AccessLog
from envoy.extensions.access_loggers.filters.cel.v3.cel_pb2 import ExpressionFilter
from envoy.extensions.access_loggers.grpc.v3.als_pb2 import HttpGrpcAccessLogConfig
from envoy.extensions.filters.network.http_connection_manager.v3 import (
    http_connection_manager_pb2 as manager_pb2,
)
from envoy.service.accesslog.v3.als_pb2 import StreamAccessLogsMessage, StreamAccessLogsResponse

from albatross.xds import lenient, names
from albatross.xds.actions import OVERWRITE, header
from albatross.xds.packing import extension

CLUSTER = "control-plane"
_NOT_OWN = 'response.code_details != "via_upstream" && response.code_details != "direct_response"'
_PATH_MAX = 200  # characters

# How Envoy came to an answer -> what AWS has no name for, and what it means. The first word that
# the details begin with counts.
_WORDS = {
    "http1.": ("MalformedRequest", "the request is not HTTP/1.1, or can be read in two ways"),
    "http2.": ("MalformedRequest", "the request breaks the rules of HTTP/2"),
    "request_headers_too_large": ("HeadersTooLarge", "headers: expected at most 64 KB"),
    "request_header_timeout": ("RequestTimeout", "no complete headers within the idle timeout"),
    "request_headers_timeout": ("RequestTimeout", "no complete headers within the idle timeout"),
    "stream_idle_timeout": ("RequestTimeout", "nothing was sent for as long as the idle timeout"),
    "request_payload_too_large": ("LambdaRequestTooLarge", "body: expected at most 1 MB"),
    "body_size_limit": ("LambdaRequestTooLarge", "body: expected at most 1 MB"),
    "request_body_too_large": ("LambdaRequestTooLarge", "body: expected at most 1 MB"),
    "cluster_not_found": ("NoTargetGroup", "all target groups of the rule have the weight 0"),
    "no_healthy_upstream": ("NoTarget", "the target group has no target that may get requests"),
    "no_cluster_endpoint": ("NoTarget", "the target group has no target that may get requests"),
    "upstream_reset_before_response_started{connection_failure": (
        "TargetConnectionError", "the target does not accept connections"),
    "upstream_reset_before_response_started{connection_termination": (
        "TargetClosed", "the target closed the connection before it had answered"),
    "upstream_reset_before_response_started{remote_reset": (
        "TargetClosed", "the target reset the request before it had answered"),
    "upstream_reset_before_response_started{protocol_error": (
        "TargetMalformedResponse", "what the target answered is not HTTP"),
    "upstream_response_timeout": ("TargetTimeout", "the target has not answered in time"),
    "response_timeout": ("TargetTimeout", "the target has not answered within the idle timeout"),
    "upgrade_failed": ("UpgradeNotSupported", "the request asks for another protocol"),
    "missing_host_header": ("MalformedRequest", "headers: expected Host, found none"),
    "http.invalid_authority": ("MalformedRequest", "headers[Host]: expected the name of a host"),
    "path_normalization_failed": ("MalformedRequest", "target: expected a path without #"),
    "missing_path": ("MalformedRequest", "target: expected a path"),
    "absolute_path_rejected": ("MalformedRequest", "target: expected a path"),
    "low_version": ("MalformedRequest", "an old version of HTTP"),
}  # fmt: skip


_DEBUG_HEADERS = {
    names.REASON_HEADER: f"%DYNAMIC_METADATA({names.METADATA}:{names.REFUSAL})%",
    names.DETAIL_HEADER: f"%DYNAMIC_METADATA({names.METADATA}:{names.REFUSAL_DETAIL})%",
    names.PROXY_HEADER: "%RESPONSE_CODE_DETAILS%",
}


class Refusal(NamedTuple):
    """One answer of the proxy's own."""

    method: str
    path: str
    status: int
    duration_ms: float
    code: str
    detail: str


def observe(manager: manager_pb2.HttpConnectionManager, *, debug_headers: bool = False) -> None:
    """Have `manager` tell of its own answers, with `debug_headers` the clients too."""
    manager.access_log.append(_access_log())
    if debug_headers:
        for mapper in manager.local_reply_config.mappers:
            for name, value in _DEBUG_HEADERS.items():
                mapper.headers_to_add.add(**header(name, value, OVERWRITE))


def handler(tell: Callable[[Refusal], None]) -> Any:
    """Return the gRPC service to which Envoy reports."""

    async def receive(reports: Any, _: Any) -> StreamAccessLogsResponse:
        async for report in reports:
            for entry in report.http_logs.log_entry:
                tell(_refusal(entry))
        return StreamAccessLogsResponse()

    method = grpc.stream_unary_rpc_method_handler(
        receive,
        request_deserializer=partial(lenient.parse, StreamAccessLogsMessage),
        response_serializer=StreamAccessLogsResponse.SerializeToString,
    )
    service = "envoy.service.accesslog.v3.AccessLogService"
    return grpc.method_handlers_generic_handler(service, {"StreamAccessLogs": method})


def _refusal(entry: Any) -> Refusal:
    common, request, response = entry.common_properties, entry.request, entry.response
    noted = common.metadata.filter_metadata[names.METADATA]
    code, detail = explain(
        response.response_code_details,
        _text(noted.fields, names.REFUSAL),
        _text(noted.fields, names.REFUSAL_DETAIL),
    )
    sent = request.request_headers
    path = request.original_path or request.path or "-"
    return Refusal(
        method=sent.get(names.METHOD_HEADER) or sent.get(":method") or "-",
        path=path if len(path) <= _PATH_MAX else path[:_PATH_MAX] + "...",
        status=response.response_code.value,
        duration_ms=common.duration.ToMicroseconds() / 1000,
        code=code,
        detail=detail,
    )


def _text(fields: Any, key: str) -> str:
    return fields[key].string_value if key in fields else ""


def explain(details: str, code: str = "", detail: str = "") -> tuple[str, str]:
    """Return a code for why the proxy answered by itself, and it in words.

    `code`, `detail`: what the script has noted; `details`: how Envoy came to the status.
    """
    if code:
        return code, detail
    for start, (word, meaning) in _WORDS.items():
        if details.startswith(start):
            return word, f"{meaning} (proxy: {details})"
    return "Refused", f"proxy: {details}"


def _access_log() -> AccessLog:
    config = HttpGrpcAccessLogConfig(
        common_config={
            "log_name": "refusals",
            "transport_api_version": "V3",
            "grpc_service": {"envoy_grpc": {"cluster_name": CLUSTER}},
            "buffer_flush_interval": {"nanos": 50_000_000},
        },
        additional_request_headers_to_log=[":method", names.METHOD_HEADER],
    )
    status = {"default_value": 400, "runtime_key": "albatross.unused"}
    expression = ExpressionFilter(expression=_NOT_OWN)
    return AccessLog(
        **extension("envoy.access_loggers.http_grpc", config),
        filter={
            "and_filter": {
                "filters": [
                    {"status_code_filter": {"comparison": {"op": "GE", "value": status}}},
                    {
                        "extension_filter": extension(
                            "envoy.access_loggers.extension_filters.cel", expression
                        )
                    },
                ]
            }
        },
    )
