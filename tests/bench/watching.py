"""One watcher pass over the same new blocks of a real node, for three installations that watch more and more addresses."""

from __future__ import annotations

import contextlib
import secrets
import shutil
import statistics
import tempfile
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.conf import settings

from invoicing.models import Invoice
from merchants.models import Merchant
from payments import keys, quotes, rails, wallets, watcher
from payments.models import ReceiveAddress, Transfer, WalletKey
from tests.bench.lists import fill
from tests.bench.measuring import CLEAN, MAIN, bound, copy, drop, missed, say, settle_down, timed, use
from tests.chains import anvil as nodes
from tests.chains import evm
from tests.chains.anvil import Anvil
from tests.chains.evm_story import PRICES
from tests.factories import NOW, make_draft, make_merchant, publish
from tests.payments.prices import set_prices

SIZES = (100, 1_000, 10_000)
LIMIT = 3.0  # what the largest may cost over the smallest
BLOCKS, TOKENS, COINS = 20, 100, 50  # new blocks for each pass, and payments to strangers in each: in a token, and in the coin
ROUNDS = 7
BLOCK_TIME = timedelta(seconds=2)
MISSING = "anvil is not installed: npm ci in tests/chains"
BASE = "watched"


@contextlib.contextmanager
def node() -> Iterator[Anvil | None]:
    """anvil as the only network of this process; None, and a figure missed, where there is none."""
    if nodes.binary() is None:
        missed.append(MISSING)
        yield None
        return
    folder = Path(tempfile.mkdtemp(prefix="quittance-bench-"))
    before = settings.NETWORKS_FILE, settings.NETWORK_OVERRIDES
    anvil = Anvil()
    try:
        anvil.start()
        evm.install(settings, folder, evm.network_row(anvil))
        yield anvil
    finally:
        settings.NETWORKS_FILE, settings.NETWORK_OVERRIDES = before
        anvil.stop()
        shutil.rmtree(folder)


def watching() -> None:
    with node() as anvil:
        if anvil is None:
            return
        copy(BASE, of=CLEAN)
        try:
            Passes(anvil).run()
        finally:
            use(MAIN)
            for name in (BASE, *map(_database, SIZES)):
                drop(name)


def _database(size: int) -> str:
    return f"{BASE}_{size}"


