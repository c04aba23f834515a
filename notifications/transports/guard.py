"""No webhook reaches an address inside: a name is resolved once, checked, and exactly that address is connected to.

A check before the request would not do: between it and the connection the name may get another address.
"""

from __future__ import annotations

import ipaddress
import logging
import socket
import threading
import time
from concurrent.futures import Future
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.utils.translation import gettext as _
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError

from notifications.transports.hands import watched

log = logging.getLogger(__name__)
IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
Found = list[tuple[Any, ...]]  # as getaddrinfo has it
CONNECT = 5.0  # seconds to be connected, the question for the name included
_left_behind = threading.Semaphore(100)  # questions that nobody waits for any more

# Beyond what `is_global` refuses, as Python 3.11 knows it.
ALSO_INSIDE = (
    ipaddress.ip_network("192.0.0.0/24"),  # protocol assignments; metadata of some clouds
    ipaddress.ip_network("192.88.99.0/24"),  # 6to4 relays
    ipaddress.ip_network("168.63.129.16/32"),  # a cloud's metadata on a public address
    ipaddress.ip_network("fec0::/10"),  # site-local
)
NAT64 = ipaddress.ip_network("64:ff9b::/96")


class AddressRefused(Exception):
    """The endpoint is where webhooks do not go; the text says so to people."""


def allowed(ip: str, loopback_ok: bool) -> bool:
    """Whether a webhook may be sent to `ip`: a public unicast address that is not this machine's own, or loopback where
    `loopback_ok`."""
    address = _unwrapped(ipaddress.ip_address(ip.partition("%")[0]))
    if address.is_loopback:
        return loopback_ok
    if address.is_multicast or address.is_reserved or not address.is_global:
        return False
    if any(address in network for network in ALSO_INSIDE if network.version == address.version):
        return False
    return not _is_ours(address)


def _is_ours(address: IPAddress) -> bool:
    """Whether a network card of this machine has it: only such an address can be bound to, and binding sends nothing. Where the
    system lets anything be bound, this cannot be told."""
    nobodys = "192.0.2.1" if address.version == 4 else "2001:db8::1"  # RFC 5737, RFC 3849: for documents
    return _can_bind(str(address)) and not _can_bind(nobodys)


def _can_bind(ip: str) -> bool:
    try:
        with socket.socket(socket.AF_INET6 if ":" in ip else socket.AF_INET, socket.SOCK_DGRAM) as plug:
            plug.bind((ip, 0))
    except OSError:
        return False
    return True


def _is_our_name(host: str) -> bool:
    """Whether `host` is where this installation itself is reached, also when that is another machine in front of it."""
    return host.rstrip(".").lower() == (urlsplit(settings.SITE_URL).hostname or "").lower() and host != "localhost" and not _is_loopback(host)


