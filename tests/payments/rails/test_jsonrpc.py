"""The JSON-RPC client against a server on loopback that answers as it likes."""

from __future__ import annotations

import gzip
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from payments.rails import RailUnreachable, jsonrpc
from payments.rails.jsonrpc import Client, Node, RpcError

Answer = Callable[[BaseHTTPRequestHandler, Any], None]
KEY = "f00dfacef00dfacef00dface"


class Server:
    """Answers every POST by `answer`; counts them, and what each asked."""

    def __init__(self) -> None:
        self.answer: Answer = echo
        self.asked: list[Any] = []
        self.headers: list[dict[str, str]] = []
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                server.asked.append(body)
                server.headers.append({name.lower(): value for name, value in self.headers.items()})
                server.answer(self, body)

            def log_message(self, format: str, *args: object) -> None: ...

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.port = self.server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.host = f"127.0.0.1:{self.port}"
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def stop(self) -> None:
        self.server.shutdown()
        self.server.server_close()


def send(handler: BaseHTTPRequestHandler, body: bytes, status: int = 200, **headers: str) -> None:
    handler.send_response(status)
    for name, value in {"content-length": str(len(body)), **headers}.items():
        handler.send_header(name, value)
    handler.end_headers()
    handler.wfile.write(body)


def raw(body: bytes, status: int = 200, **headers: str) -> Answer:
    return lambda handler, _asked: send(handler, body, status, **headers)


def result_of(call: dict[str, Any]) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": call["id"], "result": [call["method"], *call["params"]]}


def echo(handler: BaseHTTPRequestHandler, asked: Any) -> None:
    found = [result_of(call) for call in reversed(asked)] if isinstance(asked, list) else result_of(asked)
    send(handler, json.dumps(found).encode())


def refusing(message: str, code: int = -32000, status: int = 200) -> Answer:
    return raw(json.dumps({"jsonrpc": "2.0", "id": None, "error": {"code": code, "message": message}}).encode(), status)


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server()
    yield made
    made.stop()


@pytest.fixture
def second() -> Iterator[Server]:
    made = Server()
    yield made
    made.stop()


@pytest.fixture
def closed_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


# --- one node ---------------------------------------------------------------------------------------------------
def test_a_call_has_its_result_and_a_batch_has_them_in_its_order(server: Server) -> None:
    node = Node(server.url)
    assert node.call("a", [1, "x"]) == ["a", 1, "x"]
    assert node.batch([("a", [1]), ("b", []), ("c", [3])]) == [["a", 1], ["b"], ["c", 3]]
    assert node.batch([]) == []
    assert len(server.asked) == 2


def test_numbers_are_exact(server: Server) -> None:
    server.answer = raw(
        b'{"id": 0, "result": [0.00000001, 21000000.12345678, 115792089237316195423570985008687907853269984665640564039457584007913129639935, 1e-8]}'
    )
    assert Node(server.url).call("a") == [Decimal("0.00000001"), Decimal("21000000.12345678"), 2**256 - 1, Decimal("1e-8")]


def test_a_refusal_is_an_error_of_its_own_with_its_code(server: Server) -> None:
    server.answer = refusing("query exceeds the maximum of 1000 blocks", -32005)
    with pytest.raises(RpcError, match="refused: query exceeds the maximum") as caught:
        Node(server.url).call("a")
    assert caught.value.code == -32005


def test_nodes_of_bitcoins_family_refuse_with_http_500(server: Server) -> None:
    server.answer = raw(b'{"result": null, "error": {"code": -5, "message": "No such transaction"}, "id": 0}', 500)
    with pytest.raises(RpcError, match="No such transaction") as caught:
        Node(server.url).call("a")
    assert caught.value.code == -5


def test_a_refusal_in_a_batch_is_raised_or_stands_in_its_place(server: Server) -> None:
    answers = [{"id": 0, "result": 1}, {"id": 1, "error": {"code": -5, "message": "gone"}}]
    server.answer = raw(json.dumps(answers).encode())
    with pytest.raises(RpcError, match="gone"):
        Node(server.url).batch([("a", []), ("b", [])])
    one, refused = Node(server.url).batch([("a", []), ("b", [])], tolerant=True)
    assert (one, type(refused), refused.code) == (1, RpcError, -5)


