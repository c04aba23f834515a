"""JSON-RPC over HTTP, as chain nodes speak it (https://www.jsonrpc.org/specification): several nodes, one asked at a time.

Nothing here knows a chain. What a node says is never trusted to be small, quick, or well formed; what is said about a
node names its host alone, since a URL can hold a key or a password.
"""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal
from functools import partial
from typing import Any, TypeVar
from urllib.parse import unquote, urlsplit, urlunsplit

import requests
from requests.auth import HTTPBasicAuth
from urllib3.exceptions import HTTPError, ReadTimeoutError

from payments.rails.base import RailUnreachable

T = TypeVar("T")
Call = tuple[str, Sequence[Any]]

TIMEOUT = (3.0, 10.0)  # seconds to connect, and between two pieces of the answer
DEADLINE = 30.0  # seconds for the whole answer
MOST_BYTES = 64 * 2**20
MOST_CALLS = 100  # in one batch, until a node refuses so many
LESS, MORE = 4, 2  # a quarter of a batch that was refused is asked for next, and twice as many after GOOD_BATCHES as big as may be
GOOD_BATCHES = 20
TOO_MANY = (400, 403, 413, 500)  # HTTP statuses of servers that take fewer calls at once, whatever the body says
BUSY = re.compile(r"rate.?limit|too many requests|request rate|requests? per |slow down|throttl|compute units|request count exceeded", re.IGNORECASE)
ASIDE = 60.0  # seconds for which a node that failed is asked after the others
PIECE = 2**16
LONGEST_REFUSAL = 200


class RpcError(RailUnreachable):
    """The node answered, and refused. Its text is the node's own, shortened, without anything of its URL."""

    def __init__(self, text: str, code: int = 0) -> None:
        super().__init__(text)
        self.code = code


class Overcharged(RailUnreachable):
    """The node answered by an HTTP status that some give to more than they take at once."""


