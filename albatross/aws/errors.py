"""Errors that the API answers with before or after an operation, and HTTP statuses no model lists.

Source: AWS, "Common errors" of the Query APIs; Lambda's answers to malformed calls.
"""

from albatross.model.errors import AwsError


class MissingAction(AwsError):
    code = "MissingAction"


class InvalidAction(AwsError):
    """An operation that the service's Query API does not have."""

    code = "InvalidAction"


class UnknownOperationException(AwsError):
    """A method and path that are no operation of the service's REST API."""

    code = "UnknownOperationException"


class MalformedQueryString(AwsError):
    code = "MalformedQueryString"


# AWS is silent: the code and text for a Query parameter of the wrong type are our own choice.
class MalformedInput(AwsError):
    """A parameter of the Query protocol that is not of its type."""

    code = "MalformedInput"


class SerializationException(AwsError):
    """A JSON document, header or path that cannot be read as what the operation takes."""

    code = "SerializationException"


class ValidationException(AwsError):
    """What the Query APIs call ValidationError, in the words of the REST APIs."""

    code = "ValidationException"


class IncompleteSignature(AwsError):
    code = "IncompleteSignature"


class UnsupportedMediaTypeException(AwsError):
    code = "UnsupportedMediaTypeException"


class RequestEntityTooLargeException(AwsError):
    code = "RequestEntityTooLargeException"


class InternalFailure(AwsError):
    code = "InternalFailure"


# Codes that are in no service model of ours. Any other code that no model lists is a 400.
STATUS = {
    "AccessDenied": 403,
    "IncompleteSignature": 400,
    "InternalFailure": 500,
    "InvalidAction": 400,
    "MalformedInput": 400,
    "MalformedQueryString": 400,
    "MissingAction": 400,
    "NotImplemented": 501,
    "RequestEntityTooLargeException": 413,
    "SerializationException": 400,
    "UnknownOperationException": 404,
    "UnsupportedCertificate": 400,
    "UnsupportedMediaTypeException": 415,
    "ValidationError": 400,
    "ValidationException": 400,
}
