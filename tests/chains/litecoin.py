"""Litecoin nodes on loopback (litecoind -regtest), with a miner whose coins pay for everything.

Regtest has the same first block everywhere; a second node starts as a copy of the same 130 blocks and goes its own way.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from bip_utils import Bip32Slip10Secp256k1, Bip39SeedGenerator, SegwitBech32Encoder

from payments.rails.jsonrpc import Node

LITECOIND = shutil.which("litecoind")
MISSING = "litecoind is not installed: apt-get install litecoind"
NETWORK = "bip122:530827f38f93b43ed12af0b3ad25a288"
LTC = f"{NETWORK}/slip44:2"
PASSWORD = "tide-pool"
BORN = datetime(2026, 11, 17, 9, 0, tzinfo=UTC)
COINS = 30  # of 50 each: the miner gets the first blocks only, so that no coin ever becomes unspendable by a reorg
BASE_BLOCKS = COINS + 100  # after so many a block's coin can be spent
SHORT = 330  # a chain that got this long is thrown away for a new one
BLOCK_TIME = timedelta(seconds=150)
COIN = 10**8
ACCOUNTS = count(1)
FILES = count(1)
SEED = Bip39SeedGenerator("abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon about").Generate()

CONFIGURATION = """
regtest=1
server=1
txindex=1
fallbackfee=0.0001
mempoolreplacement=1
walletrbf=1
spendzeroconfchange=0
dustrelayfee=0
[regtest]
rpcbind=127.0.0.1
rpcallowip=127.0.0.1
rpcport={port}
rpcservertimeout=2
rpcuser=u
rpcpassword={password}
listen=0
dnsseed=0
"""
CATALOGUE = """
currencies = ["EUR", "USD"]

[[network]]
id = "{network}"
key = "litecoin"
name = "Litecoin"
rail = "utxo"
family = "litecoin"
urls = {urls}
uri_scheme = "litecoin"
bech32 = "rltc"
p2pkh = 0x6f
p2sh = 0x3a
confirmations = {confirmations}
reorg_depth = {reorg_depth}
poll_seconds = 1
grace_minutes = 5
takes = "About 8 minutes"
explorer_tx = ""