class Node:
    """One node, by its URL; `user:password@` in it is sent as HTTP basic authentication. Threads may share it: each has
    its own connections."""

    def __init__(self, url: str, *, timeout: tuple[float, float] = TIMEOUT, most_bytes: int = MOST_BYTES) -> None:
        parts = urlsplit(url)
        self.host = f"{parts.hostname}:{parts.port}" if parts.port else parts.hostname or ""
        self.timeout, self.most_bytes, self.most_calls = timeout, most_bytes, MOST_CALLS
        self.is_verified = False
        self._good = 0  # batches of `most_calls` that were answered since that changed
        self._answered = 1  # the most calls of a batch that was
        self.aside_until = 0.0  # by time.monotonic()
        self._url = urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
        self._auth = HTTPBasicAuth(unquote(parts.username or "").encode(), unquote(parts.password or "").encode()) if parts.username else None
        secrets = [*parts.path.split("/"), *re.split("[&=]", parts.query), parts.username, parts.password, unquote(parts.password or "")]
        self._secrets = sorted({text for text in secrets if text and len(text) > 3}, key=len, reverse=True)
        self._mine = threading.local()

    def call(self, method: str, params: Sequence[Any] = (), *, timeout: tuple[float, float] | None = None) -> Any:
        """The result of one call: ints as int, every other number as Decimal. RpcError when it is refused, RailUnreachable
        when no sensible answer comes."""
        answer = self._post(_request(0, (method, params)), timeout)
        return self._result(answer, 0)

    def batch(self, calls: Iterable[Call], *, tolerant: bool = False, timeout: tuple[float, float] | None = None) -> list[Any]:
        """The results of many calls, in their order. The first refusal is raised, or, if `tolerant`, each stands as RpcError
        in the place of its result. A node that refuses so many at once is asked in smaller batches, and for a while in
        small ones only."""
        left, results, before = list(calls), [], self.most_calls
        while left:
            size = min(self.most_calls, len(left))
            try:
                results += self._batch(left[:size], timeout)
            except (RpcError, Overcharged):
                if size == 1:
                    self.most_calls = before  # that they were many was not the reason
                    raise
                self._shrink(size)
            else:
                left = left[size:]
                self._grow(size)
        refused = next((one for one in results if isinstance(one, RpcError)), None)
        if refused is not None and not tolerant:
            raise refused
        return results

    def _shrink(self, refused: int) -> None:
        if self._answered >= refused:  # it takes less than it did
            self._answered = 1
        self.most_calls, self._good = max(refused // LESS, self._answered), 0

    def _grow(self, answered: int) -> None:
        """One refusal may have been a passing one, so it is not for ever."""
        self._answered = max(self._answered, answered)
        self._good += answered == self.most_calls
        if self._good >= GOOD_BATCHES:
            self.most_calls, self._good = min(self.most_calls * MORE, MOST_CALLS), 0

    def _batch(self, calls: list[Call], timeout: tuple[float, float] | None) -> list[Any]:
        if len(calls) == 1:
            try:
                return [self.call(*calls[0], timeout=timeout)]
            except RpcError as error:
                return [error]
        answers = self._post([_request(number, call) for number, call in enumerate(calls)], timeout)
        if isinstance(answers, dict):  # an error about the batch itself
            self._result(answers, None)
        listed = answers if isinstance(answers, list) else []
        if 0 < len(listed) < len(calls) and all(isinstance(one, dict) and one.get("error") is not None for one in listed):
            self._result(listed[0], None)  # some put it into a list
        by_number = {one["id"]: one for one in listed if isinstance(one, dict) and isinstance(one.get("id"), int)}
        if by_number.keys() != set(range(len(calls))):
            raise self._failed("answered another batch than it was asked")
        return [self._result_or_refusal(by_number[number], number) for number in range(len(calls))]

    def _result_or_refusal(self, answer: Any, number: int) -> Any:
        try:
            return self._result(answer, number)
        except RpcError as error:
            return error

    def _result(self, answer: Any, number: int | None) -> Any:
        if isinstance(answer, dict) and answer.get("error") is not None:
            error = answer["error"]
            code, text = (error.get("code"), error.get("message")) if isinstance(error, dict) else (0, error)
            if code == 429 or _is_busy(str(text)):
                raise RailUnreachable(f"{self.host} is asked too often: {self._readable(text)}")
            raise RpcError(f"{self.host} refused: {self._readable(text)}", code if isinstance(code, int) else 0)
        if not isinstance(answer, dict) or "result" not in answer or answer.get("id") != number:
            raise self._failed("gave an answer that is no JSON-RPC")
        return answer["result"]

    def _readable(self, text: object) -> str:
        """A node's own words without control characters, URLs, and whatever of our URL it repeats."""
        found = re.sub(r"\w+://\S+", "…", str(text))
        for secret in self._secrets:
            found = found.replace(secret, "…")
        return " ".join("".join(letter if letter.isprintable() else " " for letter in found).split())[:LONGEST_REFUSAL] or "no reason given"

    def _failed(self, why: str) -> RailUnreachable:
        return RailUnreachable(f"{self.host} {why}.")

    # --- HTTP ---------------------------------------------------------------------------------------------------
    def _session(self) -> requests.Session:
        session: requests.Session | None = getattr(self._mine, "session", None)
        if session is None:
            session = self._mine.session = requests.Session()
            session.trust_env = False  # no proxy, no .netrc: the operator wrote down whom to ask
            session.auth = self._auth
        return session

    def _post(self, body: object, timeout: tuple[float, float] | None) -> Any:
        return self._parsed(*self._sent(json.dumps(body).encode(), timeout))

    def _sent(self, body: bytes | None, timeout: tuple[float, float] | None = None, *, url: str = "") -> tuple[int, bytes]:
        """Status and body of the answer to a POST of `body`, or to a GET without one."""
        send = partial(self._ask, body, timeout or self.timeout, url or self._url)
        try:
            try:
                return send()
            except (requests.ConnectTimeout, requests.exceptions.SSLError):
                raise
            except (requests.ConnectionError, ConnectionError):  # a kept connection that the node had closed: all calls only read
                return send()
        except requests.ConnectTimeout:
            raise self._failed("could not be reached in time") from None
        except (requests.Timeout, ReadTimeoutError):
            raise self._failed("did not answer in time") from None
        except (requests.RequestException, HTTPError, OSError) as error:
            raise self._failed(_in_words(error)) from None

    def _ask(self, body: bytes | None, timeout: tuple[float, float], url: str) -> tuple[int, bytes]:
        until = time.monotonic() + DEADLINE
        headers = {"content-type": "application/json", "user-agent": "Quittance/1"}
        method = "GET" if body is None else "POST"
        with self._session().request(method, url, data=body, headers=headers, timeout=timeout, allow_redirects=False, stream=True) as response:
            pieces, size = [], 0
            while piece := response.raw.read1(PIECE, decode_content=True):
                pieces.append(piece)
                size += len(piece)
                if size > self.most_bytes:
                    raise RpcError(f"{self.host} answered more than {self.most_bytes // 2**20} MB.")
                if time.monotonic() > until:
                    raise requests.ReadTimeout
            return response.status_code, b"".join(pieces)

    def _parsed(self, status: int, text: bytes) -> Any:
        """Nodes of Bitcoin's family put a refusal into HTTP 404 and 500, so a well-formed one counts whatever the status."""
        try:
            answer = json.loads(text, parse_float=Decimal, parse_constant=_no_number)
        except (ValueError, RecursionError):
            answer = None
        if status == 200 and answer is not None:
            return answer
        if status in (400, 404, 413, 500) and isinstance(answer, dict) and isinstance(answer.get("error"), dict):
            return answer
        if status in TOO_MANY and not _is_busy(text[:PIECE].decode(errors="replace")):
            raise Overcharged(f"{self.host} answered HTTP {status}.")
        raise self._failed("gave an answer that is no JSON" if status == 200 else f"answered HTTP {status}")


class Client:
    """The nodes of one network, first come first asked. Each thread stays on one of them from one `pick` to the next.

    `verify` is asked of each node before its first use and again after it failed; it raises RailUnreachable for a node of
    another chain.
    """

    def __init__(self, urls: Iterable[str], *, verify: Callable[[Node], None] = lambda node: None, make: Callable[[str], Node] = Node) -> None:
        self.nodes = [make(url) for url in urls]
        self._verify = verify
        self._mine = threading.local()

    def pick(self, ask: Callable[[Node], T]) -> T:
        """What the first node says that can be asked `ask`; it is the one for all calls of this thread from now on.
        RailUnreachable, with the words of the last, when none can."""
        failure = RailUnreachable("No node is configured.")
        for node in sorted(self.nodes, key=_turn):
            try:
                self.verified(node)
                found = ask(node)
            except RailUnreachable as error:
                failure = error
                self.set_aside(node)
            else:
                self._mine.node = node
                return found
        raise failure

    def verified(self, node: Node) -> Node:
        if not node.is_verified:
            self._verify(node)
            node.is_verified = True
        return node

    @property
    def node(self) -> Node:
        """The node of this thread, picked now if there is none yet."""
        if getattr(self._mine, "node", None) is None:
            self.pick(lambda node: None)
        found: Node = self._mine.node
        return found

    @property
    def others(self) -> list[Node]:
        """The other nodes, but for those that failed a moment ago."""
        return [node for node in self.nodes if node is not self.node and _turn(node) == 0]

    @property
    def host(self) -> str:
        """The host that this thread asks, or would ask first."""
        node = getattr(self._mine, "node", None) or next(iter(sorted(self.nodes, key=_turn)), None)
        return node.host if node else ""

    def call(self, method: str, params: Sequence[Any] = ()) -> Any:
        """As Node.call, of this thread's node. A node that gives no sensible answer is left for the next pass; one that
        refuses is not: that can be what the caller wanted to know."""
        return self._asked(lambda node: node.call(method, params))

    def batch(self, calls: Iterable[Call], *, tolerant: bool = False) -> list[Any]:
        """As Node.batch, of this thread's node."""
        return self._asked(lambda node: node.batch(calls, tolerant=tolerant))

    def leave(self) -> None:
        """Ask another node from the next `pick` on, since this one's answers are no use."""
        node = getattr(self._mine, "node", None)
        if node is not None:
            self.set_aside(node)

    def set_aside(self, node: Node) -> None:
        """Ask `node` after the others for a while, and verify it anew."""
        node.is_verified = False
        node.aside_until = time.monotonic() + ASIDE
        if getattr(self._mine, "node", None) is node:
            self._mine.node = None

    def _asked(self, ask: Callable[[Node], T]) -> T:
        try:
            return ask(self.node)
        except RpcError:
            raise
        except RailUnreachable:
            self.leave()
            raise


def _turn(node: Node) -> float:
    """Nodes in order are asked as they are listed, then those that failed, longest ago first."""
    return node.aside_until if node.aside_until > time.monotonic() else 0.0


def _is_busy(text: str) -> bool:
    """Whether a refusal speaks of how often the node is asked, and not of how much at once."""
    return BUSY.search(text) is not None and "batch" not in text.lower()


def _request(number: int, call: Call) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": number, "method": call[0], "params": list(call[1])}


def _no_number(text: str) -> None:
    raise ValueError(f"{text} is no number of JSON")


def _in_words(error: Exception) -> str:
    if isinstance(error, requests.exceptions.SSLError):
        return "has a certificate that cannot be trusted, or does not speak TLS"
    if "NameResolutionError" in str(error) or "Failed to resolve" in str(error):
        return "is not known to the domain name system"
    return "refused the connection" if "refused" in str(error) else "broke off the connection"
