"""Each codec against botocore's opposite one, for every operation of the service models."""

import re
from datetime import UTC, datetime
from urllib.parse import urlencode, urlsplit

import pytest
from botocore.model import ListShape, MapShape, StructureShape
from botocore.parsers import create_parser
from botocore.serialize import create_serializer

from albatross.aws import json_rpc, protocol, query, rest_json, validate
from albatross.aws.http import Request
from albatross.aws.service import SERVICES, service

NOW = datetime(2026, 7, 10, 12, 30, 1, 250000, tzinfo=UTC)
ODD_TEXT = "a b&c=<é>\"'+%/?#\u2028\U0001f986"
QUERY = [
    pytest.param(name, operation, id=f"{name} {operation}")
    for name in ("elasticloadbalancing", "sts")
    for operation in service(name).model.operation_names
]
# Event streams are answered otherwise and are not here.
REST = [
    pytest.param(operation, id=operation)
    for operation in service("lambda").model.operation_names
    if not service("lambda").operation(operation).has_event_stream_output
]


JSON = [pytest.param(operation, id=operation) for operation in service("acm").model.operation_names]


def sample(shape, in_path=False, depth=0):
    """Return a value of `shape` with every member set, or one of a union, recursion cut off."""
    match shape:
        case StructureShape() if shape.is_tagged_union:
            name, member = next(iter(shape.members.items()))
            return {name: sample(member, in_path, depth + 1)} if depth < 8 else {}
        case StructureShape():
            return {
                name: sample(member, member.serialization.get("location") is not None, depth + 1)
                for name, member in shape.members.items()
                if depth < 8
            }
        case ListShape():
            return [sample(shape.member, in_path, depth + 1) for _ in range(12 if depth < 4 else 2)]
        case MapShape():
            return {"key": sample(shape.value, in_path, depth + 1)}
    match shape.type_name:
        case "string":
            return (shape.enum or ["plain:text" if in_path else ODD_TEXT])[0]
        case "integer" | "long":
            return 7
        case "boolean":
            return True
        case "float" | "double":
            return 1.5
        case "timestamp":
            return NOW
        case "blob":
            return b"\x00\xff bytes"
    raise AssertionError(shape.type_name)


def sample_of(shape):
    return {} if shape is None else sample(shape)


@pytest.mark.parametrize(("name", "operation_name"), QUERY)
def test_a_form_of_botocore_is_read_as_what_it_was_made_of(name, operation_name):
    operation = service(name).operation(operation_name)
    params = sample_of(operation.input_shape)
    sent = create_serializer("query", include_validation=False).serialize_to_request(
        params, operation
    )
    assert query.parse(operation, query.form(urlencode(sent["body"]).encode())) == params


@pytest.mark.parametrize(("name", "operation_name"), QUERY)
def test_an_answer_in_xml_is_read_by_botocore_as_what_it_was_made_of(name, operation_name):
    operation = service(name).operation(operation_name)
    result = sample_of(operation.output_shape)
    body = query.serialize(operation, result, "id-1")
    answer = {"body": body, "headers": {}, "status_code": 200, "context": {}}
    parsed = create_parser("query").parse(answer, operation.output_shape)
    assert parsed.pop("ResponseMetadata")["RequestId"] == "id-1"
    assert parsed == result


@pytest.mark.parametrize("operation_name", REST)
def test_a_rest_request_of_botocore_is_read_as_what_it_was_made_of(operation_name):
    operation = service("lambda").operation(operation_name)
    params = sample_of(operation.input_shape)
    sent = create_serializer("rest-json", include_validation=False).serialize_to_request(
        params, operation
    )
    path = urlsplit(sent["url_path"])
    parameters = [*sent["query_string"].items(), *map(_pair, filter(None, path.query.split("&")))]
    body = sent["body"]
    request = Request(
        sent["method"],
        path.path,
        urlencode(parameters, doseq=True),
        {name.lower(): _header(value) for name, value in sent["headers"].items()},
        body.encode() if isinstance(body, str) else body,
    )
    route = rest_json.Router(service("lambda")).find(request)
    assert route is not None
    assert route.operation.name == operation_name
    assert _bools_are_text(rest_json.parse(route, request)) == _bools_are_text(params)


def _pair(text):
    name, _, value = text.partition("=")
    return name, value


def _header(value):
    return value if isinstance(value, str) else str(value)


def _bools_are_text(params):
    """In a query string botocore writes True as `True` or `true`, by version: both are read."""
    return {name: str(value) if value is True else value for name, value in params.items()}


