"""A socket with HTTPS listeners on it -> an Envoy listener with a filter chain for each choice of
certificates.

The name that a client asks for (SNI) chooses the chain, so that a certificate more or less leaves
the connections of the other chains alone. Certificates come as secrets: a new one in the place of
an old one concerns new handshakes only.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from hashlib import sha256

from envoy.config.listener.v3.listener_components_pb2 import FilterChain
from envoy.config.listener.v3.listener_pb2 import Listener
from envoy.extensions.filters.listener.tls_inspector.v3.tls_inspector_pb2 import TlsInspector
from envoy.extensions.filters.network.http_connection_manager.v3 import (
    http_connection_manager_pb2 as manager_pb2,
)
from envoy.extensions.matching.common_inputs.network.v3.network_inputs_pb2 import (
    ServerNameInput,
    TransportProtocolInput,
)
from google.protobuf.wrappers_pb2 import StringValue
from xds.type.matcher.v3.matcher_pb2 import Matcher

from albatross.model.certificate import ServerCertificate
from albatross.model.listener import Listener as ModelListener
from albatross.model.request_record import CERTIFICATE_END
from albatross.model.trust_store import TrustStore
from albatross.xds import names, patterns, sni, tls
from albatross.xds.client_certificates import removal_of_renamed
from albatross.xds.listener import (
    connection_manager,
    network_filters,
    socket_listener,
    to_listener,
)
from albatross.xds.local_reply import plain_http_routes
from albatross.xds.packing import extension
from albatross.xds.tenant import Door, Tenant
from albatross.xds.tls import Sealed, TrustFiles

HANDSHAKE_S_MAX = 10
# AWS is silent: HTTP/1.1 connections of HTTPS listeners with HTTP/2 end after 10,000 requests too.
REQUESTS_PER_CONNECTION_MAX = 10_000
_END_OF_TIME = datetime.max.replace(tzinfo=UTC)
STREAMS_MAX = 128  # of an HTTP/2 connection, at one time

OnMatch = Matcher.OnMatch


@dataclass(frozen=True, slots=True)
class Credentials:
    """What handshakes need beside the tenants: all by ARN."""

    certificates: Mapping[str, ServerCertificate] = field(default_factory=dict)
    trust_stores: Mapping[str, TrustStore] = field(default_factory=dict)
    trust_files: Mapping[str, TrustFiles] = field(default_factory=dict)
    now: datetime | None = None  # None: no certificate has expired

    def names_of(self, listener: ModelListener) -> tuple[str, ...]:
        """Return the names of `listener`'s certificates in lower case, each once."""
        known = (self.certificates.get(arn) for arn in listener.certificates)
        return tuple(dict.fromkeys(name for one in known if one for name in one.names))

    def only(self, tenants: Iterable[Tenant]) -> "Credentials":
        """Return those of `tenants`: equal ones while nothing of that changes or expires."""
        listeners = [tenant.listener for tenant in tenants]
        named = [arn for listener in listeners for arn in listener.certificates]
        found = {arn: self.certificates[arn] for arn in named if arn in self.certificates}
        stores = {listener.mutual_authentication.trust_store_arn for listener in listeners}
        return Credentials(
            certificates=found,
            trust_stores={arn: one for arn, one in self.trust_stores.items() if arn in stores},
            trust_files={arn: one for arn, one in self.trust_files.items() if arn in stores},
            now=next_end(found.values(), self.now),
        )


def next_end(certificates: Iterable[ServerCertificate], now: datetime | None) -> datetime | None:
    """Return until when the certificates that have expired at `now` are the same; None for None."""
    if now is None:
        return None
    return min(
        (one.not_after for one in certificates if one.not_after >= now), default=_END_OF_TIME
    )