[[network.asset]]
id = "{asset}"
symbol = "LTC"
name = "Litecoin"
decimals = 8
payable_decimals = 8
minimum = "0.0001"
glyph = "Ł"
colour = "ltc"
price = "LTC"
"""


def catalogue(folder: Path, urls: list[str], *, confirmations: int = 3, reorg_depth: int = 8) -> Path:
    """A networks.toml of this network alone."""
    path = folder / f"networks{next(FILES)}.toml"  # a catalogue is read once
    named = {"urls": str(urls).replace("'", '"'), "confirmations": confirmations, "reorg_depth": reorg_depth}
    path.write_text(CATALOGUE.format(network=NETWORK, asset=LTC, **named))
    return path


def fresh_key(script: str = "p2wpkh") -> str:
    """The spec of a key that no other test of this run has, so that nothing of an older test lies at its addresses."""
    account = Bip32Slip10Secp256k1.FromSeed(SEED).DerivePath(f"84'/2'/{next(ACCOUNTS)}'")
    return f"{script}:{account.PublicKey().ToExtended()}"


def nobody() -> str:
    """An address that nobody has a key to, each time another: no two blocks are the same."""
    return str(SegwitBech32Encoder.Encode("rltc", 0, os.urandom(20)))


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


class Litecoin:
    """A running node. Its clock stands still but for `mine`, which lets 150 seconds pass before each block."""

    def __init__(self, folder: Path, *, template: Path | None = None) -> None:
        self.folder, self.port = folder, free_port()
        self.now = BORN
        if template is not None:
            shutil.copytree(template, folder)
        folder.mkdir(exist_ok=True)
        (folder / "litecoin.conf").write_text(CONFIGURATION.format(port=self.port, password=PASSWORD))
        self._start()

    @property
    def url(self) -> str:
        return f"http://u:{PASSWORD}@127.0.0.1:{self.port}"

    def _start(self) -> None:
        assert LITECOIND
        self.node = Node(self.url)
        self._process = subprocess.Popen(
            [LITECOIND, f"-datadir={self.folder}", "-printtoconsole=0"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        until = time.monotonic() + 30
        while True:
            try:
                self.rpc("setmocktime", int(self.now.timestamp()))
                break
            except Exception:
                assert time.monotonic() < until and self._process.poll() is None, "litecoind does not start"
                time.sleep(0.03)
        wallets = self.rpc("listwallets")
        if not wallets:
            self.rpc("loadwallet" if (self.folder / "regtest" / "wallets" / "miner").exists() else "createwallet", "miner")

    def stop(self) -> None:
        """End it in order, so that its folder can be copied or started from again."""
        with suppress(Exception):
            self.rpc("stop")
        self._process.wait(30)

    def start_again(self) -> None:
        self._start()

    def kill(self) -> None:
        self._process.kill()
        self._process.wait(30)

    def rpc(self, method: str, *params: Any) -> Any:
        return self.node.call(method, [float(one) if isinstance(one, Decimal) else one for one in params])

    # --- time and blocks ----------------------------------------------------------------------------------------
    @property
    def height(self) -> int:
        return int(self.rpc("getblockcount"))

    def tick(self, passed: timedelta = BLOCK_TIME) -> None:
        self.now += passed
        self.rpc("setmocktime", int(self.now.timestamp()))

    def mine(self, blocks: int = 1, *, empty: bool = False) -> list[str]:
        """New blocks with what waits in the mempool, or without; their hashes."""
        found = []
        for _block in range(blocks):
            self.tick()
            if empty:
                found.append(self.rpc("generateblock", nobody(), [])["hash"])
            else:
                found += self.rpc("generatetoaddress", 1, nobody())
        return found

    def reorg(self, depth: int, *, drop: tuple[str, ...] | list[str] = (), empty: bool = False) -> None:
        """Replace the top `depth` blocks. What was in them goes back to the mempool and is mined again, unless `empty`; what
        is in `drop` is double spent."""
        self.rpc("invalidateblock", self.rpc("getblockhash", self.height - depth + 1))
        for txid in drop:
            self.double_spend(txid)
        self.mine(depth, empty=empty)

    # --- payments -----------------------------------------------------------------------------------------------
    def pay(self, address: str, units: int) -> str:
        return str(self.rpc("sendtoaddress", address, f"{Decimal(units) / COIN:.8f}"))

    def double_spend(self, txid: str, *, to: str = "", units: int = 0) -> str:
        """Spend the coins of a waiting transaction elsewhere, for a higher fee: to the miner alone, or `units` of them to `to`."""
        old = self.rpc("getrawtransaction", txid, True)
        coins = [{"txid": one["txid"], "vout": one["vout"]} for one in old["vin"]]
        paid = int(sum(one["value"] for one in old["vout"]) * COIN)
        whole = int(sum(self.rpc("getrawtransaction", one["txid"], True)["vout"][one["vout"]]["value"] for one in coins) * COIN)
        change = whole - units - (whole - paid) - 50_000  # a fee higher by so much
        outputs = {self.rpc("getnewaddress"): f"{Decimal(change) / COIN:.8f}"}
        if units:
            outputs[to] = f"{Decimal(units) / COIN:.8f}"
        return self._send(self.rpc("createrawtransaction", coins, outputs, 0, True))

    def pay_many(self, outputs: list[tuple[str, int]]) -> str:
        """One transaction with an output for each of `outputs`, an address more than once, too; they come first, in their order."""
        whole = sum(units for _address, units in outputs) + 100_000
        coin = next(one for one in self.rpc("listunspent", 1) if one["amount"] * COIN > whole + COIN)
        change = int(coin["amount"] * COIN) - whole
        rows, swaps = [], []
        for address, units in [*outputs, (self.rpc("getnewaddress"), change)]:
            stand_in = self.rpc("getnewaddress", "", "bech32")
            rows.append({stand_in: f"{Decimal(units) / COIN:.8f}"})
            swaps.append((self.script(stand_in), self.script(address)))
        raw = self.rpc("createrawtransaction", [{"txid": coin["txid"], "vout": coin["vout"]}], rows, 0, True)
        for stand_in, wanted in swaps:
            raw = raw.replace(_sized(stand_in), _sized(wanted))
        return self._send(raw)

    def script(self, address: str) -> str:
        return str(self.rpc("validateaddress", address)["scriptPubKey"])

    def _send(self, raw: str) -> str:
        return str(self.rpc("sendrawtransaction", self.rpc("signrawtransactionwithwallet", raw)["hex"]))


def _sized(script: str) -> str:
    return f"{len(script) // 2:02x}{script}"


class Nodes:
    """The nodes of a worker: they are started when a test first asks for them, and again when their chain got long."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.started, self.running = folder, 0, {}
        self.template: Path | None = None

    def _folder(self) -> Path:
        self.started += 1
        return self.folder / f"node{self.started}"

    def base(self) -> Path:
        if self.template is None:
            first = Litecoin(self._folder())
            try:
                first.rpc("setmocktime", int((BORN - timedelta(days=1)).timestamp()))
                first.rpc("generatetoaddress", COINS, first.rpc("getnewaddress"))
                first.rpc("generatetoaddress", BASE_BLOCKS - COINS, nobody())
                first.stop()
            finally:
                first.kill()
            self.template = first.folder
        return self.template

    def ready(self, name: str) -> Litecoin:
        """The node `name`, alive, on a short chain, with an empty mempool."""
        node = self.running.get(name)
        if node is not None and node._process.poll() is None and node.height < SHORT:
            node.mine()
            return node
        self.drop(name)
        self.running[name] = Litecoin(self._folder(), template=self.base())
        self.running[name].mine()
        return self.running[name]

    def drop(self, name: str) -> None:
        if node := self.running.pop(name, None):
            node.kill()
            shutil.rmtree(node.folder, ignore_errors=True)


@pytest.fixture(scope="session")
def litecoin_nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nodes]:
    if LITECOIND is None:
        pytest.skip(MISSING)
    nodes = Nodes(tmp_path_factory.mktemp("litecoin"))
    yield nodes
    for name in list(nodes.running):
        nodes.drop(name)


@pytest.fixture
def litecoin(litecoin_nodes: Nodes) -> Litecoin:
    return litecoin_nodes.ready("first")


@pytest.fixture
def other_litecoin(litecoin_nodes: Nodes) -> Litecoin:
    """A node of the same network that hears nothing of the first: it shares the 130 oldest blocks."""
    return litecoin_nodes.ready("second")


__all__ = ["COIN", "LTC", "MISSING", "NETWORK", "Litecoin", "catalogue", "litecoin", "litecoin_nodes", "other_litecoin"]