@pytest.mark.parametrize("operation_name", REST)
def test_an_answer_in_json_is_read_by_botocore_as_what_it_was_made_of(operation_name):
    operation = service("lambda").operation(operation_name)
    result = sample_of(operation.output_shape)
    for name, member in operation.output_shape.members.items() if operation.output_shape else ():
        if member.serialization.get("location") == "statusCode":
            result[name] = 200
    if operation_name == "Invoke":
        result["Payload"] = ODD_TEXT.encode()  # botocore's parser reads it as text first
    response = rest_json.serialize(operation, result, None)
    if response.status == 204:
        assert response.body == b""
        return
    answer = {
        "body": response.body,
        "headers": _Insensitive(response.headers),
        "status_code": response.status,
        "context": {},
    }
    parsed = create_parser("rest-json").parse(answer, operation.output_shape)
    del parsed["ResponseMetadata"]
    if operation_name == "Invoke":
        parsed["Payload"] = parsed["Payload"].encode()
    assert parsed == result


@pytest.mark.parametrize("operation_name", JSON)
def test_a_json_request_of_botocore_is_read_as_what_it_was_made_of(operation_name):
    operation = service("acm").operation(operation_name)
    params = sample_of(operation.input_shape)
    sent = create_serializer("json", include_validation=False).serialize_to_request(
        params, operation
    )
    headers = {name.lower(): value for name, value in sent["headers"].items()}
    request = Request(sent["method"], sent["url_path"], "", headers, sent["body"])
    assert json_rpc.target(request) == ("CertificateManager", operation_name)
    assert json_rpc.parse(operation, request) == params
    assert protocol.guess_service(request, {}) == "acm"


@pytest.mark.parametrize("operation_name", JSON)
def test_an_answer_in_json_rpc_is_read_by_botocore_as_what_it_was_made_of(operation_name):
    operation = service("acm").operation(operation_name)
    result = sample_of(operation.output_shape)
    response = json_rpc.serialize(service("acm"), operation, result)
    assert response.headers["Content-Type"] == "application/x-amz-json-1.1"
    answer = {"body": response.body, "headers": {}, "status_code": 200, "context": {}}
    parsed = create_parser("json").parse(answer, operation.output_shape)
    parsed.pop("ResponseMetadata", None)
    assert parsed == result


@pytest.mark.parametrize(
    ("code", "status"),
    [
        pytest.param("ResourceNotFoundException", 400, id="the client's fault"),
        pytest.param("NotImplemented", 501, id="common"),
    ],
)
def test_an_error_in_json_rpc_is_read_by_botocore(code, status):
    assert service("acm").status(code) == status
    response = json_rpc.serialize_error(service("acm"), code, "why", status)
    answer = {"body": response.body, "headers": {}, "status_code": status, "context": {}}
    parsed = create_parser("json").parse(answer, None)
    assert parsed["Error"] == {"Code": code, "Message": "why"}


class _Insensitive(dict):
    """Header names in any case, as botocore's HTTP session gives them."""

    def __init__(self, headers):
        super().__init__({name.lower(): value for name, value in headers.items()})

    def get(self, name, default=None):
        return super().get(name.lower(), default)

    def __getitem__(self, name):
        return super().__getitem__(name.lower())

    def __contains__(self, name):
        return super().__contains__(name.lower())


@pytest.mark.parametrize("name", SERVICES)
def test_every_pattern_of_the_model_can_be_checked(name):
    description = service(name).model._service_description
    for shape in description["shapes"].values():
        if "pattern" in shape:
            assert isinstance(validate.pattern(shape["pattern"]), re.Pattern)


def test_no_service_model_keeps_its_documentation():
    assert (
        "documentation"
        not in service("sts").operation("AssumeRole").input_shape.members["RoleArn"].metadata
    )
    assert service("sts").operation("AssumeRole").documentation == ""


def test_only_uploads_of_code_may_be_large():
    def limit(method, path):
        return protocol.body_bytes_max("lambda", Request(method, path))

    assert limit("POST", "/2015-03-31/functions") == protocol.UPLOAD_BYTES_MAX
    assert limit("PUT", "/2015-03-31/functions/f/code") == protocol.UPLOAD_BYTES_MAX
    assert limit("PUT", "/2015-03-31/functions/f/configuration") == protocol.BODY_BYTES_MAX
    assert protocol.body_bytes_max("sts", Request("POST", "/")) == protocol.BODY_BYTES_MAX