def at_most(calls: int, refuse: Answer) -> Answer:
    return lambda handler, asked: (refuse if isinstance(asked, list) and len(asked) > calls else echo)(handler, asked)


def numbered(count: int) -> list[tuple[str, list[Any]]]:
    return [("a", [number]) for number in range(count)]


def sizes(server: Server) -> list[int]:
    return [len(asked) if isinstance(asked, list) else 1 for asked in server.asked]


@pytest.mark.parametrize(
    "refuse",
    [
        refusing("Batch of more than 3 requests are not allowed on free plan", 31, status=500),
        refusing("batch too large: too many requests", -32600),
        refusing("batch too large", -32600, status=403),
        raw(b'{"message": "Batch of more than 3 requests are not allowed", "code": 31}', 500),
        raw(b"<html>Request Entity Too Large</html>", 413),
        raw(b"", 400),
        raw(b'[{"jsonrpc": "2.0", "id": 0, "error": {"code": -32600, "message": "batch too large"}}]'),
        raw(b'[{"jsonrpc": "2.0", "id": null, "error": {"code": -32600, "message": "batch too large"}}]'),
    ],
)
def test_a_node_that_takes_few_at_once_is_asked_in_smaller_batches(server: Server, refuse: Answer) -> None:
    server.answer = at_most(3, refuse)
    node = Node(server.url)
    assert node.batch(numbered(24)) == [["a", number] for number in range(24)]
    assert sizes(server) == [24, 6, *[1] * 20, 2, 2]


def test_how_many_a_node_takes_is_remembered_and_found_out_anew_now_and_then(server: Server) -> None:
    server.answer = at_most(10, raw(b"", 500))
    node = Node(server.url)
    for _batch in range(9):
        assert node.batch(numbered(30)) == [["a", number] for number in range(30)]
    in_sevens = [7, 7, 7, 7, 2]
    assert sizes(server) == [30, *in_sevens * 5, 14, *in_sevens * 4]


def test_one_passing_refusal_makes_batches_smaller_for_a_while_only(server: Server) -> None:
    node = Node(server.url)
    server.answer = refusing("internal error", -32603, status=500)
    with pytest.raises(RpcError):
        node.batch(numbered(100))
    server.answer = echo
    for _batch in range(70):
        node.batch(numbered(100))
    before = len(server.asked)
    node.batch(numbered(100))
    assert sizes(server)[before:] == [100]


@pytest.mark.parametrize(
    "refuse",
    [
        refusing("rate limited, slow down", -32005),
        refusing("Too Many Requests", -32005, status=500),
        refusing("daily request count exceeded, request rate limited", -32005, status=403),
        refusing("Your app has exceeded its compute units per second capacity", 429),
        raw(b"too many requests", 429),
        raw(b"too many requests", 403),
        raw(b'[{"id": 0, "result": 1}, {"id": 1, "error": {"code": 429, "message": "exceeded"}}]'),
    ],
)
def test_a_node_that_is_asked_too_often_is_left_and_asked_for_as_many_later(server: Server, second: Server, refuse: Answer) -> None:
    server.answer = at_most(1, refuse)
    client = Client([server.url, second.url])
    for tolerant in (False, True):
        client.nodes[0].aside_until = 0.0
        client.pick(lambda node: node.call("head"))
        with pytest.raises(RailUnreachable, match=r"asked too often|HTTP 4") as caught:
            client.batch(numbered(2), tolerant=tolerant)
        assert not isinstance(caught.value, RpcError)
        assert client.pick(lambda node: node.host) == second.host
    assert (sizes(server), client.nodes[0].most_calls) == ([1, 2, 1, 2], 100)


