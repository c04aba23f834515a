"""A real EVM node on loopback: anvil, with contracts of every temper. Nothing is mined unless a test says so.

One node per worker and chain id; each test gets it as it was right after the contracts were deployed.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.factories import NOW

HERE = Path(__file__).parent
TOKENS = json.loads((HERE / "tokens" / "tokens.json").read_text())
PACKAGES = ("anvil-linux-amd64", "anvil-linux-arm64", "anvil-darwin-arm64")
ACCOUNTS = 40
PURSE = 10**30
BEGAN = NOW - timedelta(hours=2)
GAS = 2_000_000


def binary() -> str | None:
    """anvil, as the environment's ANVIL says, from the package beside this file, or on the PATH."""
    packed = (HERE / "node_modules" / "@foundry-rs" / name / "bin" / "anvil" for name in PACKAGES)
    return os.environ.get("ANVIL") or next((str(path) for path in packed if path.exists()), None) or shutil.which("anvil")


class Refused(Exception):
    """The node refused a call."""


class Anvil:
    """The node and its hands: `pay` and `send` put into the pool, `mine` makes blocks."""

    def __init__(self, chain_id: int = 31337) -> None:
        self.chain_id = chain_id
        self._session = requests.Session()
        self._session.trust_env = False
        self.port = _free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.process: subprocess.Popen[bytes] | None = None

    # --- its life -----------------------------------------------------------------------------------------------
    def start(self) -> Anvil:
        path = binary()
        if path is None:
            pytest.skip("anvil is not installed: npm ci in tests/chains")
        options = ["--host", "127.0.0.1", "--port", str(self.port), "--chain-id", str(self.chain_id), "--accounts", str(ACCOUNTS), "--no-mining"]
        options += ["--timestamp", str(int(BEGAN.timestamp())), "--slots-in-an-epoch", "4", "--quiet"]
        self.process = subprocess.Popen([path, *options], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self._await()
        self.accounts = self.rpc("eth_accounts")
        self._deploy()
        self._sender = 1
        self.clean = self.rpc("evm_snapshot")
        return self

    def _await(self) -> None:
        for _try in range(200):
            try:
                self.rpc("eth_chainId")
                return
            except requests.ConnectionError:
                time.sleep(0.05)
        raise TimeoutError("anvil did not start")

    def stop(self) -> None:
        self._session.close()
        if self.process:
            self.process.kill()
            self.process.wait()

    def reset(self) -> None:
        """As it was after the contracts were deployed."""
        assert self.rpc("evm_revert", self.clean)
        self.clean = self.rpc("evm_snapshot")
        for txid in self.waiting():
            self.rpc("anvil_dropTransaction", txid)
        self._sender = 1

    def _deploy(self) -> None:
        self.usdt = self._create("Coin", "USDT", 6)
        self.dai = self._create("Coin", "DAI", 18)
        self.fee = self._create("FeeCoin", "FEE", 6)
        self.moody = self._create("MoodyCoin", "MOOD", 6)
        self.fake = self._create("Coin", "USDT", 6)  # in no catalogue: it only calls itself so
        self.liar = self._create("Liar", "LIAR", 6)
        self.purse = self._create("Purse")
        for token in (self.usdt, self.dai, self.fee, self.moody, self.fake):
            for account in self.accounts:
                self.do(token, "mint(address,uint256)", account, PURSE, sender=0)
        self.rpc("anvil_setBalance", self.purse, hex(1000 * 10**18))
        self.mine()

    def _create(self, name: str, *args: Any) -> str:
        txid = self.send(None, data=TOKENS[name]["bytecode"] + encoded(*args)[2:], sender=0)
        self.mine()
        return str(self.rpc("eth_getTransactionReceipt", txid)["contractAddress"])

    # --- asking -------------------------------------------------------------------------------------------------
    def rpc(self, method: str, *params: Any) -> Any:
        answer = self._session.post(self.url, json={"jsonrpc": "2.0", "id": 1, "method": method, "params": params}, timeout=30).json()
        if "error" in answer:
            raise Refused(f"{method}: {answer['error']['message']}")
        return answer["result"]

    @property
    def height(self) -> int:
        return int(self.rpc("eth_blockNumber"), 16)

    def waiting(self) -> list[str]:
        content = self.rpc("txpool_content")
        return [tx["hash"] for part in ("pending", "queued") for rows in content[part].values() for tx in rows.values()]

    def receipt(self, txid: str) -> Any:
        return self.rpc("eth_getTransactionReceipt", txid)

    # --- paying -------------------------------------------------------------------------------------------------
    def send(self, to: str | None, value: int = 0, data: str = "0x", *, sender: int | None = None, **fields: Any) -> str:
        """A transaction into the pool, each from another account unless `sender` names one by its number."""
        if sender is None:
            sender = self._sender = self._sender % (ACCOUNTS - 1) + 1
        row = {"from": self.accounts[sender], "value": hex(value), "data": data, "gas": hex(GAS), "gasPrice": hex(2 * 10**9), **fields}
        return str(self.rpc("eth_sendTransaction", row | ({"to": to} if to else {})))

    def do(self, contract: str, signature: str, *args: Any, value: int = 0, sender: int | None = None, **fields: Any) -> str:
        """A call of a contract, by a signature as in tokens.json."""
        selector = next(made["methods"][signature] for made in TOKENS.values() if signature in made["methods"])
        return self.send(contract, value, "0x" + selector + encoded(*args)[2:], sender=sender, **fields)

    def pay(self, to: str, units: int, *, token: str = "", sender: int | None = None, **fields: Any) -> str:
        """Native coin, or `token`."""
        if token:
            return self.do(token, "transfer(address,uint256)", to, units, sender=sender, **fields)
        return self.send(to, units, sender=sender, **fields)

    def raw(self, *txids: str) -> dict[str, str]:
        """Signed transactions, for eth_sendRawTransaction once a reorg has taken them back."""
        return {txid: self.rpc("eth_getRawTransactionByHash", txid) for txid in txids}

    # --- blocks -------------------------------------------------------------------------------------------------
    def mine(self, blocks: int = 1, *, at: datetime | None = None, seconds: int = 0) -> None:
        """What waits comes into the first of these blocks; it is of the time `at`, the others so many `seconds` apart."""
        if at is not None:
            self.rpc("evm_setNextBlockTimestamp", int(at.timestamp()))
        self.rpc("evm_mine") if blocks == 1 else self.rpc("anvil_mine", hex(blocks), hex(seconds))

    def reorg(self, depth: int, *, again: list[str] | None = None, drop: list[str] | None = None) -> None:
        """Replace the top `depth` blocks by empty ones. Their transactions go back to the pool, in the order of `again`, or
        but for those in `drop`."""
        top = self.height
        there = [txid for height in range(top - depth + 1, top + 1) for txid in self.rpc("eth_getBlockByNumber", hex(height), False)["transactions"]]
        raw = self.raw(*there)
        self.rpc("anvil_setCoinbase", "0x" + secrets.token_hex(20))  # within a second an empty block is else the same again
        self.rpc("anvil_reorg", depth, [])
        for txid in again if again is not None else [txid for txid in there if txid not in (drop or [])]:
            self.rpc("eth_sendRawTransaction", raw[txid])


def encoded(*args: Any) -> str:
    """Arguments as the ABI wants them: ints, addresses, strings, bytes, and lists of ints, addresses or 32-byte words."""
    heads, tails = [], b""
    for arg in args:
        tail = _tail(arg)
        heads.append(_word(arg) if tail is None else _word(32 * len(args) + len(tails)))
        tails += tail or b""
    return "0x" + (b"".join(heads) + tails).hex()


def _word(value: int | str) -> bytes:
    return value.to_bytes(32, "big") if isinstance(value, int) else bytes.fromhex(value[2:]).rjust(32, b"\0")


def _tail(arg: Any) -> bytes | None:
    if isinstance(arg, list):
        return _word(len(arg)) + b"".join(_word(one) for one in arg)
    if isinstance(arg, str) and not arg.startswith("0x"):
        arg = arg.encode()
    if isinstance(arg, bytes):
        return _word(len(arg)) + arg + b"\0" * (-len(arg) % 32)
    return None


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def _running(chain_id: int) -> Iterator[Anvil]:
    node = Anvil(chain_id)
    try:
        yield node.start()
    finally:
        node.stop()


@pytest.fixture(scope="session")
def anvil_node() -> Iterator[Anvil]:
    yield from _running(31337)


@pytest.fixture(scope="session")
def other_anvil_node() -> Iterator[Anvil]:
    yield from _running(31338)


@pytest.fixture
def anvil(anvil_node: Anvil) -> Iterator[Anvil]:
    yield anvil_node
    anvil_node.reset()


@pytest.fixture
def other_anvil(other_anvil_node: Anvil) -> Iterator[Anvil]:
    """Another chain, 31338, with the same contracts at the same addresses."""
    yield other_anvil_node
    other_anvil_node.reset()
