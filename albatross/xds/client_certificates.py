"""The headers in which targets learn of a TLS connection and of a client's certificate.

Source: ALB user guide, "HTTP headers and mutual TLS", "HTTP header modification". The script writes
those about certificates (`lua/request.lua`); what a client sends under their names is taken out
before any rule is tried.
"""

from collections.abc import Mapping

from envoy.config.common.mutation_rules.v3.mutation_rules_pb2 import HeaderMutation as Mutation
from envoy.config.route.v3.route_components_pb2 import Route
from envoy.extensions.filters.network.http_connection_manager.v3 import (
    http_connection_manager_pb2 as manager_pb2,
)
from envoy.extensions.http.early_header_mutation.header_mutation.v3.header_mutation_pb2 import (
    HeaderMutation,
)

from albatross.model import attributes
from albatross.model.listener import Listener
from albatross.xds.actions import OVERWRITE, header
from albatross.xds.packing import extension
from albatross.xds.tenant import Tenant

# AWS is silent: a client's headers with this beginning are dropped on every listener.
PREFIX = "x-amzn-mtls-clientcert"
_PREFIX_KEY = "routing.http.request.x_amzn_mtls_clientcert"
# The script's parameter for each header, and the rest of the attribute that may rename it.
_OF_MODE: Mapping[str, Mapping[str, str]] = {
    "off": {},
    "passthrough": {"mtls_chain": ""},
    "verify": {
        "mtls_serial": "_serial_number",
        "mtls_issuer": "_issuer",
        "mtls_subject": "_subject",
        "mtls_validity": "_validity",
        "mtls_leaf": "_leaf",
    },
}
# AWS is silent: a client's X-Amzn-Tls-Version and X-Amzn-Tls-Cipher-Suite are handed on where the
# load balancer does not write these headers.
_TLS_SWITCH = "routing.http.x_amzn_tls_version_and_cipher_suite.enabled"
_OF_CONNECTION = {
    "routing.http.request.x_amzn_tls_version.header_name": "%DOWNSTREAM_TLS_VERSION%",
    "routing.http.request.x_amzn_tls_cipher_suite.header_name": "%DOWNSTREAM_TLS_CIPHER%",
}


def parameters(listener: Listener) -> dict[str, str]:
    """Return the script's parameters: the name of each header that it writes."""
    return {
        key: attributes.get(listener, f"{_PREFIX_KEY}{rest}.header_name").lower()
        for key, rest in _OF_MODE[listener.mutual_authentication.mode].items()
    }


def add_connection_headers(route: Route, tenant: Tenant) -> None:
    """Have `route` tell its targets the version of TLS and the cipher, where that is on."""
    if attributes.get(tenant.balancer, _TLS_SWITCH) != "true":
        return
    if tenant.listener.protocol != "HTTPS":
        return
    for key, value in _OF_CONNECTION.items():
        name = attributes.get(tenant.listener, key)
        route.request_headers_to_add.add(**header(name, value, OVERWRITE))


def removal() -> Mutation:
    """Return what takes out a client's headers under the names that AWS has for ours."""
    return Mutation(remove_on_match={"key_matcher": {"prefix": PREFIX}})


def removal_of_renamed(manager: manager_pb2.HttpConnectionManager, listener: Listener) -> None:
    """Have `manager` take out a client's headers under the names that the user has for ours."""
    renamed = [name for name in parameters(listener).values() if not name.startswith(PREFIX)]
    if renamed:
        mutations = [Mutation(remove=name) for name in renamed]
        manager.early_header_mutation_extensions.add(
            **extension("renamed", HeaderMutation(mutations=mutations))
        )
