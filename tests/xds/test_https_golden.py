"""HTTPS listeners -> filter chains and what chooses them, as a pair of files in tests/golden.

`UPDATE_GOLDEN=1 pytest tests/xds/test_https_golden.py` writes the output anew: read the difference.
"""

import json
import os
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml
from envoy.config.listener.v3.listener_pb2 import Listener
from google.protobuf.json_format import MessageToJson

from albatross.model.certificate import Certificate, Facts, PrivateBytes
from albatross.model.listener import MutualAuthentication
from albatross.model.snapshot import Snapshot
from albatross.model.trust_store import TrustStore
from albatross.xds.tls import TrustFiles
from albatross.xds.translate import Binding, Resources, translate
from tests.support.envoy import PREFIX, Balancer, to_snapshot

GOLDEN = Path(__file__).parent.parent / "golden"
SECRET = "the private key"


def certificate(document: dict[str, Any]) -> Certificate:
    return Certificate(
        arn=f"arn:aws:acm:us-east-1:123456789012:certificate/{document['id']}",
        type="IMPORTED",
        facts=Facts(
            domain_name=document["names"][0],
            names=tuple(document["names"]),
            key_algorithm=document["key"],
            signature_algorithm="SHA256WITHRSA",
            serial="01",
            subject="",
            issuer="",
            not_before=datetime(2026, 1, 1, tzinfo=UTC),
            not_after=datetime(2027, 1, 1, tzinfo=UTC),
        ),
        pem="the certificate\n",
        chain="the chain\n",
        key_id=document["id"],
        created_at=datetime(2026, 1, 2, tzinfo=UTC),
    )


def to_resources(balancers: list[dict[str, Any]]) -> Resources:
    whole = to_snapshot(*(Balancer(name=each["name"], port=443) for each in balancers))
    listeners, certificates, stores = [], [], []
    for listener, each in zip(whole.listeners, balancers, strict=True):
        own = [certificate(document) for document in each["certificates"]]
        certificates += own
        mutual = MutualAuthentication()
        if name := each.get("trust_store"):
            store = TrustStore(
                arn=f"{PREFIX}:truststore/{name}/1", name=name, bundle="b", subjects=("s",)
            )
            stores.append(store)
            mutual = MutualAuthentication(mode="verify", trust_store_arn=store.arn)
        listeners.append(
            replace(
                listener,
                protocol="HTTPS",
                certificates=tuple(one.arn for one in own),
                ssl_policy=each["policy"],
                mutual_authentication=mutual,
            )
        )
    snapshot: Snapshot = replace(
        whole,
        listeners=tuple(listeners),
        certificates=tuple(certificates),
        trust_stores=tuple(stores),
        keys={one.key_id: PrivateBytes(SECRET.encode()) for one in certificates},
    )
    return translate(
        snapshot,
        {one.arn: Binding("127.0.0.1", 8443) for one in listeners},
        lambda_socket="s",
        lambda_idle_timeout=True,
        trust_files={store.arn: TrustFiles("/trust/b", None) for store in stores},
    )


def printable(listener: Listener) -> Any:
    """Return the listener as YAML shows it, without what chains do with requests."""
    bare = Listener()
    bare.CopyFrom(listener)
    for chain in bare.filter_chains:
        del chain.filters[:]
    return json.loads(MessageToJson(bare))


def test_chains_and_their_choice_are_the_golden_ones() -> None:
    document = yaml.safe_load((GOLDEN / "https.in.yaml").read_text())
    resources = to_resources(document["balancers"])
    actual = yaml.safe_dump(
        {
            "listeners": {name: printable(one) for name, one in resources.listeners.items()},
            "routes": sorted(resources.routes),
            "secrets": sorted(resources.secrets),
        },
        width=100,
    )
    golden = GOLDEN / "https.out.yaml"
    if os.environ.get("UPDATE_GOLDEN"):
        golden.write_text(actual)
    assert actual == golden.read_text()
    assert SECRET not in actual


def test_nothing_that_is_printed_shows_a_key() -> None:
    document = yaml.safe_load((GOLDEN / "https.in.yaml").read_text())
    resources = to_resources(document["balancers"])
    (one, *_) = resources.secrets.values()
    assert SECRET not in f"{resources!r} {one!r} {one}"