@dataclass(frozen=True, slots=True)
class Socket:
    """One listening socket of several tenants, the oldest first, and what is made for it."""

    name: str
    address: str
    port: int
    tenants: list[Door]
    credentials: Credentials
    observe: Callable[[Door, manager_pb2.HttpConnectionManager], None] | None
    chains: dict[str, FilterChain] = field(default_factory=dict)
    secrets: dict[str, Sealed] = field(default_factory=dict)
    tables: set[str] = field(default_factory=set)

    def listener(self) -> Listener:
        """Return the listener. Afterwards `secrets` and `tables` have what its chains name."""
        secure = [tenant for tenant in self.tenants if tenant.listener.protocol == "HTTPS"]
        if not secure:
            oldest = self.tenants[0]
            self.tables.add(self.name)
            keep_case = any(tenant.has_servers for tenant in self.tenants)
            return to_listener(
                *(self.name, self.address, self.port, oldest.balancer),
                observe=partial(self.observe, oldest) if self.observe else None,
                keep_case=keep_case,
            )
        by_name = self._by_tenant(secure)
        self._add_plain_chain()
        listener = socket_listener(self.name, self.address, self.port)
        listener.listener_filters.add(
            **extension("envoy.filters.listener.tls_inspector", TlsInspector())
        )
        listener.listener_filters_timeout.FromSeconds(HANDSHAKE_S_MAX)
        listener.filter_chains.extend(self.chains.values())
        listener.filter_chain_matcher.CopyFrom(_by_transport(by_name))
        return listener

    def _by_tenant(self, secure: list[Door]) -> Matcher | None:
        """Return who serves a client by the name that it asks for; None if nobody can.

        It belongs to the load balancer with that DNS name, else to the oldest that names it in
        a rule, else to the oldest with a certificate for it, else to the oldest.
        """
        own = {tenant.listener.arn: self._by_certificate(tenant) for tenant in secure}
        oldest = own[secure[0].listener.arn]
        if len(secure) == 1:
            return oldest
        found = Matcher()
        for name_them in (_dns_names, _hosts, self._certified_names):
            for tenant in secure:
                then = own[tenant.listener.arn]
                for expression in name_them(tenant) if then is not None else ():
                    _add_step(found, expression, OnMatch(matcher=then))
        if oldest is not None:
            found.on_no_match.matcher.CopyFrom(oldest)
        return found if found.ByteSize() else None

    def _by_certificate(self, tenant: Door) -> Matcher | None:
        """Return which chain of `tenant` serves a name. Chains are added as they are needed."""
        certificates = self.credentials.certificates
        default, *listed = tenant.listener.certificates
        offers = sni.offers(
            (certificates[arn] for arn in listed if arn in certificates), self.credentials.now
        )
        found, exact, wild = Matcher(), {}, []
        for name, offer in offers.items():
            action = self._chain(tenant, offer.arns)
            if action is None:
                continue
            if sni.is_wildcard(name):
                wild.append((sni.expression(name), action))
            else:
                exact[name] = action
        last = self._chain(tenant, (default,)) if default in certificates else None
        if wild:
            for expression, action in wild:
                _add_step(found, expression, action)
            if last is not None:
                found.on_no_match.CopyFrom(last)
            last = OnMatch(matcher=found)
        if exact:
            found = Matcher()
            found.matcher_tree.input.MergeFrom(_SERVER_NAME)
            for name, action in exact.items():
                found.matcher_tree.exact_match_map.map[name].CopyFrom(action)
            if last is not None:
                found.on_no_match.CopyFrom(last)
            return found
        return Matcher(on_no_match=last) if last is not None else None

    def _certified_names(self, tenant: Door) -> Iterable[str]:
        known = self.credentials.names_of(tenant.listener)
        return patterns.any_of(tuple(map(sni.expression, known)))

    def _chain(self, tenant: Door, certificate_arns: tuple[str, ...]) -> Matcher.OnMatch | None:
        """Return the way to the chain with these certificates, None where it cannot be served.

        A listener that verifies clients is never served without its trust store.
        """
        settings, credentials = tenant.listener.mutual_authentication, self.credentials
        trust_store = None
        if settings.mode == "verify":
            arn = settings.trust_store_arn
            assert arn is not None
            if arn not in credentials.trust_stores or arn not in credentials.trust_files:
                return None
            trust_store = credentials.trust_stores[arn]
            files = credentials.trust_files[arn]
            self.secrets[arn] = tls.of_trust_store(trust_store, files)
        for certificate_arn in certificate_arns:
            certificate = credentials.certificates[certificate_arn]
            self.secrets[certificate_arn] = tls.of_certificate(certificate)
        name = chain_name(tenant, certificate_arns)
        if name not in self.chains:
            chain = FilterChain(
                name=name,
                transport_socket=tls.transport_socket(tenant, certificate_arns, trust_store),
                transport_socket_connect_timeout={"seconds": HANDSHAKE_S_MAX},
            )
            self._add_manager(chain, self._secure_manager(tenant), tenant)
            self.chains[name] = chain
        return _to_chain(name)

    def _secure_manager(self, tenant: Door) -> manager_pb2.HttpConnectionManager:
        table = names.table(self.name, tenant.listener)
        self.tables.add(table)
        manager = connection_manager(
            self.name, table, tenant.balancer, keep_case=tenant.has_servers
        )
        if tls.has_http2(tenant):
            # AWS is silent: pieces of a cookie in HTTP/2 are one header, joined by `; `.
            manager.codec_type = manager_pb2.HttpConnectionManager.AUTO
            manager.http2_protocol_options.max_concurrent_streams.value = STREAMS_MAX
            manager.http2_protocol_options.override_stream_error_on_invalid_http_message.value = (
                True
            )
            limits = manager.common_http_protocol_options
            limits.max_requests_per_connection.value = REQUESTS_PER_CONNECTION_MAX
        removal_of_renamed(manager, tenant.listener)
        return manager

    def _add_plain_chain(self) -> None:
        """Add the chain of connections without TLS: the HTTP listeners', or a refusal."""
        plain = [tenant for tenant in self.tenants if tenant.listener.protocol == "HTTP"]
        tenant = (plain or self.tenants)[0]
        table = names.table(self.name, tenant.listener)
        keep_case = any(tenant.has_servers for tenant in plain)
        manager = connection_manager(self.name, table, tenant.balancer, keep_case=keep_case)
        if plain:
            self.tables.add(table)
        else:
            # AWS is silent: HTTP without TLS on the port of an HTTPS listener is answered with 400.
            manager.route_config.CopyFrom(plain_http_routes())
            del manager.http_filters[:-1]  # all but the one that answers
            manager.common_http_protocol_options.max_requests_per_connection.value = 1
        chain = FilterChain(name=names.PLAIN_CHAIN)
        self._add_manager(chain, manager, tenant)
        self.chains[names.PLAIN_CHAIN] = chain

    def _add_manager(
        self, chain: FilterChain, manager: manager_pb2.HttpConnectionManager, tenant: Door
    ) -> None:
        if self.observe is not None:
            self.observe(tenant, manager)
        for one in network_filters(manager):
            chain.filters.add(**one)


