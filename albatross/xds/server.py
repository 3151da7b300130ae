"""The stream that programs every connected Envoy: ADS, state of the world, over a unix socket.

Source: Envoy's xDS protocol page. One stream an Envoy; for each type of resource Envoy subscribes,
we answer, it accepts (ACK) or refuses (NACK). While an answer is open, newer versions wait and only
the newest of them is sent.
"""

import asyncio
import logging
from contextlib import suppress
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import grpc
from envoy.service.discovery.v3.discovery_pb2 import DiscoveryRequest, DiscoveryResponse
from google.protobuf.any_pb2 import Any as PackedMessage
from google.protobuf.message import Message

from albatross.xds.packing import packed
from albatross.xds.translate import Resources

log = logging.getLogger(__name__)

_TYPE = "type.googleapis.com/envoy.config."
CLUSTERS = f"{_TYPE}cluster.v3.Cluster"
ENDPOINTS = f"{_TYPE}endpoint.v3.ClusterLoadAssignment"
LISTENERS = f"{_TYPE}listener.v3.Listener"
ROUTES = f"{_TYPE}route.v3.RouteConfiguration"
SECRETS = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret"
RUNTIMES = "type.googleapis.com/envoy.service.runtime.v3.Runtime"
# What is named is sent before what names it.
TYPES = (CLUSTERS, ENDPOINTS, SECRETS, LISTENERS, ROUTES, RUNTIMES)
# A listener waits for its tables and certificates, a cluster for its endpoints.
_NAMED_BY = {ENDPOINTS: CLUSTERS, SECRETS: LISTENERS, ROUTES: LISTENERS}
_MESSAGE_BYTES_MAX = 256 * 1024 * 1024
_OPTIONS = (
    ("grpc.max_send_message_length", _MESSAGE_BYTES_MAX),
    ("grpc.max_receive_message_length", _MESSAGE_BYTES_MAX),
    # Envoy asks every few seconds whether we are there (`bootstrap.py`). gRPC would take more than
    # two such questions in five minutes for an attack, and end the connection.
    ("grpc.http2.max_ping_strikes", 0),
)


@dataclass(frozen=True, slots=True)
class Published:
    """What every Envoy should have: for each type, its resources packed, by name."""

    revision: int
    sequence: int  # counts publications; two may have the same revision
    packed: dict[str, dict[str, PackedMessage]] = field(repr=False)  # private keys, too


@dataclass(slots=True)
class Subscription:
    """What one Envoy has asked for and been sent of one type."""

    names: frozenset[str] | None = None  # None: all there are
    sent: dict[str, PackedMessage] | None = field(default=None, repr=False)  # None: nothing yet
    nonce: str = ""  # of the last answer
    open: bool = False  # the last answer is neither accepted nor refused
    refusal: str | None = None  # Envoy's words about the last answer
    # Of which resources it has been sent all that it asked for.
    up_to: dict[str, PackedMessage] | None = field(default=None, repr=False)

    def name(self, names: frozenset[str]) -> None:
        """Take in what Envoy asks for from now on: it forgets what it no longer names."""
        if names != self.names:
            self.names = names
            self.up_to = None
            if self.sent is not None:
                self.sent = self.wanted(self.sent)

    def end(self) -> None:
        """Envoy asks for nothing any more, and will not answer what it has not got yet."""
        self.names, self.sent, self.up_to = frozenset(), {}, None
        self.open, self.refusal = False, None

    def wanted(self, resources: dict[str, PackedMessage]) -> dict[str, PackedMessage]:
        """Return those of `resources` that this Envoy has asked for."""
        if self.names is None or self.names >= resources.keys():
            return resources
        return {name: resources[name] for name in resources if name in self.names}

    def due(self, type_url: str, resources: dict[str, PackedMessage]) -> list[PackedMessage] | None:
        """Return what must be sent for Envoy to have what it asked for, None for nothing.

        Of route tables and endpoints only those that differ. The other types are always whole,
        since a resource that is missing from an answer is deleted by it.
        """
        if self.up_to is resources and self.refusal is None:
            return None
        if type_url in _NAMED_BY and not self.names:
            return None  # Envoy would not answer
        wanted = self.wanted(resources)
        if self.sent is None:
            return list(wanted.values())
        if type_url in _NAMED_BY:
            if self.refusal is not None and not self.has_all(wanted):
                return list(wanted.values())  # good ones may have gone down with the bad one
            return [one for name, one in wanted.items() if self.sent.get(name) is not one] or None
        return (
            None
            if self.has_all(wanted) and self.sent.keys() == wanted.keys()
            else [*wanted.values()]
        )

    def has_answered(self, type_url: str, resources: dict[str, PackedMessage]) -> bool:
        """Tell whether Envoy has accepted or refused all that it has asked for."""
        if type_url in _NAMED_BY and not self.names:
            return True
        return not self.open and self.sent is not None and self.due(type_url, resources) is None

    def has_all(self, wanted: dict[str, PackedMessage]) -> bool:
        """Tell whether all of `wanted` have been sent as they are."""
        if self.up_to is wanted and self.names is None:
            return True
        sent = self.sent or {}
        return all(sent.get(name) is one for name, one in wanted.items())


