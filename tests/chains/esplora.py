"""Esplora's REST (https://github.com/Blockstream/esplora/blob/master/API.md) over a Litecoin node, on loopback.

A real chain behind the interface that public servers have. `spoil` lets a test change any answer; `asked` is what was asked.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from payments.rails.jsonrpc import RpcError
from tests.chains.litecoin import COIN, Litecoin

Answer = tuple[int, Any]
PAGE = 25
HEADERS = 10


class Quiet(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that has read enough hangs up."""


class Esplora:
    def __init__(self, node: Litecoin) -> None:
        self.node = node
        self.asked: list[str] = []
        self.spoil: Callable[[str, Answer], Answer] = lambda path, answer: answer
        self.page = PAGE
        self._is_closed = False
        self._blocks: dict[str, Any] = {}
        self._outputs: dict[str, list[str]] = {}  # scripts, by txid
        self._server = Quiet(("127.0.0.1", 0), self._handler())
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    @property
    def url(self) -> str:
        return f"esplora+http://127.0.0.1:{self._server.server_port}/api"

    def close(self) -> None:
        """Nobody answers here any more, on kept connections either."""
        self._is_closed = True
        self._server.shutdown()
        self._server.server_close()

    # --- what it knows ------------------------------------------------------------------------------------------
    def answer(self, path: str) -> Answer:
        rpc = self.node.rpc
        match path.removeprefix("/api").strip("/").split("/"):
            case ["blocks", "tip", "hash"]:
                return 200, rpc("getbestblockhash")
            case ["blocks", "tip", "height"]:
                return 200, str(rpc("getblockcount"))
            case ["block-height", height]:
                return (200, rpc("getblockhash", int(height))) if int(height) <= self.node.height else (404, "Block not found")
            case ["block", name]:
                return 200, _header(rpc("getblock", name))
            case ["blocks", height]:
                heights = range(int(height), max(int(height) - HEADERS, -1), -1)
                return 200, [_header(rpc("getblock", rpc("getblockhash", one))) for one in heights]
            case ["tx", txid]:
                return self._transaction(txid)
            case ["address", address]:
                return 200, self._address(address)
            case ["address", address, "txs"]:
                waiting, mined = self._history(address)
                return 200, [*waiting[:50], *mined[: self.page]]
            case ["address", address, "txs", "chain"]:
                return 200, self._history(address)[1][: self.page]
            case ["address", address, "txs", "chain", last]:
                mined = self._history(address)[1]
                start = 1 + next(number for number, row in enumerate(mined) if row["txid"] == last)
                return 200, mined[start : start + self.page]
        return 404, "endpoint does not exist"

    def _transaction(self, txid: str) -> Answer:
        found = [row for row in self._chain() if row["txid"] == txid] or [row for row in [self._waiting(txid)] if row]
        if not found:
            return 404, "Transaction not found"
        (row,) = found
        spent = [self.node.rpc("getrawtransaction", one["txid"], True)["vout"][one["vout"]]["value"] for one in row["vin"]]
        return 200, {**row, "fee": int(sum(spent) * COIN) - sum(one["value"] for one in row["vout"])}

    def _address(self, address: str) -> dict[str, Any]:
        script = self.node.script(address)
        found = {}
        for name, history in zip(("mempool_stats", "chain_stats"), self._history(address), strict=True):
            paid = [output["value"] for row in history for output in row["vout"] if output["scriptpubkey"] == script]
            found[name] = {"tx_count": len(history), "funded_txo_count": len(paid), "funded_txo_sum": sum(paid)}
        return {"address": address, **found}

    def _history(self, address: str) -> tuple[list[Any], list[Any]]:
        """The transactions that pay the address or spend from it: those in the mempool, and in blocks, newest first."""
        script = self.node.script(address)
        mined = [row for row in self._chain() if script in self._scripts(row)]
        waiting = [row for txid in self.node.rpc("getrawmempool") if (row := self._waiting(txid)) and script in self._scripts(row)]
        return waiting, mined

    def _chain(self) -> Iterator[dict[str, Any]]:
        name = self.node.rpc("getbestblockhash")
        while name:
            if name not in self._blocks:
                block = self.node.rpc("getblock", name, 2)
                status = {"confirmed": True, "block_height": block["height"], "block_hash": name, "block_time": block["time"]}
                self._blocks[name] = block.get("previousblockhash"), [self._row(raw, status) for raw in block["tx"][::-1]]
            name, found = self._blocks[name]
            yield from found

    def _waiting(self, txid: str) -> dict[str, Any] | None:
        try:
            return self._row(self.node.rpc("getrawtransaction", txid, True), {"confirmed": False})
        except RpcError:  # gone meanwhile
            return None

    def _row(self, raw: Any, status: Any) -> dict[str, Any]:
        outputs = [{"scriptpubkey": one["scriptPubKey"]["hex"], "value": int(one["value"] * COIN)} for one in raw["vout"]]
        inputs = [{"txid": one["txid"], "vout": one["vout"]} for one in raw["vin"] if "txid" in one]
        self._outputs[raw["txid"]] = [one["scriptpubkey"] for one in outputs]
        return {"txid": raw["txid"], "vin": inputs, "vout": outputs, "status": status}

    def _scripts(self, row: Any) -> set[str]:
        spent = [self._outputs[one["txid"]][one["vout"]] for one in row["vin"] if one["txid"] in self._outputs]
        return {*(one["scriptpubkey"] for one in row["vout"]), *spent}

    # --- HTTP ---------------------------------------------------------------------------------------------------
    def _handler(self) -> type[BaseHTTPRequestHandler]:
        facade = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            wbufsize = -1  # an answer is one packet, not two of which the second waits

            def do_GET(self) -> None:
                if facade._is_closed:
                    self.close_connection = True
                    return
                facade.asked.append(re.sub("^/api", "", self.path))
                try:
                    status, found = facade.spoil(self.path, facade.answer(self.path))
                except Exception as error:
                    status, found = 500, str(error)
                body = found if isinstance(found, bytes) else found.encode() if isinstance(found, str) else json.dumps(found, default=float).encode()
                self.send_response(status)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                with suppress(ConnectionError):
                    self.wfile.write(body)

            def log_message(self, *args: Any) -> None:
                pass

        return Handler


def _header(block: Any) -> dict[str, Any]:
    return {"id": block["hash"], "height": block["height"], "timestamp": block["time"], "previousblockhash": block.get("previousblockhash")}


@pytest.fixture
def esplora(litecoin: Litecoin) -> Iterator[Esplora]:
    facade = Esplora(litecoin)
    yield facade
    facade.close()


__all__ = ["Esplora", "esplora"]