class Passes:
    def __init__(self, anvil: Anvil) -> None:
        self.anvil, self.now, self.paid = anvil, NOW, 0
        self.sent: Counter[str] = Counter()  # by each account
        self.took: dict[str, list[float]] = {name: [] for name in ("bare", *map(_database, SIZES), *map(_idle, SIZES))}

    def run(self) -> None:
        self._prepare()
        for turn in range(ROUNDS + 1):
            first = self.anvil.height + 1
            self.paid += self._blocks(turn)
            for place in range(len(SIZES) + 1):  # each round in another order
                size = [0, *SIZES][(turn + place) % (len(SIZES) + 1)]
                self._pass(size) if size else self.took["bare"].append(timed(lambda first=first: self._bare(first)))
        self._say()

    # --- three installations --------------------------------------------------------------------------------------
    def _prepare(self) -> None:
        use(BASE)
        set_prices("EUR", PRICES, at=self.now)
        merchant = make_merchant(slug="watched", is_test=False)
        wallets.connect_key(merchant, family="evm", spec=f"evm:{evm.XPUBS[0]}", name="Key", by=None, now=self.now)
        self.anvil.mine(at=self.now)
        self.hit = [self._asked(merchant) for _invoice in range(SIZES[0])]
        watcher.read(evm.NETWORK, now=self.now)
        assert self._watched() == SIZES[0]
        for size in SIZES:
            if size > SIZES[0]:
                self._watch_more(merchant, size)
            settle_down()
            copy(_database(size), of=BASE)

    def _asked(self, merchant: Merchant) -> str:
        invoice = publish(make_draft(merchant), now=self.now)
        return quotes.ask(invoice, evm.usdt(self.anvil), now=self.now).receive_address.address

    def _watched(self) -> int:
        return ReceiveAddress.objects.filter(family="evm", invoice__status="open").count()

    def _watch_more(self, merchant: Merchant, size: int) -> None:
        """Open invoices up to `size`, each with its own address of the merchant's key."""
        wallet, (key,) = merchant.wallets.get(), WalletKey.objects.all()
        network = evm.assets.catalogue().networks[evm.NETWORK]
        fill(merchant, self._watched() + 1, size)
        filled = Invoice.objects.filter(merchant=merchant, addresses=None)
        rows = []
        for index, pk in enumerate(filled.order_by("id").values_list("pk", flat=True), start=key.next_index):
            address = keys.address(wallet.spec, index, network)
            rows.append(ReceiveAddress(wallet=wallet, invoice_id=pk, family="evm", address=address, key=key, index=index, created_at=NOW))
        filled.update(status="open", paid_at=None, credited_minor=0)
        ReceiveAddress.objects.bulk_create(rows)
        WalletKey.objects.update(next_index=key.next_index + len(rows))
        assert self._watched() == size

    # --- the blocks -----------------------------------------------------------------------------------------------
    def _blocks(self, turn: int) -> int:
        """New blocks, each with a payment to one of the addresses that all watch. How many such payments."""
        for number in range(BLOCKS):
            hit = self.hit[(turn * BLOCKS + number) % len(self.hit)]
            calls = [self._token(_stranger(), 10**6) for _payment in range(TOKENS)] + [_coin(_stranger(), 10**15) for _payment in range(COINS)]
            calls.insert(len(calls) // 2, self._token(hit, 10**6) if number % 2 else _coin(hit, 10**14))
            self._send(calls)
            self.now += BLOCK_TIME
            self.anvil.mine(at=self.now)
        assert not self.anvil.waiting()
        return BLOCKS

    def _token(self, to: str, units: int) -> dict[str, str]:
        data = "0x" + nodes.TOKENS["Coin"]["methods"]["transfer(address,uint256)"] + nodes.encoded(to, units)[2:]
        return {"to": self.anvil.usdt, "data": data, "gas": hex(100_000)}

    def _send(self, calls: list[dict[str, str]]) -> None:
        """All at once into the pool; with nonces, since the node takes the calls of a batch side by side."""
        rows = []
        for number, call in enumerate(calls):
            sender = self.anvil.accounts[1 + number % (nodes.ACCOUNTS - 1)]
            rows.append({"from": sender, "nonce": hex(self.sent[sender]), "gasPrice": hex(2 * 10**9), **call})
            self.sent[sender] += 1
        answers = self._batch([("eth_sendTransaction", [row]) for row in rows])
        refused = [answer for answer in answers if "result" not in answer]
        assert not refused, refused[0]

    def _batch(self, calls: list[tuple[str, list[Any]]]) -> list[dict[str, Any]]:
        body = [{"jsonrpc": "2.0", "id": number, "method": method, "params": params} for number, (method, params) in enumerate(calls)]
        answers: list[dict[str, Any]] = self.anvil._session.post(self.anvil.url, json=body, timeout=60).json()
        return answers

    # --- what is measured -----------------------------------------------------------------------------------------
    def _bare(self, first: int) -> None:
        """The same blocks with their transactions, and the token transfers in them, fetched and parsed."""
        heights = range(first, first + BLOCKS)
        blocks = self._batch([("eth_getBlockByNumber", [hex(height), True]) for height in heights])
        logs = self.anvil.rpc("eth_getLogs", {"fromBlock": hex(first), "toBlock": hex(heights[-1]), "address": [self.anvil.usdt]})
        assert sum(len(block["result"]["transactions"]) for block in blocks) == BLOCKS * (TOKENS + COINS + 1)
        assert len(logs) == BLOCKS * TOKENS + BLOCKS // 2

    def _pass(self, size: int) -> None:
        use(_database(size))
        set_prices("EUR", PRICES, at=self.now)
        rails._made.cache_clear()  # what one size has fetched is no help to the next
        assert self._watched() == size  # and there is a connection
        self.took[_database(size)].append(timed(lambda: watcher.read(evm.NETWORK, now=self.now)))
        assert Transfer.objects.exclude(status="dropped").count() == self.paid
        self.took[_idle(size)].append(timed(lambda: watcher.read(evm.NETWORK, now=self.now)))

    def _say(self) -> None:
        p50 = {name: statistics.median(times[1:]) for name, times in self.took.items()}
        each = f"{BLOCKS} new blocks with {BLOCKS * TOKENS:,} token transfers and {BLOCKS * COINS:,} payments in the coin"
        say(f"\n{each}, fetched and nothing else, p50", f"{p50['bare']:.0f} ms")
        for size in SIZES:
            mine, idle = p50[_database(size)], p50[_idle(size)]
            figure = f"{mine:.0f} ms ({mine / p50['bare']:.1f} × bare); nothing new {idle:.0f} ms"
            say(f"a pass over them, {size:,} addresses watched, {BLOCKS} paid, p50", figure)
        few, many = SIZES[0], SIZES[-1]
        bound(f"a pass: p50 with {many:,} watched over {few:,}", p50[_database(many)] / p50[_database(few)], LIMIT)


def _idle(size: int) -> str:
    return f"nothing new, {size}"


def _stranger() -> str:
    return "0x" + secrets.token_hex(20)


def _coin(to: str, units: int) -> dict[str, str]:
    return {"to": to, "value": hex(units), "gas": hex(21_000)}
