"""From the store to what runs: a commit becomes a snapshot for the Lambda host and the proxy.

One loop owns that, at its own pace: many commits may become one publication. Whatever did not work
(a host that is away, a port in use) is tried again.
"""

import asyncio
import logging
import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from ipaddress import IPv4Network
from pathlib import Path

from albatross import hosts_file, ports
from albatross.config import Config
from albatross.control.balance import Balance
from albatross.health.checker import Health
from albatross.host.client import HostClient
from albatross.host.view import View, may_differ, view
from albatross.model import remote
from albatross.model.listener import Listener
from albatross.model.load_balancer import LoadBalancer
from albatross.model.snapshot import Snapshot
from albatross.ports import Place, Wish
from albatross.store.contents import Contents
from albatross.store.store import Store
from albatross.telemetry.access_log import AccessLog
from albatross.telemetry.raw_log import REQUEST_LOG
from albatross.xds import names
from albatross.xds.function_urls import UrlSocket
from albatross.xds.memo import Memo
from albatross.xds.server import XdsServer
from albatross.xds.tls import TrustFiles
from albatross.xds.translate import Binding, Observed, translate

RETRY_S = 2.0  # after a port in use or a refused configuration
HOST_RETRY_S = 0.01  # how often to look for a host that is away
EXPIRED_S = 0.01  # after its end a certificate has expired
APPLY_S = 5.0  # longest wait for the proxy's answer to one publication

log = logging.getLogger(__name__)


