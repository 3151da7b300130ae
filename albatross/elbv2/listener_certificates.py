"""The certificates of HTTPS listeners. Source: elbv2 API, `AddListenerCertificates` and its
relatives; ALB user guide, "SSL certificates".
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from albatross.elbv2 import lookup, security, wire
from albatross.elbv2.limits import quota
from albatross.elbv2.pagination import page
from albatross.model import quotas
from albatross.model.errors import OperationNotPermitted, TooManyCertificates, ValidationError
from albatross.model.listener import Listener

if TYPE_CHECKING:
    from albatross.store.transaction import Transaction


def add_listener_certificates(tx: "Transaction", params: Mapping[str, Any]) -> wire.Document:
    """AddListenerCertificates: one a call; one that is there already changes nothing.

    Raises ListenerNotFound, CertificateNotFound, UnsupportedCertificate, TooManyCertificates,
    ValidationError.
    """
    listener = _https_listener(tx, params)
    arn = security.certificate(tx, params["Certificates"])
    listed = listener.certificates[1:]
    if arn not in listed:
        _check_number(tx, listener)
        tx.put(replace(listener, certificates=(*listener.certificates, arn)))
    return {"Certificates": [{"CertificateArn": arn, "IsDefault": False}]}


def remove_listener_certificates(tx: "Transaction", params: Mapping[str, Any]) -> wire.Document:
    """RemoveListenerCertificates: one that is not there is no error.

    Raises ListenerNotFound, OperationNotPermitted for the default certificate, ValidationError.
    """
    listener = _https_listener(tx, params)
    default, *listed = listener.certificates
    gone = security.only_certificate(params["Certificates"])
    if gone == default and gone not in listed:
        raise OperationNotPermitted("The default certificate of a listener cannot be removed")
    kept = (arn for arn in listed if arn != gone)
    tx.put(replace(listener, certificates=(default, *kept)))
    return {}


def describe_listener_certificates(tx: "Transaction", params: Mapping[str, Any]) -> wire.Document:
    """DescribeListenerCertificates: the list, then the default one, so it may be shown twice.

    Raises ListenerNotFound, ValidationError.
    """
    listener = lookup.by_arn(tx, Listener, params["ListenerArn"])
    every = [
        {"CertificateArn": arn, "IsDefault": position == 0}
        for position, arn in enumerate(listener.certificates)
    ]
    shown, marker = page(
        every,
        params,
        key=lambda one: f"{one['IsDefault']:d} {one['CertificateArn']}",
        of="certificates",
    )
    return {"Certificates": shown, **marker}


def _https_listener(tx: "Transaction", params: Mapping[str, Any]) -> Listener:
    listener = lookup.by_arn(tx, Listener, params["ListenerArn"])
    if listener.protocol != "HTTPS":
        raise ValidationError("A certificate cannot be specified for HTTP listeners")
    return listener


def _check_number(tx: "Transaction", listener: Listener) -> None:
    balancer = listener.load_balancer_arn
    listeners = tx.list(Listener, parent=balancer)
    most = quota(tx, quotas.CERTIFICATES)
    # AWS is silent: a certificate counts once for each listener that has it in its list.
    if sum(len(each.certificates[1:]) for each in listeners) >= most:
        raise TooManyCertificates(
            f"Load balancer '{balancer}' has reached the limit of '{most}' certificates"
        )
