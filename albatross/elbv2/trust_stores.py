"""Trust stores. Source: elbv2 API, `CreateTrustStore` and its relatives.

What they hold has been read from S3 and checked (trust_content.py) before these functions run.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from albatross.elbv2 import lookup, tags, wire
from albatross.elbv2.limits import quota
from albatross.elbv2.pagination import page
from albatross.model import arn as arns
from albatross.model import quotas
from albatross.model.errors import (
    AssociationNotFound,
    DeleteAssociationSameAccount,
    DuplicateTrustStoreName,
    InvalidCaCertificatesBundle,
    RevocationIdNotFound,
    TooManyTrustStoreRevocationEntries,
    TooManyTrustStores,
    TrustStoreInUse,
    ValidationError,
)
from albatross.model.listener import Listener
from albatross.model.trust_store import RevocationList, TrustStore

if TYPE_CHECKING:
    from albatross.elbv2.trust_content import Bundle, Revocations
    from albatross.store.transaction import Transaction


def create_trust_store(
    tx: "Transaction", params: Mapping[str, Any], bundle: "Bundle"
) -> wire.Document:
    """CreateTrustStore. Raises DuplicateTrustStoreName, TooManyTrustStores,
    InvalidCaCertificatesBundle, and as tags do.
    """
    name, new_tags = params["Name"], tags.from_params(params)
    if tx.list(TrustStore, name=name):
        raise DuplicateTrustStoreName(f"A trust store with the name '{name}' already exists")
    if len(tx.list(TrustStore)) >= (most := quota(tx, quotas.TRUST_STORES)):
        raise TooManyTrustStores(f"The limit of '{most}' trust stores has been reached")
    _check_authorities(tx, bundle)
    store = TrustStore(
        arn=arns.trust_store(tx.scope, name, tx.new_id()),
        name=name,
        bundle=bundle.content,
        subjects=bundle.subjects,
    )
    tx.put(store)
    tx.put_tags(store.arn, new_tags)
    return {"TrustStores": [wire.from_trust_store(store)]}


def modify_trust_store(
    tx: "Transaction", params: Mapping[str, Any], bundle: "Bundle"
) -> wire.Document:
    """ModifyTrustStore: another bundle.

    Raises TrustStoreNotFound, InvalidCaCertificatesBundle, ValidationError.
    """
    store = lookup.by_arn(tx, TrustStore, params["TrustStoreArn"])
    _check_authorities(tx, bundle)
    changed = replace(store, bundle=bundle.content, subjects=bundle.subjects)
    tx.put(changed)
    return {"TrustStores": [wire.from_trust_store(changed)]}


def delete_trust_store(tx: "Transaction", params: Mapping[str, Any]) -> wire.Document:
    """DeleteTrustStore. Raises TrustStoreNotFound, TrustStoreInUse, ValidationError."""
    store = lookup.by_arn(tx, TrustStore, params["TrustStoreArn"])
    if _users(tx, store):
        raise TrustStoreInUse(f"Trust store '{store.arn}' is currently in use by a listener")
    tx.delete(store.arn)
    return {}


def describe_trust_stores(tx: "Transaction", params: Mapping[str, Any]) -> wire.Document:
    """DescribeTrustStores: all, or by ARN or name. Raises TrustStoreNotFound, ValidationError."""
    wanted_arns, wanted_names = params.get("TrustStoreArns"), params.get("Names")
    if wanted_arns and wanted_names:
        raise ValidationError("Trust store ARNs and names cannot be specified at the same time")
    if wanted_arns:
        stores = lookup.by_arns(tx, TrustStore, wanted_arns)
    elif wanted_names:
        stores = lookup.by_names(tx, TrustStore, wanted_names)
    else:
        stores = tx.list(TrustStore)
    shown, marker = page(stores, params, key=lambda store: store.arn, of="trust stores")
    return {"TrustStores": [wire.from_trust_store(store) for store in shown], **marker}


def describe_trust_store_associations(
    tx: "Transaction", params: Mapping[str, Any]
) -> wire.Document:
    """DescribeTrustStoreAssociations: the load balancers whose listeners verify with it.

    Raises TrustStoreNotFound, ValidationError.
    """
    store = lookup.by_arn(tx, TrustStore, params["TrustStoreArn"])
    shown, marker = page(_users(tx, store), params, key=str, of="associations")
    return {"TrustStoreAssociations": [{"ResourceArn": arn} for arn in shown], **marker}


def delete_shared_trust_store_association(
    tx: "Transaction", params: Mapping[str, Any]
) -> wire.Document:
    """DeleteSharedTrustStoreAssociation: refused, since no trust store is shared here.

    Raises DeleteAssociationSameAccount, AssociationNotFound, TrustStoreNotFound, ValidationError.
    """
    store = lookup.by_arn(tx, TrustStore, params["TrustStoreArn"])
    resource = params["ResourceArn"]
    if resource in _users(tx, store):
        raise DeleteAssociationSameAccount(
            f"The association with '{resource}' is one of the same account"
        )
    raise AssociationNotFound(f"'{resource}' is not associated with '{store.arn}'")


def add_trust_store_revocations(
    tx: "Transaction", params: Mapping[str, Any], lists: Sequence["Revocations"]
) -> wire.Document:
    """AddTrustStoreRevocations: each list gets an id that was never used before.

    Raises TrustStoreNotFound, TooManyTrustStoreRevocationEntries, ValidationError.
    """
    store = lookup.by_arn(tx, TrustStore, params["TrustStoreArn"])
    added = tuple(
        RevocationList(id=number, content=each.content, entries=each.entries, issuers=each.issuers)
        for number, each in enumerate(lists, start=store.last_revocation_id + 1)
    )
    revocations = (*store.revocations, *added)
    lists_max, entries_max = (
        quota(tx, name) for name in (quotas.REVOCATION_LISTS, quotas.REVOKED_ENTRIES)
    )
    # AWS is silent: too many lists are refused as too many entries are.
    if len(revocations) > lists_max or sum(one.entries for one in revocations) > entries_max:
        raise TooManyTrustStoreRevocationEntries(
            f"A trust store can have up to '{lists_max}' revocation lists "
            f"with '{entries_max}' entries in all"
        )
    last = store.last_revocation_id + len(added)
    changed = replace(store, revocations=revocations, last_revocation_id=last)
    tx.put(changed)
    return {"TrustStoreRevocations": [wire.from_revocation(changed, one) for one in added]}


def remove_trust_store_revocations(tx: "Transaction", params: Mapping[str, Any]) -> wire.Document:
    """RemoveTrustStoreRevocations: all of those named, or none.

    Raises TrustStoreNotFound, RevocationIdNotFound, ValidationError.
    """
    store = lookup.by_arn(tx, TrustStore, params["TrustStoreArn"])
    if not params["RevocationIds"]:
        raise ValidationError("A revocation ID must be specified")
    gone = [revocation(store, number) for number in params["RevocationIds"]]
    kept = tuple(one for one in store.revocations if one not in gone)
    tx.put(replace(store, revocations=kept))
    return {}


def describe_trust_store_revocations(tx: "Transaction", params: Mapping[str, Any]) -> wire.Document:
    """DescribeTrustStoreRevocations. Raises as remove_trust_store_revocations does."""
    store = lookup.by_arn(tx, TrustStore, params["TrustStoreArn"])
    wanted = params.get("RevocationIds")
    found = (
        [revocation(store, number) for number in dict.fromkeys(wanted)]
        if wanted
        else store.revocations
    )
    shown, marker = page(found, params, key=lambda one: f"{one.id:019}", of="revocations")
    return {"TrustStoreRevocations": [wire.from_revocation(store, one) for one in shown], **marker}


def revocation(store: TrustStore, number: int) -> RevocationList:
    """Return the list with that id. Raises RevocationIdNotFound."""
    for one in store.revocations:
        if one.id == number:
            return one
    raise RevocationIdNotFound(f"Revocation ID '{number}' not found")


def _check_authorities(tx: "Transaction", bundle: "Bundle") -> None:
    """Raise InvalidCaCertificatesBundle where a trust store cannot hold as much."""
    count, most = len(bundle.subjects), quota(tx, quotas.AUTHORITIES)
    if count > most:
        raise InvalidCaCertificatesBundle(
            f"The bundle has {count} certificates; it can have up to {most}"
        )
    if bundle.subject_characters > (most := quota(tx, quotas.SUBJECT_SIZE)):
        raise InvalidCaCertificatesBundle(
            f"The subjects of the bundle have {bundle.subject_characters} characters; they can "
            f"have up to {most}"
        )


def _users(tx: "Transaction", store: TrustStore) -> list[str]:
    """Return the ARNs of the load balancers with a listener that uses `store`, each once."""
    # AWS is silent: a trust store is associated with load balancers, not with listeners.
    return list(
        dict.fromkeys(
            listener.load_balancer_arn
            for listener in tx.list(Listener)
            if listener.mutual_authentication.trust_store_arn == store.arn
        )
    )
