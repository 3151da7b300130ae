"""Errors that a caller of the AWS API may see.

An `AwsError` subclass carries AWS's code. The HTTP status is not written here: `aws/` reads it
from botocore's service model, or from its own table for codes that no model lists.
A programmer's mistake is an `assert`, never an `AwsError`.
"""

from typing import ClassVar


class AwsError(Exception):
    """An error with an AWS code. The message is for the client.

    `details` are further members of the error document, for example Lambda's `Reason`.
    """

    code: ClassVar[str]

    def __init__(self, message: str, **details: str) -> None:
        super().__init__(message)
        self.message = message
        self.details = details


# Common to services


class ValidationError(AwsError):
    code = "ValidationError"


class AccessDenied(AwsError):
    code = "AccessDenied"


class ServiceUnavailable(AwsError):
    """Something that the server needs is away for now. Source: AWS, "Common errors"."""

    code = "ServiceUnavailable"


class NotImplementedHere(AwsError):
    """An operation or option that AWS has and this version does not."""

    code = "NotImplemented"


# elbv2


class LoadBalancerNotFound(AwsError):
    code = "LoadBalancerNotFound"


class ListenerNotFound(AwsError):
    code = "ListenerNotFound"


class RuleNotFound(AwsError):
    code = "RuleNotFound"


class TargetGroupNotFound(AwsError):
    code = "TargetGroupNotFound"


class DuplicateLoadBalancerName(AwsError):
    code = "DuplicateLoadBalancerName"


class DuplicateListener(AwsError):
    code = "DuplicateListener"


class DuplicateTargetGroupName(AwsError):
    code = "DuplicateTargetGroupName"


class DuplicateTagKeys(AwsError):
    code = "DuplicateTagKeys"


class PriorityInUse(AwsError):
    code = "PriorityInUse"


class ResourceInUse(AwsError):
    code = "ResourceInUse"


class OperationNotPermitted(AwsError):
    code = "OperationNotPermitted"


class InvalidConfigurationRequest(AwsError):
    code = "InvalidConfigurationRequest"


class InvalidLoadBalancerAction(AwsError):
    code = "InvalidLoadBalancerAction"


class InvalidSecurityGroup(AwsError):
    code = "InvalidSecurityGroup"


class InvalidTarget(AwsError):
    code = "InvalidTarget"


class TargetGroupAssociationLimit(AwsError):
    code = "TargetGroupAssociationLimit"


class TooManyLoadBalancers(AwsError):
    code = "TooManyLoadBalancers"


class TooManyListeners(AwsError):
    code = "TooManyListeners"


class TooManyRules(AwsError):
    code = "TooManyRules"


class TooManyTargetGroups(AwsError):
    code = "TooManyTargetGroups"


class TooManyUniqueTargetGroupsPerLoadBalancer(AwsError):
    code = "TooManyUniqueTargetGroupsPerLoadBalancer"


class IncompatibleProtocols(AwsError):
    code = "IncompatibleProtocols"


class TooManyTargets(AwsError):
    code = "TooManyTargets"


class TooManyRegistrationsForTargetId(AwsError):
    code = "TooManyRegistrationsForTargetId"


class TooManyActions(AwsError):
    code = "TooManyActions"


class TooManyTags(AwsError):
    code = "TooManyTags"


class TooManyCertificates(AwsError):
    code = "TooManyCertificates"


class CertificateNotFound(AwsError):
    code = "CertificateNotFound"


class UnsupportedCertificate(AwsError):
    code = "UnsupportedCertificate"


class SSLPolicyNotFound(AwsError):
    code = "SSLPolicyNotFound"


class TrustStoreNotFound(AwsError):
    code = "TrustStoreNotFound"


class TrustStoreInUse(AwsError):
    code = "TrustStoreInUse"


class DuplicateTrustStoreName(AwsError):
    code = "DuplicateTrustStoreName"


class TooManyTrustStores(AwsError):
    code = "TooManyTrustStores"


class TooManyTrustStoreRevocationEntries(AwsError):
    code = "TooManyTrustStoreRevocationEntries"


class CaCertificatesBundleNotFound(AwsError):
    code = "CaCertificatesBundleNotFound"


class InvalidCaCertificatesBundle(AwsError):
    code = "InvalidCaCertificatesBundle"


class RevocationContentNotFound(AwsError):
    code = "RevocationContentNotFound"


class InvalidRevocationContent(AwsError):
    code = "InvalidRevocationContent"


class RevocationIdNotFound(AwsError):
    code = "RevocationIdNotFound"


class AssociationNotFound(AwsError):
    code = "AssociationNotFound"


class DeleteAssociationSameAccount(AwsError):
    code = "DeleteAssociationSameAccount"


class ResourceNotFound(AwsError):
    code = "ResourceNotFound"


class CapacityUnitsLimitExceeded(AwsError):
    code = "CapacityUnitsLimitExceeded"


class CapacityDecreaseRequestLimitExceeded(AwsError):
    code = "CapacityDecreaseRequestLimitExceeded"


# lambda


class ResourceNotFoundException(AwsError):
    code = "ResourceNotFoundException"


class ResourceConflictException(AwsError):
    code = "ResourceConflictException"


class InvalidParameterValueException(AwsError):
    code = "InvalidParameterValueException"


class ValidationException(AwsError):
    code = "ValidationException"


class TooManyRequestsException(AwsError):
    """What is throttled. `reason` is one of botocore lambda's shape `ThrottleReason`."""

    code = "TooManyRequestsException"

    def __init__(self, reason: str) -> None:
        # AWS is silent: whoever is throttled may come again after 1 second (Retry-After).
        super().__init__("Rate Exceeded.", Reason=reason, Type="User", retryAfterSeconds="1")


class RequestTooLargeException(AwsError):
    code = "RequestTooLargeException"


class RequestEntityTooLargeException(AwsError):
    code = "RequestEntityTooLargeException"


class InvalidRequestContentException(AwsError):
    code = "InvalidRequestContentException"


class AccessDeniedException(AwsError):
    """A layer of another account, or an object of S3, that may not be read."""

    code = "AccessDeniedException"


class ProvisionedConcurrencyConfigNotFoundException(AwsError):
    code = "ProvisionedConcurrencyConfigNotFoundException"


class CodeSigningConfigNotFoundException(AwsError):
    code = "CodeSigningConfigNotFoundException"


class PolicyLengthExceededException(AwsError):
    code = "PolicyLengthExceededException"


class PreconditionFailedException(AwsError):
    code = "PreconditionFailedException"


class ServiceException(AwsError):
    code = "ServiceException"


# acm


class InvalidArnException(AwsError):
    code = "InvalidArnException"


class InvalidArgsException(AwsError):
    code = "InvalidArgsException"


class InvalidParameterException(AwsError):
    code = "InvalidParameterException"


class ResourceAlreadyExistsException(AwsError):
    """A log group or stream of that name is there."""

    code = "ResourceAlreadyExistsException"


class InvalidDomainValidationOptionsException(AwsError):
    code = "InvalidDomainValidationOptionsException"


class InvalidStateException(AwsError):
    code = "InvalidStateException"


class LimitExceededException(AwsError):
    code = "LimitExceededException"


class TooManyTagsException(AwsError):
    code = "TooManyTagsException"


class ResourceInUseException(AwsError):
    code = "ResourceInUseException"