@dataclass(eq=False, slots=True)
class Stream:
    """One connected Envoy."""

    changed: asyncio.Event = field(default_factory=asyncio.Event)
    reader: asyncio.Task[None] | None = None  # what hears of Envoy; the stream ends with it
    subscriptions: dict[str, Subscription] = field(default_factory=dict)
    answers: int = 0  # sent; also the last nonce

    def receive(self, request: DiscoveryRequest) -> None:
        """Take in a subscription, an ACK or a NACK."""
        subscription = self.subscriptions.setdefault(request.type_url, Subscription())
        asks_for_nothing = request.type_url in _NAMED_BY and not request.resource_names
        if request.response_nonce and request.response_nonce != subscription.nonce:
            if asks_for_nothing:  # then Envoy answers what is on its way to it no more
                subscription.end()
                self.changed.set()
            return  # about an older answer than the last one
        if request.type_url in _NAMED_BY:
            subscription.name(frozenset(request.resource_names))
        if request.response_nonce and subscription.open:
            subscription.open = False
            subscription.refusal = None
            if request.HasField("error_detail"):
                subscription.refusal = request.error_detail.message
                log.warning("Envoy refuses %s: %s", request.type_url, subscription.refusal)
        self.changed.set()

    def next_answers(self, published: Published) -> list[DiscoveryResponse]:
        """Return what to send now, in the order in which to send it."""
        answers = []
        for type_url in TYPES:
            subscription = self.subscriptions.get(type_url)
            if subscription is None or subscription.open:
                continue
            if type_url == ROUTES and not self._has_clusters(published):
                continue  # or requests would find none
            resources = self._resources(type_url, published)
            due = subscription.due(type_url, resources)
            if due is None:
                continue
            if type_url == CLUSTERS:
                self._resend_endpoints(subscription, resources)
            subscription.sent = subscription.wanted(resources)
            subscription.up_to = resources
            self.answers += 1
            subscription.nonce = str(self.answers)
            subscription.open = True
            answers.append(
                DiscoveryResponse(
                    type_url=type_url,
                    version_info=str(published.revision),
                    nonce=subscription.nonce,
                    resources=due,
                )
            )
        return answers

    def _resources(self, type_url: str, published: Published) -> dict[str, PackedMessage]:
        """Return the resources of a type that this Envoy is to have now.

        A cluster that is gone stays until no route of Envoy's leads to it any more.
        """
        resources = published.packed[type_url]
        if type_url != CLUSTERS or self._has_answered(ROUTES, published):
            return resources
        return (self.subscriptions[CLUSTERS].sent or {}) | resources

    def _has_clusters(self, published: Published) -> bool:
        """Tell whether Envoy has taken or refused all clusters and endpoints of `published`."""
        for type_url in (CLUSTERS, ENDPOINTS):
            resources = published.packed[type_url]
            subscription = self.subscriptions.get(type_url)
            if subscription is None:
                return not resources
            if subscription.refusal is not None:
                return True
            if subscription.open or not subscription.has_all(resources):
                return False
        return True

    def _resend_endpoints(
        self, clusters: Subscription, resources: dict[str, PackedMessage]
    ) -> None:
        """Have endpoints of changed clusters sent again: Envoy awaits them before it uses these."""
        endpoints = self.subscriptions.get(ENDPOINTS)
        if endpoints is None or endpoints.sent is None or clusters.sent is None:
            return
        changed = {name for name, one in resources.items() if clusters.sent.get(name) is not one}
        endpoints.sent = {name: one for name, one in endpoints.sent.items() if name not in changed}
        endpoints.up_to = None

    def has_answered(self, published: Published) -> bool:
        """Tell whether this Envoy has accepted or refused all of `published`."""
        return all(self._has_answered(type_url, published) for type_url in TYPES)

    def _has_answered(self, type_url: str, published: Published) -> bool:
        resources = published.packed[type_url]
        subscription = self.subscriptions.get(type_url)
        if subscription is None:
            return not resources
        if not subscription.has_answered(type_url, resources):
            return False
        if subscription.names is None or subscription.names >= resources.keys():
            return True
        # What it has not asked for yet it will ask for, unless it refused what names it.
        naming = self.subscriptions.get(_NAMED_BY[type_url])
        return naming is not None and naming.refusal is not None