def test_a_node_that_fails_whatever_the_batch_is_left_after_a_few_tries(server: Server) -> None:
    server.answer = raw(b"", 500)
    node = Node(server.url)
    with pytest.raises(RailUnreachable, match="HTTP 500"):
        node.batch(numbered(200))
    assert (sizes(server), node.most_calls) == ([100, 25, 6, 1], 100)


@pytest.mark.parametrize(
    "answer",
    [
        raw(b""),
        raw(b"<html>rate limited</html>"),
        raw(b"null"),
        raw(b"[]"),
        raw(b'"x"'),
        raw(b'{"id": 0}'),
        raw(b'{"id": 7, "result": 1}'),
        raw(b'{"id": 0, "result": NaN}'),
        raw(b'{"id": 0, "result": Infinity}'),
        raw(b'{"id": 0, "result": ' + b"[" * 100_000 + b"}"),
        raw(b'{"id": 0, "result": ' + b"9" * 5000 + b"}"),
        raw(b'{"id": 0, "result": "\xff\xfe"}'),
        raw(b'{"id": 0, "result": 1}', 503),
        raw(b'{"id": 0, "error": {"code": 1, "message": "slow down"}}', 429),
        raw(b'{"id": 0, "error": {"code": 1, "message": "who are you"}}', 401),
        raw(b"", 204),
        raw(b"{}", 200, **{"content-encoding": "gzip"}),
    ],
)
def test_no_sensible_answer_is_a_node_that_cannot_be_asked(server: Server, answer: Answer) -> None:
    server.answer = answer
    for ask in (lambda: Node(server.url).call("a"), lambda: Node(server.url).batch([("a", []), ("b", [])])):
        with pytest.raises(RailUnreachable, match=f"^{server.host} ") as caught:
            ask()
        assert not isinstance(caught.value, RpcError)


@pytest.mark.parametrize("ids", [[0], [0, 0], [0, 1, 2], ["0", "1"], [0, None]])
def test_an_answer_to_another_batch_is_none(server: Server, ids: list[Any]) -> None:
    server.answer = raw(json.dumps([{"id": number, "result": 1} for number in ids]).encode())
    with pytest.raises(RailUnreachable, match="another batch"):
        Node(server.url).batch([("a", []), ("b", [])])


def test_an_answer_that_does_not_end_is_cut_off(server: Server) -> None:
    def endless(handler: BaseHTTPRequestHandler, _asked: Any) -> None:
        handler.send_response(200)
        handler.send_header("transfer-encoding", "chunked")
        handler.end_headers()
        try:
            while True:
                handler.wfile.write(b"10000\r\n" + b" " * 0x10000 + b"\r\n")
        except OSError:
            handler.close_connection = True

    server.answer = endless
    with pytest.raises(RpcError, match="more than 1 MB"):
        Node(server.url, most_bytes=2**20).call("a")


def test_an_answer_packed_a_thousandfold_is_cut_off(server: Server) -> None:
    server.answer = raw(gzip.compress(b" " * 2**24), **{"content-encoding": "gzip"})
    with pytest.raises(RpcError, match="more than 1 MB"):
        Node(server.url, most_bytes=2**20).call("a")


def test_a_silent_node_is_left_after_its_time(server: Server) -> None:
    free = threading.Event()
    server.answer = lambda handler, asked: free.wait(5) and None
    began = time.monotonic()
    with pytest.raises(RailUnreachable, match="did not answer in time"):
        Node(server.url, timeout=(1, 0.2)).call("a")
    assert time.monotonic() - began < 2
    free.set()


