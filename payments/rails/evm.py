"""Ethereum and its kind: the native coin and ERC-20 tokens of one network, over any node's JSON-RPC.

A payment in a token is an event log, one in the native coin a transaction's own value. What a contract sends on (an inner
call) is in neither: it is found by the balance, or by the payer's transaction id where the node can trace it.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from typing import Any
from urllib.parse import urlsplit

from django.utils.translation import gettext as _

from merchants import assets
from merchants.assets import Asset, Network
from payments import keys
from payments.rails import evm_format as fmt
from payments.rails.base import BadAddress, Balance, Block, Checked, Fate, Rail, Sighting
from payments.rails.evm_chain import Chain
from payments.rails.evm_format import Header, Log, Receipt
from payments.rails.jsonrpc import RpcError

INNER = 10_000  # places of inner calls begin here, above all logs of a transaction
ADDRESSES_A_BATCH = 50  # two calls each


class EvmRail(Rail):
    def __init__(self, network: Network) -> None:
        super().__init__(network)
        self.chain = Chain(network)

    # --- how this network spells things -------------------------------------------------------------------------
    def raw(self, address: str) -> str:
        """The 20 bytes of an address in its normal form, as nodes spell them."""
        return address.lower()

    def shown_txid(self, txid: str) -> str:
        return txid

    def raw_txid(self, txid: str) -> str:
        return txid

    def typed(self, text: str) -> str:
        """The normal form of an address that a person typed, whatever it belongs to. BadAddress for none."""
        if not re.fullmatch(r"0x[0-9a-fA-F]{40}", text):
            raise BadAddress(
                _("This is no address of %(network)s: those are 0x and 40 digits and letters from a to f.") % {"network": self.network.name}
            )
        letters = text[2:]
        found = fmt.checksummed(text)
        if letters not in (letters.lower(), letters.upper()) and text != found:
            raise BadAddress(_("A letter of this address is wrong: its capitals do not fit. Copy it from your wallet again."))
        return found

    # --- addresses ----------------------------------------------------------------------------------------------
    def address(self, *, key: str, index: int) -> str:
        return keys.address(key, index, self.network)

    def normal(self, address: str) -> str:
        found = self.typed(address.strip())
        if not int(self.raw(found), 16):
            raise BadAddress(_("This address belongs to nobody. Copy your own from your wallet."))
        token = next((one for one in _tokens_of(self.network.family) if one.contract.lower() == found.lower()), None)
        if token:
            raise BadAddress(_("This is the contract of %(token)s, and no wallet: what is sent there is lost.") % {"token": token.label})
        return found

    def is_txid(self, text: str) -> bool:
        return re.fullmatch(r"0x[0-9a-f]{64}", text) is not None

    # --- blocks -------------------------------------------------------------------------------------------------
    def head(self) -> Block | None:
        found = self.chain.pick()
        return found.block if found else None

    def blocks(self, first: int, last: int) -> list[Block]:
        return [header.block for header in self.chain.headers(first, last)]

    def source(self) -> str:
        return self.chain.client.host

    def final_height(self) -> int | None:
        return self.chain.height_of(self.network.finality) if self.network.finality else None

    def disputed(self, blocks: Mapping[int, str]) -> set[int]:
        return self.chain.disputed(dict(blocks))

    # --- payments -----------------------------------------------------------------------------------------------
    def scan(self, addresses: Collection[str], *, first: int, last: int) -> list[Sighting]:
        wanted = self._wanted(addresses)
        headers = self.chain.headers(first, last) if wanted else []
        found = self._tokens(wanted, headers)
        if self.network.native == "blocks":
            found += self._native(wanted, headers)
        return found

    def native(self, addresses: Collection[str], *, first: int, last: int) -> list[Sighting]:
        wanted = self._wanted(addresses)
        return self._native(wanted, self.chain.headers(first, last)) if wanted and self.network.native == "balances" else []

    def pool(self, addresses: Collection[str]) -> list[Sighting]:
        """None: what waits for a block can be replaced at will, few nodes show it, and the next block is seconds away."""
        return []

    def _wanted(self, addresses: Iterable[str]) -> dict[str, str]:
        return {self.raw(address): address for address in addresses}

    def _contracts(self) -> dict[str, Asset]:
        return {self.raw(token.contract): token for token in _assets_of(self.network) if not token.is_native}

    def _coin(self) -> Asset | None:
        return next((asset for asset in _assets_of(self.network) if asset.is_native), None)

    def _tokens(self, wanted: dict[str, str], headers: list[Header]) -> list[Sighting]:
        contracts = self._contracts()
        if not contracts or not headers:
            return []
        by_height = {header.height: header for header in headers}
        said = self.chain.transfers(contracts, wanted, first=headers[0].height, last=headers[-1].height)
        logs = [log for log in said if self._counts(log, contracts, wanted) and log.height in by_height]
        if any(by_height[log.height].hash != log.block_hash for log in logs):
            raise self.chain.broken("showed another chain in the middle of a pass")
        receipts = self.chain.receipts((log.txid, log.block_hash) for log in logs)
        found = []
        for log in {(log.block_hash, log.index): log for log in logs}.values():
            receipt = receipts.get(log.txid)
            if receipt and receipt.has(log):
                self.chain.keep(log.txid, receipt)
                found.append(self._sighting(log, receipt, contracts, wanted, by_height[log.height].block))
        return found

    @staticmethod
    def _counts(log: Log, contracts: Mapping[str, Asset], wanted: Mapping[str, str]) -> bool:
        """A token is its contract; a symbol is nothing that a transfer could prove."""
        return log.contract in contracts and log.is_transfer and log.to in wanted

    def _sighting(self, log: Log, receipt: Receipt, contracts: Mapping[str, Asset], wanted: Mapping[str, str], block: Block) -> Sighting:
        txid = self.shown_txid(log.txid)
        return Sighting(txid, receipt.place(log), wanted[log.to], contracts[log.contract].id, log.units, block)

    def _native(self, wanted: dict[str, str], headers: list[Header]) -> list[Sighting]:
        coin = self._coin()
        if coin is None:
            return []
        hits = list(self.chain.payments(headers, wanted))
        receipts = self.chain.receipts((payment.txid, header.hash) for header, payment in hits)
        found = []
        for header, payment in hits:
            receipt = receipts.get(payment.txid)
            if receipt and receipt.is_done and receipt.block_hash == header.hash:
                self.chain.keep(payment.txid, receipt)
                found.append(Sighting(self.shown_txid(payment.txid), 0, wanted[payment.to], coin.id, payment.units, header.block))
        return found

    def in_transaction(self, txid: str, addresses: Collection[str]) -> list[Sighting]:
        """Of a mined transaction that was carried out: its logs, its own value, and its inner calls where the node traces."""
        wanted, raw = self._wanted(addresses), self.raw_txid(txid)
        receipt = self.chain.receipts([(raw, "")]).get(raw)
        header = self.chain.header_at(receipt.height) if receipt and receipt.is_done else None
        if receipt is None or header is None or header.hash != receipt.block_hash:
            return []
        contracts = self._contracts()
        logs = [log for log in receipt.logs.values() if log.txid == raw and self._counts(log, contracts, wanted) and receipt.has(log)]
        found = [self._sighting(log, receipt, contracts, wanted, header.block) for log in logs]
        coin = self._coin()
        if coin is not None and self.network.native != "none":
            coins = self._coins_in(raw, wanted)
            found += [Sighting(txid, place, wanted[to], coin.id, units, header.block) for place, to, units in coins]
        return found

    def _coins_in(self, txid: str, wanted: Collection[str]) -> list[tuple[int, str, int]]:
        own = [(0, payment.to, payment.units) for payment in self.chain.own_payment(txid, wanted)]
        return own + [(INNER + position, to, units) for position, to, units in self.chain.inner_payments(txid) if to in wanted]

    def fate(self, txid: str) -> Fate:
        raw = self.raw_txid(txid)
        receipt = self.chain.receipts([(raw, "")]).get(raw)
        if receipt is not None:
            return Fate.DONE if receipt.is_done else Fate.FAILED
        return Fate.WAITING if self.chain.is_known(raw) else Fate.UNKNOWN

    def fee(self, txid: str) -> int | None:
        receipt = self.chain.receipts([(self.raw_txid(txid), "")]).get(self.raw_txid(txid))
        return receipt.fee if receipt else None

    # --- balances -----------------------------------------------------------------------------------------------
    def hides_payments(self, asset: Asset) -> bool:
        return asset.is_native and self.network.native != "none"

    def balances(self, addresses: Collection[str], *, height: int | None = None) -> dict[str, Balance]:
        header = self.chain.latest() if height is None else self.chain.header_at(height)
        if header is None or not addresses:
            return {}
        raw = [self.raw(address) for address in addresses]
        found = self.chain.accounts(raw, header) if height is None else self.chain.past_accounts(raw, header)
        return {address: Balance(*pair, header.block) for address, pair in zip(addresses, found, strict=True)} if found else {}

    # --- what payers get ----------------------------------------------------------------------------------------
    def payment_uri(self, asset: Asset, *, address: str, units: int) -> str:
        """EIP-681 for the native coin. For a token the address alone: a wallet that reads only the first address of
        EIP-681's form for tokens would send to the contract."""
        return f"ethereum:{address}@{self.network.chain_id}?value={units}" if asset.is_native else address

    def token_link(self, asset: Asset, *, address: str, units: int) -> str:
        """EIP-681: its target is the token's contract."""
        return "" if asset.is_native else f"ethereum:{asset.contract}@{self.network.chain_id}/transfer?address={address}&uint256={units}"

    def wallet_call(self, asset: Asset, *, address: str, units: int) -> dict[str, Any] | None:
        """`chainId` for wallet_switchEthereumChain (EIP-3326), `add` for wallet_addEthereumChain (EIP-3085; None where the
        catalogue names no public node), `transaction` for eth_sendTransaction, without its sender."""
        native = {"to": address, "value": hex(units), "data": "0x"}
        call = native if asset.is_native else {"to": asset.contract, "value": "0x0", "data": fmt.sending(self.raw(address), units)}
        return {"chainId": hex(self.network.chain_id), "add": self._chain_to_add(), "transaction": call}

    def _chain_to_add(self) -> dict[str, Any] | None:
        coin = self._coin()
        if coin is None or not self.network.wallet_url:
            return None
        parts = urlsplit(self.network.explorer_tx)
        return {
            "chainId": hex(self.network.chain_id),
            "chainName": self.network.name,
            "nativeCurrency": {"name": coin.name, "symbol": coin.symbol, "decimals": coin.decimals},
            "rpcUrls": [self.network.wallet_url],
            "blockExplorerUrls": [f"{parts.scheme}://{parts.netloc}"] if parts.netloc else None,
        }

    # --- for operators ------------------------------------------------------------------------------------------
    def check(self) -> Checked:
        remarks = self.chain.objections()
        head = self.head()
        return Checked(self.source(), str(self.network.chain_id), head, (*remarks, *self._tokens_that_differ()))

    def _tokens_that_differ(self) -> list[str]:
        contracts = self._contracts()
        calls = [("eth_call", ({"to": raw, "data": data}, "latest")) for raw in contracts for data in (fmt.SYMBOL, fmt.DECIMALS)]
        answers = iter(self.chain.client.batch(calls, tolerant=True))
        return [remark for token in contracts.values() if (remark := _difference(token, next(answers), next(answers)))]


def _difference(token: Asset, symbol: Any, decimals: Any) -> str:
    """What a token's contract says otherwise than the catalogue; empty when they agree."""
    expected = token.contract_symbol or token.symbol
    if isinstance(symbol, RpcError) or isinstance(decimals, RpcError) or not fmt.text(symbol):
        return _("%(contract)s is no token here; the catalogue calls it %(symbol)s.") % {"contract": token.contract, "symbol": expected}
    try:
        there = (fmt.text(symbol), fmt.quantity(decimals))
    except fmt.Garbled:
        return _("%(contract)s does not say its decimals.") % {"contract": token.contract}
    if there == (expected, token.decimals):
        return ""
    said = {"contract": token.contract, "there": there[0], "places": there[1], "symbol": expected, "decimals": token.decimals}
    return _("%(contract)s calls itself %(there)s with %(places)d decimals; the catalogue says %(symbol)s with %(decimals)d.") % said


def _assets_of(network: Network) -> list[Asset]:
    return [asset for asset in assets.catalogue().assets.values() if asset.network.id == network.id]


def _tokens_of(family: str) -> list[Asset]:
    return [asset for asset in assets.catalogue().assets.values() if asset.network.family == family and not asset.is_native]