def _unwrapped(address: IPAddress) -> IPAddress:
    """The IPv4 address that an IPv6 one carries (mapped, 6to4, Teredo, NAT64), else the address itself."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if address in NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour or (address.teredo[1] if address.teredo else None) or address


def objection(url: str, loopback_ok: bool) -> str | None:
    """Why `url` cannot be an endpoint, as a sentence; None when it can. Asks no name server."""
    try:
        parts = urlsplit(url)
        host, _port = parts.hostname or "", parts.port
    except ValueError:
        return _("This is not a web address. Write it like https://example.com/hooks.")
    if parts.scheme not in ("https", "http") or not host:
        return _("This is not a web address. Write it like https://example.com/hooks.")
    if parts.username or parts.password:
        return _("Leave the name and password out of the address; the signature says who sends.")
    here = host == "localhost" or _is_loopback(host)
    if parts.scheme == "http" and not (here and loopback_ok):
        return _("The address must begin with https://, so that nobody on the way can read along.")
    if _is_address(host) and not allowed(host, loopback_ok):
        return _("%(host)s is inside a private network. Webhooks go to public addresses.") % {"host": host}
    if _is_our_name(host):
        return _("%(host)s is this installation itself. Webhooks go to your own system.") % {"host": host}
    if host == "localhost" and not loopback_ok:
        return _("%(host)s is inside a private network. Webhooks go to public addresses.") % {"host": host}
    return None


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _is_loopback(host: str) -> bool:
    return _is_address(host) and ipaddress.ip_address(host).is_loopback


def resolve(host: str, port: int, *, loopback_ok: bool, only_loopback: bool, within: float = CONNECT) -> Found:
    """What `host` resolves to. AddressRefused if any of it is out of bounds; OSError if nothing; TimeoutError after `within`
    seconds. Only the log says where a name inside leads: whoever made the endpoint could map our network by it."""
    found = _look_up(host, port, within)
    for entry in found:
        ip = str(entry[4][0])
        if not allowed(ip, loopback_ok) or (only_loopback and not _is_loopback(ip)):
            log.warning("%s is at %s, where nothing is sent.", host, ip)
            raise AddressRefused(_("%(host)s is inside a private network. Webhooks go to public addresses.") % {"host": host})
    return found


def _look_up(host: str, port: int, within: float) -> Found:
    """getaddrinfo takes no time-out, so it is asked in a thread that may be left behind. When very many have been, this waits
    for as long as the system does."""
    answer: Future[Found] = Future()

    def ask() -> None:
        try:
            answer.set_result(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
        except Exception as error:
            answer.set_exception(error)

    threading.Thread(target=ask, name="name look-up", daemon=True).start()
    try:
        return answer.result(within)
    except TimeoutError:
        count = _left_behind
        if not count.acquire(blocking=False):
            return answer.result()
        answer.add_done_callback(lambda _answer: count.release())
        raise


class _Pinned:
    """Makes a connection resolve once and connect to what was checked. TLS still verifies the name."""

    loopback_ok = False
    only_loopback = False

    def _new_conn(self: Any) -> socket.socket:
        patience = self.timeout if isinstance(self.timeout, (int, float)) else CONNECT
        until = time.monotonic() + patience
        try:
            found = resolve(self._dns_host, self.port, loopback_ok=self.loopback_ok, only_loopback=self.only_loopback, within=patience)
            plug = _connected(found[:2], until)
        except socket.gaierror as error:
            raise NameResolutionError(self.host, self, error) from error
        except TimeoutError as error:
            raise ConnectTimeoutError(self, str(error)) from error
        except OSError as error:
            raise NewConnectionError(self, str(error)) from error
        plug.settimeout(patience)  # for TLS
        return plug


def _connected(found: Found, until: float) -> socket.socket:
    """A connection to the first of `found` that takes one; each gets its share of the time that is left. OSError when none does."""
    last = OSError("The name resolves to nothing.")
    for place, (family, kind, protocol, _name, address) in enumerate(found):
        plug = socket.socket(family, kind, protocol)
        try:
            plug.settimeout(max((until - time.monotonic()) / (len(found) - place), 0.1))
            plug.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            watched(plug)
            plug.connect(address)
        except OSError as error:
            plug.close()
            last = error
            continue
        return plug
    raise last


class GuardedAdapter(HTTPAdapter):
    """The adapter of a session that only ever reaches allowed addresses. Plain http reaches loopback alone."""

    def __init__(self, *, loopback_ok: bool) -> None:
        self.loopback_ok = loopback_ok
        super().__init__(max_retries=0, pool_connections=4, pool_maxsize=64)  # more than a sender has threads

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        ok = self.loopback_ok
        plain = type("PinnedHTTP", (_Pinned, HTTPConnection), {"loopback_ok": ok, "only_loopback": True})
        secure = type("PinnedHTTPS", (_Pinned, HTTPSConnection), {"loopback_ok": ok})
        self.poolmanager.pool_classes_by_scheme = {
            "http": type("PlainPool", (HTTPConnectionPool,), {"ConnectionCls": plain}),
            "https": type("SecurePool", (HTTPSConnectionPool,), {"ConnectionCls": secure}),
        }

    def proxy_manager_for(self, proxy: str, **_kwargs: Any) -> Any:
        raise AddressRefused(f"Webhooks go straight to their endpoint, never through {proxy}.")