def test_a_node_that_drips_is_left_after_the_whole_time(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    def drip(handler: BaseHTTPRequestHandler, _asked: Any) -> None:
        handler.send_response(200)
        handler.send_header("content-length", "1000")
        handler.end_headers()
        try:
            for _piece in range(1000):
                handler.wfile.write(b" ")
                time.sleep(0.02)
        except OSError:
            handler.close_connection = True

    monkeypatch.setattr(jsonrpc, "DEADLINE", 0.3)
    server.answer = drip
    with pytest.raises(RailUnreachable, match="did not answer in time"):
        Node(server.url).call("a")


def test_a_redirect_is_not_followed(server: Server, second: Server) -> None:
    server.answer = raw(b"", 307, location=second.url)
    with pytest.raises(RailUnreachable, match="answered HTTP 307"):
        Node(server.url).call("a")
    assert second.asked == []


def test_a_broken_connection_is_tried_once_more(server: Server) -> None:
    def first_time_broken(handler: BaseHTTPRequestHandler, asked: Any) -> None:
        if len(server.asked) == 2:
            handler.close_connection = True
        else:
            echo(handler, asked)

    server.answer = first_time_broken
    node = Node(server.url)
    assert (node.call("a"), node.call("b")) == (["a"], ["b"])
    assert len(server.asked) == 3


def test_a_connection_that_always_breaks_is_given_up(server: Server) -> None:
    server.answer = lambda handler, asked: setattr(handler, "close_connection", True)
    with pytest.raises(RailUnreachable, match="broke off the connection"):
        Node(server.url).call("a")
    assert len(server.asked) == 2


def test_a_user_in_the_url_is_basic_authentication(server: Server) -> None:
    assert Node(f"http://ines:p%40ss@{server.host}/wallet").call("a") == ["a"]
    assert server.headers[0]["authorization"] == "Basic aW5lczpwQHNz"


def test_no_proxy_and_no_netrc_of_the_machine_is_used(server: Server, second: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login somebody password else\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, second.url)
    monkeypatch.setenv("no_proxy", "")
    monkeypatch.setenv("NO_PROXY", "")
    assert Node(server.url).call("a") == ["a"]
    assert (second.asked, "authorization" in server.headers[0]) == ([], False)


# --- secrets ----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "answer",
    [
        refusing(f"invalid project id {KEY}"),
        refusing(f"see https://node.example/v3/{KEY}?again=1"),
        raw(b"", 403),
        raw(b"", 302, location=f"https://node.example/{KEY}"),
        raw(b"[]"),
        lambda handler, asked: setattr(handler, "close_connection", True),
    ],
)
def test_no_message_holds_a_key_or_a_password(server: Server, answer: Answer) -> None:
    server.answer = answer
    url = f"http://harbour:{KEY}@{server.host}/v3/{KEY}?token={KEY}"
    with pytest.raises(RailUnreachable) as caught:
        Node(url).call("a")
    error: BaseException | None = caught.value
    assert server.host in str(error)
    while error:
        assert KEY not in f"{error!r} {error}"
        error = error.__cause__


def test_no_message_of_a_node_that_is_not_there_holds_a_key(closed_port: int) -> None:
    for host in (f"127.0.0.1:{closed_port}", "node.invalid"):
        with pytest.raises(RailUnreachable, match=f"^{host} (refused the connection|is not known)") as caught:
            Node(f"http://harbour:{KEY}@{host}/{KEY}").call("a")
        assert KEY not in str(caught.value)


def test_a_refusal_is_shortened_and_holds_no_control_characters(server: Server) -> None:
    server.answer = refusing("a\n\x1b[31m\u202e" + "b" * 10_000)
    with pytest.raises(RpcError) as caught:
        Node(server.url).call("a")
    text = str(caught.value)
    assert (len(text) < 260, text.isprintable()) == (True, True)


# --- several nodes ----------------------------------------------------------------------------------------------
def chain_of(number: int) -> Callable[[Node], None]:
    def verify(node: Node) -> None:
        if node.call("chain") != number:
            raise RailUnreachable(f"{node.host} is another chain.")

    return verify


def answering(chain: int) -> Answer:
    def answer(handler: BaseHTTPRequestHandler, asked: Any) -> None:
        send(handler, json.dumps({"id": asked["id"], "result": chain if asked["method"] == "chain" else asked["method"]}).encode())

    return answer


def methods(server: Server) -> list[str]:
    return [call["method"] for call in server.asked]