class XdsServer:
    """Serves what was last published to any number of Envoys."""

    def __init__(self, socket_path: str, *services: Any) -> None:
        """`services`: what else Envoy may call on this socket."""
        self._socket_path = socket_path
        self._services = services
        self._server: Any = None
        self._streams: set[Stream] = set()
        self._published = Published(0, 0, {type_url: {} for type_url in TYPES})
        self._messages: dict[str, dict[str, Message]] = {type_url: {} for type_url in TYPES}
        self._answered = asyncio.Event()

    async def start(self) -> None:
        """Listen. Envoys may connect before anything is published; they then wait for it."""
        server = grpc.aio.server(options=_OPTIONS)
        handler = grpc.stream_stream_rpc_method_handler(
            self._serve,
            request_deserializer=DiscoveryRequest.FromString,
            response_serializer=DiscoveryResponse.SerializeToString,
        )
        service = "envoy.service.discovery.v3.AggregatedDiscoveryService"
        methods = {"StreamAggregatedResources": handler}
        discovery = grpc.method_handlers_generic_handler(service, methods)
        server.add_generic_rpc_handlers((discovery, *self._services))
        server.add_insecure_port(f"unix:{self._socket_path}")
        await server.start()
        self._server = server

    async def stop(self, grace_s: float) -> None:
        """Close all streams. Envoys go on with what they have and try to connect again."""
        for stream in self._streams:
            if stream.reader is not None:
                stream.reader.cancel()  # gRPC would call it an error that its call is cancelled
        if self._server is not None:
            await self._server.stop(grace_s)

    def publish(self, resources: Resources, revision: int) -> None:
        """Hand `resources` to every connected Envoy, and to those that connect later."""
        now: dict[str, dict[str, Message]] = {
            CLUSTERS: resources.clusters,
            ENDPOINTS: resources.endpoints,
            LISTENERS: resources.listeners,
            ROUTES: resources.routes,
            RUNTIMES: resources.runtimes,
            SECRETS: {name: one.secret for name, one in resources.secrets.items()},
        }
        before, packed_before = self._messages, self._published.packed
        packed_now = {
            type_url: _pack(now[type_url], before[type_url], packed_before[type_url])
            for type_url in TYPES
        }
        self._messages = now
        self._published = Published(revision, self._published.sequence + 1, packed_now)
        for stream in self._streams:
            stream.changed.set()

    async def wait_applied(self, revision: int, timeout_s: float) -> bool:
        """Wait until every connected Envoy has accepted or refused `revision` or a later one.

        Returns False when that has not come to pass within `timeout_s`.
        """
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                while not self._is_applied(revision):
                    await self._answered.wait()
                return True
        return False

    @property
    def connected(self) -> int:
        """How many Envoys have a stream open."""
        return len(self._streams)

    @property
    def nacks(self) -> MappingProxyType[str, str]:
        """What is refused now: type of resource -> Envoy's words."""
        refusals = {
            type_url.rpartition(".")[2]: subscription.refusal
            for stream in self._streams
            for type_url, subscription in stream.subscriptions.items()
            if subscription.refusal is not None
        }
        return MappingProxyType(refusals)

    def _is_applied(self, revision: int) -> bool:
        published = self._published
        return published.revision >= revision and all(
            stream.has_answered(published) for stream in self._streams
        )

    async def _serve(self, _: Any, context: Any) -> None:
        """Serve one Envoy until it goes away."""
        stream = Stream()
        self._streams.add(stream)
        try:
            async with asyncio.TaskGroup() as group:
                sender = group.create_task(self._send(stream, context))
                stream.reader = group.create_task(self._read(stream, context))
                stream.reader.add_done_callback(lambda _: sender.cancel())
        finally:
            self._streams.discard(stream)
            self._wake_waiters()

    async def _read(self, stream: Stream, context: Any) -> None:
        while (request := await context.read()) is not grpc.aio.EOF:
            stream.receive(request)
            self._wake_waiters()

    async def _send(self, stream: Stream, context: Any) -> None:
        while True:
            await stream.changed.wait()
            stream.changed.clear()
            if self._published.sequence > 0:
                for answer in stream.next_answers(self._published):
                    await context.write(answer)

    def _wake_waiters(self) -> None:
        self._answered.set()
        self._answered = asyncio.Event()


def _pack(
    resources: dict[str, Message],
    before: dict[str, Message],
    packed_before: dict[str, PackedMessage],
) -> dict[str, PackedMessage]:
    """Return `resources` packed, with the very objects of before where nothing has changed.

    Where nothing at all has changed, that is the very dictionary of before.
    """
    others = [name for name, message in resources.items() if before.get(name) is not message]
    new = {
        name: one for name in others if (one := packed(resources[name])) != packed_before.get(name)
    }
    if resources.keys() == packed_before.keys():
        return {**packed_before, **new} if new else packed_before
    return {name: new[name] if name in new else packed_before[name] for name in resources}
