"""Function URLs in Envoy's configuration: there is one listener for all of them, or none."""

from google.protobuf.json_format import MessageToDict

from albatross.model.snapshot import Snapshot
from albatross.xds.function_urls import UrlSocket
from albatross.xds.translate import Resources, translate

SOCKET = UrlSocket("127.0.0.1", 4567, "/run/urls.sock")


def translated(socket: UrlSocket | None) -> Resources:
    return translate(
        Snapshot(revision=1),
        {},
        lambda_socket="/run/lambda.sock",
        lambda_idle_timeout=True,
        function_urls=socket,
    )


def test_without_function_urls_nothing_listens():
    found = translated(None)
    assert found.listeners == {}
    assert set(found.clusters) == {"lambda"}


def test_all_function_urls_share_a_listener_that_leads_to_a_socket_of_its_own():
    found = translated(SOCKET)
    assert set(found.listeners) == {"127.0.0.1:4567"}
    endpoints = MessageToDict(found.endpoints["function-urls"], preserving_proto_field_name=True)
    (endpoint,) = endpoints["endpoints"][0]["lb_endpoints"]
    assert endpoint["endpoint"]["address"] == {"pipe": {"path": "/run/urls.sock"}}
    assert found.clusters["function-urls"].name == endpoints["cluster_name"] == "function-urls"
    address = found.listeners["127.0.0.1:4567"].address.socket_address
    assert (address.address, address.port_value) == ("127.0.0.1", 4567)


def test_the_same_socket_gives_the_same_bytes():
    first, second = translated(SOCKET), translated(SOCKET)
    (one,), (other,) = first.listeners.values(), second.listeners.values()
    assert one.SerializeToString(deterministic=True) == other.SerializeToString(deterministic=True)