def test_the_first_node_is_asked_and_verified_once(server: Server, second: Server) -> None:
    server.answer = second.answer = answering(1)
    client = Client([server.url, second.url], verify=chain_of(1))
    assert [client.pick(lambda node: node.call("head")) for _pass in range(3)] == ["head"] * 3
    assert client.call("logs") == "logs"
    assert (methods(server), methods(second)) == (["chain", "head", "head", "head", "logs"], [])
    assert client.host == server.host


def test_a_node_of_another_chain_is_never_used(server: Server, second: Server) -> None:
    server.answer, second.answer = answering(2), answering(1)
    client = Client([server.url, second.url], verify=chain_of(1))
    assert client.pick(lambda node: node.call("head")) == "head"
    assert (methods(server), methods(second)) == (["chain"], ["chain", "head"])


def test_a_pass_that_breaks_in_the_middle_fails_and_the_next_one_asks_the_other_node(server: Server, second: Server) -> None:
    server.answer = second.answer = answering(1)
    client = Client([server.url, second.url], verify=chain_of(1))
    client.pick(lambda node: node.call("head"))
    server.answer = raw(b"", 502)
    with pytest.raises(RailUnreachable, match="HTTP 502"):
        client.call("logs")
    assert second.asked == []
    client.pick(lambda node: node.call("head"))
    assert (client.call("logs"), client.host) == ("logs", second.host)
    assert methods(second) == ["chain", "head", "logs"]


def test_a_refusal_does_not_move_on_unless_the_caller_says_so(server: Server, second: Server) -> None:
    server.answer = second.answer = answering(1)
    client = Client([server.url, second.url])
    client.pick(lambda node: node.call("head"))
    server.answer = refusing("too many blocks")
    with pytest.raises(RpcError):
        client.call("logs")
    assert client.host == server.host
    client.leave()
    assert (client.call("logs"), client.host) == ("logs", second.host)


def test_a_node_that_failed_is_verified_again_and_comes_back_after_a_while(server: Server, second: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    server.answer, second.answer = raw(b"", 502), answering(1)
    client = Client([server.url, second.url], verify=chain_of(1))
    client.pick(lambda node: node.call("head"))
    assert client.host == second.host
    server.answer = answering(1)
    client.pick(lambda node: node.call("head"))
    assert client.host == second.host
    later = time.monotonic() + jsonrpc.ASIDE + 1
    monkeypatch.setattr(time, "monotonic", lambda: later)
    client.pick(lambda node: node.call("head"))
    assert (client.host, methods(server)[-2:]) == (server.host, ["chain", "head"])


def test_a_node_that_comes_back_as_another_chain_is_not_used(server: Server, second: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    server.answer = second.answer = answering(1)
    client = Client([server.url, second.url], verify=chain_of(1))
    client.pick(lambda node: node.call("head"))
    server.answer = raw(b"", 502)
    with pytest.raises(RailUnreachable):
        client.call("logs")
    server.answer = answering(2)
    later = time.monotonic() + jsonrpc.ASIDE + 1
    monkeypatch.setattr(time, "monotonic", lambda: later)
    client.pick(lambda node: node.call("head"))
    assert (client.host, methods(server)[-1]) == (second.host, "chain")


def test_when_no_node_can_be_asked_the_last_ones_words_are_told(server: Server, closed_port: int) -> None:
    server.answer = raw(b"", 502)
    client = Client([server.url, f"http://127.0.0.1:{closed_port}"])
    with pytest.raises(RailUnreachable, match=f"127.0.0.1:{closed_port} refused the connection"):
        client.pick(lambda node: node.call("head"))
    with pytest.raises(RailUnreachable, match="No node is configured"):
        Client([]).pick(lambda node: node.call("head"))


def test_each_thread_stays_on_its_own_node(server: Server, second: Server) -> None:
    server.answer = second.answer = answering(1)
    client = Client([server.url, second.url])
    client.pick(lambda node: node.call("head"))
    hosts = []

    def elsewhere() -> None:
        client.set_aside(client.nodes[0])
        client.pick(lambda node: node.call("head"))
        hosts.append(client.host)

    thread = threading.Thread(target=elsewhere)
    thread.start()
    thread.join()
    assert (hosts, client.host) == ([second.host], server.host)