class Publisher:
    """Keeps the proxy and the Lambda host at the store's revision."""

    def __init__(
        self,
        config: Config,
        run_dir: Path,
        store: Store,
        xds: XdsServer,
        host: HostClient,
        health: Health,
        balance: Balance,
        access_log: AccessLog,
        contents: Contents,
        cookie_key: bytes,
    ) -> None:
        self.snapshot = Snapshot(revision=-1)  # the last one published
        self.places: Mapping[str, Place] = {}  # where listeners are, by ARN
        self.in_effect = -1  # revision by which host and proxy work
        self.host_is_there = False
        self.problem: str | None = None  # why the last publication failed, for people
        self._config = config
        self._run_dir = run_dir
        self._store = store
        self._xds = xds
        self._host = host
        self._health = health
        self._balance = balance
        self._access_log = access_log
        self._contents = contents
        self._cookie_key = cookie_key
        self._remotes = remote.parse(config.remote_functions)
        self._idle_timeout = config.lambda_idle_timeout == "answer" and not config.debug
        self._held: set[tuple[str, int]] = set()  # open in the proxy
        self._held_of: Mapping[str, Binding] | None = None  # the bindings that are all open
        self._wake = asyncio.Event()
        self._sent = asyncio.Event()  # the proxy has been sent something
        self._memo = Memo()
        self._host_has: View | None = None  # by what the host works
        self._hosts_lost = 0  # so often it was gone
        self._host_view: tuple[Snapshot, View] | None = None  # the last one made, and of what
        self._followed: tuple[LoadBalancer, ...] | None = None  # by the access log
        self._bindings: Mapping[str, Binding] = {}  # of `places`
        self._in_hosts_file: tuple[LoadBalancer, ...] | None = None
        self._progress = asyncio.Event()
        self._hosts_file_fault = ""
        # The functions and aliases last seen, and whether one of them has a function URL.
        self._urls_of: tuple[object, object, bool] = (None, None, False)
        self._held_for_urls = False  # whether the proxy serves function URLs

    def changed(self, _revision: int = 0) -> None:
        """There is something new to publish."""
        self._wake.set()

    async def renew(self, cookie_key: bytes) -> None:
        """Publish with another key of stickiness cookies, and wait as `wait_in_effect` does."""
        self._cookie_key = cookie_key
        self.changed()
        await self.wait_in_effect()

    async def wait_in_effect(self) -> None:
        """Wait until what is committed now is in effect, at most `publish_wait_s`."""
        wanted = self._store.revision
        with suppress(TimeoutError):
            async with asyncio.timeout(self._config.publish_wait_s):
                await self._reach(wanted)

    async def wait_sent(self, timeout_s: float) -> None:
        """Wait until the first publication is on its way to the proxy."""
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await self._sent.wait()

    async def _reach(self, revision: int) -> None:
        while self.in_effect < revision:
            await self._progress.wait()

    async def missing(self) -> list[str]:
        """Return what is not ready yet, in words; nothing when requests are served."""
        found = []
        if not self.host_is_there:
            found.append("the Lambda host has not started")
        if not self._xds.connected:
            found.append("the proxy has not connected")
        elif not await self._xds.wait_applied(self.snapshot.revision, 0):
            found.append("the proxy has not taken its configuration")
        if self.in_effect < self._store.revision:
            found.append("the configuration is not in effect yet")
        return found

    def refused(self) -> Mapping[str, str]:
        """Return what the proxy refuses now: type of resource -> its words."""
        return self._xds.nacks

    def obstacle(
        self, balancer: LoadBalancer, listeners: Iterable[Listener], arn: str
    ) -> str | None:
        """Return why the listener `arn`, one of `listeners`, cannot be opened, or None."""
        wishes = [_wish(self._config, balancer, listener) for listener in listeners]
        place = ports.choose(wishes, self._held, supervisor=os.getppid())[arn]
        if self._is_for_urls(place.address, place.port):
            return f"Port {place.port} is for function URLs: the setting function_url_port."
        return place.error

    def obstacle_to_urls(self) -> str | None:
        """Return why function URLs cannot be served, or None."""
        if self._held_for_urls:
            return None
        address, port = self._config.bind, self._config.function_url_port
        if (address, port) in self._held:
            return f"Port {port} on {address} is a listener's: set function_url_port to another."
        wish = Wish("urls", "urls", address, port)
        place = ports.choose([wish], (), supervisor=os.getppid())["urls"]
        if place.port != port:
            return (
                f"Port {port} takes rights that this server does not have: set function_url_port."
            )
        return place.error

    async def run(self) -> None:
        """Publish for ever."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._follow_host())
            while True:
                with suppress(TimeoutError):
                    async with asyncio.timeout(self._pause_s()):
                        await self._wake.wait()
                self._wake.clear()
                await self._publish()

    def _pause_s(self) -> float | None:
        """Return when to publish again though nothing has changed; None: never."""
        if self._is_unsettled():
            return RETRY_S
        now = datetime.now(UTC)
        ends = (one.facts.not_after for one in self.snapshot.certificates)
        next_s = min(((end - now).total_seconds() for end in ends if end >= now), default=None)
        return None if next_s is None else next_s + EXPIRED_S

    def _is_unsettled(self) -> bool:
        return bool(
            self.problem
            or self._xds.nacks
            or (self.host_is_there and self._host_has is None)
            or any(place.error for place in self.places.values())
        )

    async def _follow_host(self) -> None:
        """Hold a connection to the host, to hear when it is replaced; configure each that comes."""
        path = str(self._run_dir / "control.sock")
        while True:
            try:
                reader, writer = await asyncio.open_unix_connection(path)
            except OSError:
                await asyncio.sleep(HOST_RETRY_S)
                continue
            self.host_is_there = True
            self.changed()
            try:
                await reader.read()  # it never says anything: this ends when the host does
            except OSError:
                pass
            finally:
                writer.close()
            self._lose_host()

    def _lose_host(self) -> None:
        self.host_is_there = False
        self._hosts_lost += 1
        self.in_effect = -1
        self._host_has = None

    async def _publish(self) -> None:
        snapshot = await self._store.snapshot()
        self._choose_places(snapshot)
        self.problem = None
        try:
            # The host first: it must know a target group before the proxy sends it requests.
            host_has_it = await self._publish_to_host(snapshot)
            if host_has_it:  # else functions would fail their first check
                self._health.update(snapshot)
            self._balance.follow(snapshot)
            if snapshot.load_balancers is not self._followed:
                self._access_log.follow(snapshot.load_balancers)
                self._followed = snapshot.load_balancers
            await self._publish_to_proxy(snapshot)
        except Exception as error:  # the API must live on, or nobody could mend what is wrong
            self.problem = f"revision {snapshot.revision} cannot be published: {error!r}"
            log.exception("revision %d cannot be published", snapshot.revision)
        self.snapshot = snapshot
        if not self.problem and host_has_it:
            self.in_effect = snapshot.revision
            self._progress.set()
            self._progress = asyncio.Event()
        await self._update_hosts_file()

    async def _publish_to_host(self, snapshot: Snapshot) -> bool:
        """Return whether the host works by `snapshot`. One that is away gets it when it is back."""
        if not self.host_is_there:
            return False
        wanted = self._view(snapshot)
        if self._host_has is not wanted:
            before, self._host_has = self._host_has, None
            lost = self._hosts_lost
            try:
                await self._host.apply(wanted, before)
            except OSError as error:
                log.info("the Lambda host cannot be told: %s", error)
                return False
            if lost != self._hosts_lost:  # the one that was told may be gone: the next is told all
                return False
            self._host_has = wanted
        return True

    def _view(self, snapshot: Snapshot) -> View:
        """Return the host's view of `snapshot`, the very one of before where they do not differ."""
        before, last = self._host_view or (None, None)
        if before is None or last is None:
            found = self._new_view(snapshot)
        elif may_differ(snapshot, before):
            found = self._new_view(snapshot)
            found = last if found.is_like(last) else found
        else:
            found = last
        self._host_view = (snapshot, found)
        return found

    def _new_view(self, snapshot: Snapshot) -> View:
        return view(snapshot, idle_timeout=self._idle_timeout, remotes=self._remotes)

    async def _publish_to_proxy(self, snapshot: Snapshot) -> None:
        resources = translate(
            snapshot,
            self._bindings,
            lambda_socket=str(self._run_dir / "lambda.sock"),
            lambda_idle_timeout=self._idle_timeout,
            observed=Observed(str(self._run_dir / REQUEST_LOG), self._config.debug_headers),
            cookie_key=self._cookie_key,
            routable=self._health.routable,
            weights=self._balance.weights,
            trust_files=(
                await asyncio.to_thread(_trust_files, self._contents, snapshot)
                if snapshot.trust_stores
                else {}
            ),
            now=datetime.now(UTC),
            memo=self._memo,
            function_urls=self._url_socket(snapshot),
        )
        self._xds.publish(resources, snapshot.revision)
        self._sent.set()
        if not await self._xds.wait_applied(snapshot.revision, APPLY_S):
            log.warning("the proxy has not answered revision %d yet", snapshot.revision)
        refused = self._xds.nacks.get("Listener", "")
        socket = self._url_socket(snapshot)
        self._held_for_urls = socket is not None and socket.name not in refused
        if refused or self._held_of is not self._bindings:
            self._held = {
                (place.address, place.port)
                for place in self._bindings.values()
                if names.socket(place.address, place.port) not in refused
            }
            self._held_of = None if refused else self._bindings

    def _is_for_urls(self, address: str, port: int) -> bool:
        return (address, port) == (self._config.bind, self._config.function_url_port)

    def _url_socket(self, snapshot: Snapshot) -> UrlSocket | None:
        """Return where function URLs are served, None while there are none."""
        config, port = self._config, self._config.function_url_port
        if snapshot.functions is not self._urls_of[0] or snapshot.aliases is not self._urls_of[1]:
            has_any = next(snapshot.function_urls(), None) is not None
            self._urls_of = (snapshot.functions, snapshot.aliases, has_any)
        if not port or not self._urls_of[2]:
            return None
        if (config.bind, port) in {(one.address, one.port) for one in self._bindings.values()}:
            return None  # a listener has been there before
        return UrlSocket(config.bind, port, str(self._run_dir / "urls.sock"))

    def _choose_places(self, snapshot: Snapshot) -> None:
        if (
            snapshot.listeners is self.snapshot.listeners
            and snapshot.load_balancers is self.snapshot.load_balancers
            and self._held_of is self._bindings  # all of them are open
            and len(self._bindings) == len(snapshot.listeners)
        ):
            return
        balancers = {balancer.arn: balancer for balancer in snapshot.load_balancers}
        wishes = [
            _wish(self._config, balancers[listener.load_balancer_arn], listener)
            for listener in snapshot.listeners
        ]
        before = self.places
        self.places = ports.choose(wishes, self._held, supervisor=os.getppid())
        for listener in snapshot.listeners:
            place = self.places[listener.arn]
            if place != before.get(listener.arn):
                run = self._config.run
                forwarded_port = run.forwarded_port if run is not None else None
                _tell(balancers[listener.load_balancer_arn], listener, place, forwarded_port)
        bindings = {
            arn: Binding(place.address, place.port)
            for arn, place in self.places.items()
            if place.error is None
        }
        if bindings != self._bindings:
            self._bindings = bindings

    def names(self) -> list[tuple[str, str]]:
        """Return each load balancer's DNS name and address."""
        return [
            (balancer.dns_name, _address(self._config, balancer))
            for balancer in self.snapshot.load_balancers
        ]

    async def _update_hosts_file(self) -> None:
        path, balancers = self._config.hosts_file, self.snapshot.load_balancers
        if not path or balancers is self._in_hosts_file:
            return
        try:
            await asyncio.to_thread(hosts_file.update, path, hosts_file.lines(self.names()))
            self._hosts_file_fault, self._in_hosts_file = "", balancers
        except OSError as error:
            if str(error) != self._hosts_file_fault:
                log.warning("%s; `albatross hosts` prints the lines to put there", error)
            self._hosts_file_fault = str(error)