def chain_name(tenant: Door, certificate_arns: tuple[str, ...]) -> str:
    """Return a name that begins with the ARN of the certificate that is preferred."""
    text = " ".join((tenant.listener.arn, *certificate_arns))
    return f"{certificate_arns[0]}{CERTIFICATE_END}{sha256(text.encode()).hexdigest()[:16]}"


def _dns_names(tenant: Door) -> Iterable[str]:
    return [sni.expression(tenant.balancer.dns_name)]


def _hosts(tenant: Door) -> Iterable[str]:
    return patterns.any_of_hosts(tenant.hosts) if tenant.hosts else ()


_SERVER_NAME = Matcher.MatcherTree(input=extension("server-name", ServerNameInput())).input


def _add_step(matcher: Matcher, expression: str, then: Matcher.OnMatch) -> None:
    """Have `matcher` try `expression` on the name, after what it tries already."""
    step = matcher.matcher_list.matchers.add()
    step.on_match.CopyFrom(then)
    predicate = step.predicate.single_predicate
    predicate.input.CopyFrom(_SERVER_NAME)
    predicate.value_match.safe_regex.google_re2.SetInParent()
    predicate.value_match.safe_regex.regex = expression


def _by_transport(secure: Matcher | None) -> Matcher:
    matcher = Matcher()
    tree = matcher.matcher_tree
    tree.input.MergeFrom(
        Matcher.MatcherTree(input=extension("transport", TransportProtocolInput())).input
    )
    tree.exact_match_map.map["raw_buffer"].CopyFrom(_to_chain(names.PLAIN_CHAIN))
    if secure is not None:
        tree.exact_match_map.map["tls"].matcher.CopyFrom(secure)
    return matcher


def _to_chain(name: str) -> Matcher.OnMatch:
    return OnMatch(action=extension("chain", StringValue(value=name)))
