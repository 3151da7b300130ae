"""Requests from the proxy: each becomes an event, an invocation, and an HTTP response again."""

import base64
import time
from collections.abc import Set
from typing import Any

import orjson

from albatross.host import explain, trace
from albatross.host import response as responses
from albatross.host.deadline import Deadline
from albatross.host.event import (
    BODY_BYTES_MAX,
    METHOD_HEADER,
    STAND_IN_METHOD,
    TARGET_GROUP_HEADER,
    BadRequest,
    IncompatibleProtocol,
    Request,
    to_event,
)
from albatross.host.host import Host
from albatross.host.http import HttpConnection
from albatross.host.invocation import Invocation, Outcome
from albatross.host.pool import Pool
from albatross.host.response import Response
from albatross.host.view import TargetGroupView
from albatross.model.function import Function

_TARGET_GROUP = TARGET_GROUP_HEADER.encode()
_METHOD = METHOD_HEADER.encode()
_TRACE_ID = "x-amzn-trace-id"
# What has no error reason in AWS's access log; for `albatross run`, the log and debug headers.
NO_TARGET, DEREGISTERED = "NoRegisteredTarget", "TargetDeregistered"
IDLE_TIMEOUT, INCOMPATIBLE = "IdleTimeout", "IncompatibleProtocol"