def _trust_files(contents: Contents, snapshot: Snapshot) -> dict[str, TrustFiles]:
    """Return where the content of each trust store is. One that cannot be read is absent."""
    found = {}
    for store in snapshot.trust_stores:
        lists = [one.content for one in store.revocations]
        try:
            contents.path(store.bundle).stat()
            revocations = str(contents.joined(lists)) if lists else None
        except OSError as error:
            log.error("the trust store %s cannot be read: %s", store.arn, error)
            continue
        found[store.arn] = TrustFiles(str(contents.path(store.bundle)), revocations)
    return found


def _tell(
    balancer: LoadBalancer, listener: Listener, place: Place, forwarded_port: int | None
) -> None:
    if place.error:
        log.error(
            "listener %d of %s does not listen: %s", listener.port, balancer.name, place.error
        )
        return
    url = f"{listener.protocol.lower()}://{names.socket(place.address, place.port)}"
    if listener.port in (place.port, forwarded_port):
        log.info("listener %d of %s: %s (%s)", listener.port, balancer.name, url, balancer.dns_name)
    else:
        log.warning(
            "listener %d of %s listens on port %d, %s: ports below 1024 take rights that this "
            "server does not have",
            *(listener.port, balancer.name, place.port, url),
        )


def _wish(config: Config, balancer: LoadBalancer, listener: Listener) -> Wish:
    port = listener.port
    if config.run is not None and port == config.run.forwarded_port:
        port = config.run.port
    return Wish(listener.arn, balancer.arn, _address(config, balancer), port)


def _address(config: Config, balancer: LoadBalancer) -> str:
    """Return the address on which `balancer` listens."""
    if not config.addresses:
        return config.bind
    network = IPv4Network(config.addresses)
    # The network's own address and its broadcast address are nobody's.
    return str(network[1 + balancer.slot % (network.num_addresses - 2)])
