"""From a request to an operation and its checked parameters, from its result to the answer.

All of it is driven by botocore's service models: what is named here is named for its size.
"""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from botocore.model import OperationModel

from albatross.aws import json_rpc, query, rest_json
from albatross.aws.errors import (
    InvalidAction,
    MissingAction,
    RequestEntityTooLargeException,
    UnknownOperationException,
    UnsupportedMediaTypeException,
    ValidationException,
)
from albatross.aws.http import Request, Response
from albatross.aws.service import SERVICES, Service, service
from albatross.aws.validate import validate
from albatross.model.errors import AwsError, InvalidParameterException
from albatross.model.leniency import Leniency

# AWS is silent: a request that uploads no code may have a body of at most 10 MiB.
BODY_BYTES_MAX = 10 * 1024 * 1024
# A zip archive of 50 MB in Base64 with the rest of the document; the number AWS names in its error.
UPLOAD_BYTES_MAX = 70_167_211
_UPLOADS = frozenset({"CreateFunction", "UpdateFunctionCode", "PublishLayerVersion"})
_REST_PATH = re.compile(r"/20[0-9]{2}-[0-9]{2}-[0-9]{2}/")
_NO_VERSION = "NO_VERSION_SPECIFIED"  # as AWS's message calls it
_FORM = "application/x-www-form-urlencoded"
# Prefix of X-Amz-Target -> signing name.
_TARGETS = {"CertificateManager": "acm", "Logs_20140328": "logs"}


@dataclass(frozen=True, slots=True)
class Call:
    """An operation of a service's model and its parameters, both as the model names them."""

    operation: OperationModel
    params: dict[str, Any]


@cache
def _router() -> rest_json.Router:
    return rest_json.Router(service("lambda"))


def is_rest(request: Request) -> bool:
    """Tell whether the path is one of a REST API: it begins with a version."""
    return _REST_PATH.match(request.path) is not None


def guess_service(request: Request, fields: Mapping[str, str]) -> str | None:
    """Return the signing name of the service that an unsigned request is for, or None.

    By the path of Lambda's REST API, by X-Amz-Target, else by the Action and Version of a form.
    """
    if is_rest(request):
        return "lambda"
    prefix, _ = json_rpc.target(request)
    if prefix:
        return _TARGETS.get(prefix)
    for name in ("elasticloadbalancing", "sts"):
        model = service(name).model
        is_version = fields.get("Version", model.api_version) == model.api_version
        if is_version and fields.get("Action") in model.operation_names:
            return name
    return None


def body_bytes_max(name: str | None, request: Request) -> int:
    """Return how large the body of a request may be; `request` may still be without its body."""
    if name is None and is_rest(request):
        name = "lambda"
    if name == "lambda":
        route = _router().find(request)
        if route is not None and route.operation.name in _UPLOADS:
            return UPLOAD_BYTES_MAX
    return BODY_BYTES_MAX


def too_large(limit: int, request: Request) -> RequestEntityTooLargeException:
    route = _router().find(request) if is_rest(request) else None
    where = f" for the {route.operation.name} operation" if route is not None else ""
    return RequestEntityTooLargeException(f"Request must be smaller than {limit} bytes{where}")


def fields_of(request: Request) -> dict[str, str]:
    """Return the fields of the query string and of the body where that is a form."""
    fields = query.form(request.query)
    if _content_type(request) in ("", _FORM) and not is_rest(request):
        fields |= query.form(request.body)
    return fields


def parse(
    target: Service, request: Request, lenient: Collection[Leniency] = frozenset(Leniency)
) -> Call:
    """Return the checked call that `request` makes. `lenient`: what is taken though AWS refuses it.

    Raises an AwsError for whatever is wrong with it: nothing a client sends raises anything else.
    """
    match target.protocol:
        case "query":
            fields = fields_of(request)
            operation = _action(target, request, fields, lenient)
            params = query.parse(operation, fields)
        case "json":
            operation = _targeted(target, request)
            params = json_rpc.parse(operation, request)
        case _:
            route = _route(target, request)
            operation = route.operation
            params = rest_json.parse(route, request)
    try:
        validate(operation.input_shape, params, is_query=target.is_query)
    except ValidationException as error:
        if target.name == "logs":  # which has a code of its own for this
            raise InvalidParameterException(error.message) from None
        raise
    return Call(operation, params)


def _route(target: Service, request: Request) -> rest_json.Route:
    route = _router().find(request)
    if route is None:
        raise UnknownOperationException(
            f"{request.method} {request.path[:256]} is no operation of the "
            f"{target.model.service_name} API"
        )
    return route


def _targeted(target: Service, request: Request) -> OperationModel:
    prefix, name = json_rpc.target(request)
    if prefix != target.model.metadata["targetPrefix"] or name not in target.model.operation_names:
        raise UnknownOperationException(
            f"X-Amz-Target '{prefix[:128]}.{name[:128]}' is no operation of the "
            f"{target.model.service_name} API"
        )
    return target.operation(name)


def _action(
    target: Service, request: Request, fields: Mapping[str, str], lenient: Collection[Leniency]
) -> OperationModel:
    sent_as = _content_type(request)
    if request.body and sent_as not in ("", _FORM):
        raise UnsupportedMediaTypeException(
            f"The {target.model.service_name} API takes {_FORM}, not {sent_as[:128]}"
        )
    action = fields.get("Action")
    # differs from AWS: a Query request without Version is taken to be of the current one, but with
    # the setting `strict`.
    is_lenient = Leniency.MISSING_VERSION in lenient
    version = fields.get("Version", target.model.api_version if is_lenient else _NO_VERSION)
    if action is None:
        raise MissingAction("The request must contain the parameter Action")
    if version != target.model.api_version or action not in target.model.operation_names:
        raise InvalidAction(f"Could not find operation {action[:128]} for version {version[:32]}")
    return target.operation(action)


def _content_type(request: Request) -> str:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def answer(
    target: Service, call: Call, result: dict[str, Any], status: int | None, request_id: str
) -> Response:
    """Return the answer for what an operation returned; `status` where it is not the model's."""
    match target.protocol:
        case "query":
            body = query.serialize(call.operation, result, request_id)
            return Response(status or 200, {"Content-Type": "text/xml"}, body)
        case "json":
            return json_rpc.serialize(target, call.operation, result)
        case _:
            return rest_json.serialize(call.operation, result, status)


def answer_error(target: Service, error: AwsError, request_id: str) -> Response:
    """Return the answer for `error`, in the form and with the status of the service."""
    status = target.status(error.code)
    match target.protocol:
        case "query":
            namespace = target.model.metadata["xmlNamespace"]
            body = query.serialize_error(namespace, error.code, error.message, status, request_id)
            return Response(status, {"Content-Type": "text/xml"}, body)
        case "json":
            return json_rpc.serialize_error(target, error.code, error.message, status)
        case _:
            return rest_json.serialize_error(
                target, error.code, error.message, status, error.details
            )


def is_known(name: str | None) -> bool:
    return name in SERVICES
