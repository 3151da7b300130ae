"""What Envoy notes of requests for the access logs: one file for all listeners.

A listener's log is switched by Envoy's runtime, so that turning it on or off drains no connection.
"""

from collections.abc import Iterable
from typing import assert_never

from envoy.config.accesslog.v3.accesslog_pb2 import AccessLog
from envoy.extensions.access_loggers.file.v3.file_pb2 import FileAccessLog
from envoy.extensions.filters.http.header_to_metadata.v3.header_to_metadata_pb2 import (
    Config as HeaderToMetadata,
)
from envoy.service.runtime.v3.rtds_pb2 import Runtime

from albatross.model import attributes
from albatross.model.request_record import ABSENT, SEPARATOR, Choice, Entrance, Record
from albatross.model.rule import Action, FixedResponse, Forward, Redirect, Rule
from albatross.xds import names
from albatross.xds.packing import extension
from albatross.xds.tenant import Door, Tenant

_OF_TLS = dict.fromkeys(
    (
        "tls_cipher",
        "tls_version",
        "server_name",
        "certificate",
        "certificate_names",
        "content_type",
    ),
    ABSENT,
)
_DAY = "%Y-%m-%dT%H:%M:%S"


def to_access_log(path: str, socket: str, oldest: Door) -> AccessLog:
    """Return the log of the listener `socket`, written to the file `path` while it is on."""
    line = SEPARATOR.join(_operators(_entrance(oldest)))
    log = FileAccessLog(
        path=path, log_format={"text_format_source": {"inline_string": f"{line}\n"}}
    )
    return AccessLog(
        **extension("envoy.access_loggers.file", log),
        filter={
            "runtime_filter": {
                "runtime_key": _switch(socket),
                "percent_sampled": {"numerator": 0},
                "use_independent_randomness": True,
            }
        },
    )


def to_runtime(logged: Iterable[str]) -> Runtime:
    """Return the switches of the logs: on for the sockets `logged`."""
    runtime = Runtime(name=names.RUNTIME)
    for socket in logged:
        runtime.layer[_switch(socket)] = 100  # percent
    return runtime


def choice(tenant: Tenant, rule: Rule, action: Action) -> Choice:
    """Return what the access log says of `rule`, in a route that does `action`."""
    target_groups = action.target_group_arns if isinstance(action, Forward) else ()
    return Choice(
        load_balancer=tenant.balancer.arn,
        protocol=tenant.listener.protocol.lower(),
        port=str(tenant.listener.port),
        priority=str(rule.priority or 0),
        actions=_actions(rule),
        target_group=target_groups[0] if len(target_groups) == 1 else ABSENT,
    )


def _actions(rule: Rule) -> str:
    match rule.action:
        case Forward():
            # AWS is silent: a rule with transforms is logged with the actions `rewrite,forward`.
            return "rewrite,forward" if rule.transforms else "forward"
        case Redirect():
            return "redirect"
        case FixedResponse():
            return "fixed-response"
        case _:
            assert_never(rule.action)


def error_reasons() -> HeaderToMetadata:
    """Return the filter that takes the Lambda host's error reason off a response, for the log."""
    metadata = {"metadata_namespace": names.METADATA, "key": names.ERROR, "type": "STRING"}
    rule = {"header": names.ERROR_HEADER, "on_header_present": metadata, "remove": True}
    return HeaderToMetadata(response_rules=[rule])


def _switch(socket: str) -> str:
    return f"albatross.access_log.{socket}"


def is_on(tenant: Tenant) -> bool:
    """Tell whether the load balancer has its log on; where one of a socket has, that is logged."""
    return attributes.get(tenant.balancer, "access_logs.s3.enabled") == "true"


def _entrance(oldest: Door) -> Entrance:
    return Entrance(
        load_balancer=oldest.balancer.arn,
        dns_name=oldest.balancer.dns_name,
        protocol=oldest.listener.protocol.lower(),
        port=str(oldest.listener.port),
    )


def _operators(entrance: Entrance) -> Record:
    """Return what Envoy puts in place of each field of a record."""
    record = Record(
        entrance=entrance.text(),
        choice="%ROUTE_NAME%",
        logged_at=f"%EMIT_TIME({_DAY}.%6fZ)%",
        started_at=f"%START_TIME({_DAY}.%3f)%",
        client="%DOWNSTREAM_DIRECT_REMOTE_ADDRESS%",
        node="%DOWNSTREAM_LOCAL_ADDRESS_WITHOUT_PORT%",
        connection="%CONNECTION_ID%",
        target="%UPSTREAM_HOST%",
        received_us=_since_start("DS_RX_END"),
        sent_us=_since_start("US_TX_BEG"),
        sent_all_us=_since_start("US_TX_END"),
        answered_us=_since_start("US_RX_BEG"),
        answering_us=_since_start("DS_TX_BEG"),
        status="%RESPONSE_CODE%",
        flags="%RESPONSE_FLAGS%",
        details="%RESPONSE_CODE_DETAILS%",
        received_bytes="%DOWNSTREAM_WIRE_BYTES_RECEIVED%",
        sent_bytes="%DOWNSTREAM_WIRE_BYTES_SENT%",
        method=f"%REQ({names.METHOD_HEADER}?:METHOD)%",
        host="%REQ(:AUTHORITY)%",
        path="%REQ(:PATH)%",
        version="%PROTOCOL%",
        upgrade="%REQ(UPGRADE)%",
        content_type="%REQ(CONTENT-TYPE)%",
        classification=_noted(names.CLASSIFICATION),
        user_agent="%REQ(USER-AGENT):8192%",
        tls_cipher="%DOWNSTREAM_TLS_CIPHER%",
        tls_version="%DOWNSTREAM_TLS_VERSION%",
        server_name="%REQUESTED_SERVER_NAME%",
        certificate="%FILTER_CHAIN_NAME%",
        certificate_names="%DOWNSTREAM_LOCAL_DNS_SAN%",
        trace_id="%REQ(X-AMZN-TRACE-ID)%",
        location="%RESP(LOCATION)%",
        error=_noted(names.ERROR),
        original_host=_noted(names.ORIGINAL_HOST),
        original_path=_noted(names.ORIGINAL_PATH),
        transform_status=_noted(names.TRANSFORM_STATUS),
    )
    # What connections without TLS have not need not be looked for; nor what tells gRPC in HTTP/2.
    return record if entrance.protocol == "https" else record._replace(**_OF_TLS)


def _since_start(point: str) -> str:
    return f"%COMMON_DURATION(DS_RX_BEG:{point}:us)%"


def _noted(key: str) -> str:
    return f"%DYNAMIC_METADATA({names.METADATA}:{key})%"
