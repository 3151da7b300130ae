"""Errors that the API answers with before or after an operation, and HTTP statuses no model lists.

Source: AWS, "Common errors" of the Query APIs; Lambda's answers to malformed calls.
"""

from enum import Enum, auto

from albatross.model.errors import AwsError, ServiceUnavailable


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


class IncompleteSignatureException(AwsError):
    code = "IncompleteSignatureException"


class MissingAuthenticationToken(AwsError):
    code = "MissingAuthenticationToken"


class MissingAuthenticationTokenException(AwsError):
    code = "MissingAuthenticationTokenException"


class InvalidClientTokenId(AwsError):
    """An access key id or session token that the server does not know."""

    code = "InvalidClientTokenId"


class UnrecognizedClientException(AwsError):
    """What the Query APIs call InvalidClientTokenId."""

    code = "UnrecognizedClientException"


class SignatureDoesNotMatch(AwsError):
    code = "SignatureDoesNotMatch"


class InvalidSignatureException(AwsError):
    """What the Query APIs call SignatureDoesNotMatch."""

    code = "InvalidSignatureException"


class ServiceUnavailableException(AwsError):
    code = "ServiceUnavailableException"


class UnsupportedMediaTypeException(AwsError):
    code = "UnsupportedMediaTypeException"


class RequestEntityTooLargeException(AwsError):
    code = "RequestEntityTooLargeException"


class InternalFailure(AwsError):
    code = "InternalFailure"


class Problem(Enum):
    """Why a signature is not accepted. What that is called depends on the service's protocol."""

    MISSING = auto()
    INCOMPLETE = auto()
    UNKNOWN_KEY = auto()
    MISMATCH = auto()
    UNAVAILABLE = auto()  # the server's fault


# The error of the Query protocol, and that of the JSON protocols.
_REFUSALS: dict[Problem, tuple[type[AwsError], type[AwsError]]] = {
    Problem.MISSING: (MissingAuthenticationToken, MissingAuthenticationTokenException),
    Problem.INCOMPLETE: (IncompleteSignature, IncompleteSignatureException),
    Problem.UNKNOWN_KEY: (InvalidClientTokenId, UnrecognizedClientException),
    Problem.MISMATCH: (SignatureDoesNotMatch, InvalidSignatureException),
    Problem.UNAVAILABLE: (ServiceUnavailable, ServiceUnavailableException),
}


class Refused(Exception):
    """A signature is not accepted."""

    def __init__(self, problem: Problem, message: str) -> None:
        super().__init__(message)
        self._problem = problem
        self._message = message

    def error(self, protocol: str) -> AwsError:
        """Return the error with which a service of `protocol` (query, json, rest-json) answers."""
        in_query, in_json = _REFUSALS[self._problem]
        return (in_query if protocol == "query" else in_json)(self._message)


# The JSON protocol has no other status for these than 400.
SIGNATURE_CODES = frozenset(
    in_json.code
    for problem, (_, in_json) in _REFUSALS.items()
    if problem is not Problem.UNAVAILABLE
)

# Codes that are in no service model of ours. Any other code that no model lists is a 400.
STATUS = {
    "AccessDenied": 403,
    "AccessDeniedException": 403,
    "IncompleteSignature": 400,
    "IncompleteSignatureException": 403,
    "InternalFailure": 500,
    "InvalidAction": 400,
    "InvalidClientTokenId": 403,
    "InvalidSignatureException": 403,
    "MalformedInput": 400,
    "MalformedQueryString": 400,
    "MissingAction": 400,
    "MissingAuthenticationToken": 403,
    "MissingAuthenticationTokenException": 403,
    "NotImplemented": 501,
    "RequestEntityTooLargeException": 413,
    "SerializationException": 400,
    "ServiceUnavailable": 503,
    "ServiceUnavailableException": 503,
    "SignatureDoesNotMatch": 403,
    "UnknownOperationException": 404,
    "UnrecognizedClientException": 403,
    "UnsupportedCertificate": 400,
    "UnsupportedMediaTypeException": 415,
    "ValidationError": 400,
    "ValidationException": 400,
}