class LambdaConnection(HttpConnection):
    """A connection of the proxy's. One request at a time; answered by callbacks, without a task."""

    body_bytes_max = BODY_BYTES_MAX

    def __init__(self, host: Host) -> None:
        super().__init__()
        self._host = host
        self._group: TargetGroupView | None = None
        self._invocation: Invocation | None = None
        self._event: dict[str, Any] = {}
        self._method = ""
        self._started_s = 0.0
        self._deadline = Deadline(self._overdue)
        host.callers.add(self)

    # HttpConnection

    def received(self) -> None:
        self._started_s = time.monotonic()
        self._event = {}
        self._method = self._real_method()
        self._group = group = self._target_group()
        if group is None or group.function_arn is None:
            detail = explain.without_target(group.arn if group else None)
            self._answer(responses.error_page(503, detail, code=NO_TARGET))
            return
        pool = self._host.find(group.function_arn)
        if pool is None:
            detail = explain.missing(group.function_arn)
            self._answer(responses.failure("LambdaResourceNotFound", detail))
            return
        if not group.may_invoke:
            detail = explain.denied(group.function_arn, group.arn)
            self._answer(responses.failure("LambdaAccessDenied", detail))
            return
        request = Request(self._method, self.target.decode("latin-1"), self.headers, self.body())
        try:
            self._event = to_event(request, group.arn, multi_value=group.multi_value)
        except BadRequest as error:
            self._answer(responses.failure("LambdaBadRequest", str(error)))
            return
        except IncompatibleProtocol:
            detail = "functions do not speak gRPC"
            self._answer(responses.error_page(464, detail, code=INCOMPATIBLE))
            return
        arn = group.function_arn
        invocation = Invocation(orjson.dumps(self._event), self._done, invoked_arn=arn)
        invocation.trace_id = trace.handed_on(_trace_header(self._event), invocation.id)
        self._invocation = invocation
        if group.idle_timeout_s is not None:
            self._deadline.set(self._started_s + group.idle_timeout_s)
        pool.submit(invocation)

    def too_large(self) -> None:
        self._started_s = time.monotonic()
        self._event = {}
        self._method = self._real_method()
        detail = f"body: expected at most {BODY_BYTES_MAX:,} bytes, found more"
        self._answer(responses.failure("LambdaRequestTooLarge", detail))

    def lost(self) -> None:
        self._host.callers.discard(self)
        self._invocation = None  # it goes on; its result has nowhere to go
        self._deadline.close()

    # Caller

    def deregistered(self, target_groups: Set[str]) -> None:
        invocation, group = self._invocation, self._group
        if invocation is None or group is None or group.arn not in target_groups:
            return
        self._invocation = None  # it goes on; its result has nowhere to go
        self._deadline.clear()
        # AWS is silent: the 5XX of a request whose function is deregistered meanwhile is a 502.
        detail = f"{group.function_arn} is no longer a target of {group.arn}"
        self._answer(responses.error_page(502, detail, code=DEREGISTERED), invocation)

    # Within

    def _target_group(self) -> TargetGroupView | None:
        for name, value in reversed(self.headers):  # the proxy adds its own last
            if name.lower() == _TARGET_GROUP:  # the proxy may write it in capitals
                return self._host.groups.get(value.decode("latin-1"))
        return None

    def _real_method(self) -> str:
        method = self.method
        if method == STAND_IN_METHOD and (real := self.header(_METHOD)):
            return real.decode("latin-1")
        return method

    # AWS is silent: an invocation that fails is not tried again.
    def _done(self, invocation: Invocation, outcome: Outcome) -> None:
        if invocation is not self._invocation:
            return  # too late: the client has its 504, or is gone
        self._invocation = None
        self._deadline.clear()
        assert self._group is not None
        if outcome.api_error is not None:
            reason = responses.from_error_type(outcome.api_error)
            response = responses.failure(reason, self._api_error(invocation, outcome))
        # AWS is silent: a function that times out, crashes or cannot start is logged as
        # LambdaUnhandled.
        elif outcome.function_error is not None:
            detail = explain.error(outcome.payload, self._function(invocation), invocation.log)
            response = responses.failure("LambdaUnhandled", detail)
        else:
            response = responses.from_result(outcome.payload, multi_value=self._group.multi_value)
        self._answer(response, invocation)

    def _api_error(self, invocation: Invocation, outcome: Outcome) -> str:
        reason = outcome.payload.decode()
        pool = self._pool(invocation)
        if outcome.api_error != "TooManyRequestsException" or pool is None:
            return f"{outcome.api_error} {reason}"
        limits = pool.allowance.reserved, pool.allowance.provisioned
        return f"{outcome.api_error} {explain.throttled(reason, *limits, pool.function)}"

    def _pool(self, invocation: Invocation) -> Pool | None:
        """Return the pool of the version that `invocation` has led to."""
        assert self._group is not None
        if self._group.function_arn is None:
            return None
        function_arn = ":".join(self._group.function_arn.split(":")[:7])
        return self._host.pool(f"{function_arn}:{invocation.version}")

    def _function(self, invocation: Invocation) -> Function | None:
        pool = self._pool(invocation)
        return pool.function if pool is not None else None

    def _answer(self, response: Response, invocation: Invocation | None = None) -> None:
        if response.detail is not None:
            self._explain(response)
        self.send(responses.encode(response, head=self._method == "HEAD"))
        if self._host.hub.wanted:
            self._tell(response, invocation)

    def _explain(self, response: Response) -> None:
        """Say why, where that is wanted: in the log, and in headers."""
        code, detail = response.code, response.detail or ""
        if self._host.failures is not None:
            path = self.target.decode("latin-1")
            self._host.failures.tell(self._method, path, response.status, code, detail)
        if self._host.debug_headers:
            lines = {responses.REASON_HEADER: code, responses.DETAIL_HEADER: detail}
            for name, text in lines.items():
                if text:
                    response.headers.append((name, explain.header_value(text)))

    def _tell(self, response: Response, invocation: Invocation | None) -> None:
        self._host.hub.request(
            *(self._method, self.target, response, invocation),
            function_arn=self._group.function_arn if self._group else None,
            started_s=self._started_s,
            event=self._event,
            response=_shown(response),
        )

    def _overdue(self) -> None:
        if self._invocation is None:
            return
        invocation, self._invocation = self._invocation, None
        # differs from AWS: the idle timeout ends a request with 504 while the function goes on;
        # AWS's guide says that the load balancer waits for the function. The setting
        # `lambda_idle_timeout = "ignore"` does as the guide says.
        # AWS is silent: the client's connection stays open after that, and while a function runs.
        timeout_s = self._group.idle_timeout_s if self._group else None
        detail = (
            f"the idle timeout of the load balancer, {timeout_s:g} s, has passed; the function "
            "goes on; longer: aws elbv2 modify-load-balancer-attributes --attributes "
            "Key=idle_timeout.timeout_seconds,Value=SECONDS"
        )
        self._answer(responses.error_page(504, detail, code=IDLE_TIMEOUT), invocation)


def _trace_header(event: dict[str, Any]) -> str:
    headers = event.get("headers")
    if headers is not None:
        value: str = headers.get(_TRACE_ID, "")
    else:
        value = event["multiValueHeaders"].get(_TRACE_ID, ("",))[-1]
    return value


def _shown(response: Response) -> dict[str, object]:
    try:
        body, is_base64 = response.body.decode(), False
    except UnicodeDecodeError:
        body, is_base64 = base64.b64encode(response.body).decode(), True
    return {
        "statusCode": response.status,
        "headers": response.headers,
        "body": body,
        "isBase64Encoded": is_base64,
    }
