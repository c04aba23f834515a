"""CCPayment-compatible, V1: the *Invoice* webhook, one per payment that counts, and the *Refund* webhook.

For merchants who move over: their receiver stays as it is but for the App ID and the secret. docs/webhooks.md maps every field.
"""

from __future__ import annotations

import json
import secrets
from datetime import datetime
from decimal import Context, Decimal
from typing import Any

from merchants import clock
from merchants.models import Event
from notifications.models import Delivery, Endpoint
from notifications.webhooks import applications, signing
from notifications.webhooks.formats import samples

PAID = ("payment.confirmed", "payment.decided", "payment.assigned")
RETURNED = {"refund.confirmed": "success", "refund.failed": "failed"}
PLACES = 18  # decimals of what is computed, at most, as they write it
WIDE = Context(prec=60)

# CAIP-2 → their name of the chain. What they have no name for goes by ours.
CHAINS = {
    "eip155:1": "ETH",
    "eip155:10": "OPTIMISM",
    "eip155:56": "BSC",
    "eip155:137": "POLYGON",
    "eip155:8453": "BASE",
    "eip155:42161": "ARBITRUM",
    "tron:0x2b6653dc": "TRX",
    "bip122:000000000019d6689c085ae165831e93": "BTC",
    "bip122:12a765e31ffd4059bada1e25190f6e98": "LTC",
    "sandbox:harbour": "SANDBOX",
}


class CCPayment:
    schedule = "ccpayment"
    rotates = False  # there is room for one signature

    def kinds(self) -> tuple[str, ...]:
        return (*PAID, *RETURNED)

    def new_secret(self) -> str:
        return secrets.token_hex(32)

    def payload(self, event: Event, endpoint: Endpoint) -> str | None:
        told = body(event)
        return None if told is None else written(told)

    def example(self, event: Event, kind: str, endpoint: Endpoint) -> str:
        told = body(Event(kind=kind, facts=samples.facts(kind)))
        if told is None:
            raise KeyError(kind)
        return written(told | {"record_id": f"test_{event.pk}", "test": True})

    def headers(self, delivery: Delivery, endpoint: Endpoint, *, at: datetime) -> dict[str, str]:
        app_id, stamp = applications.application(delivery.merchant).app_id, str(int((at - clock.offset()).timestamp()))
        secret = signing.keys_of(endpoint, now=at)[0]
        sign = signing.ccpayment_sign(app_id=app_id, secret=secret, timestamp=stamp, body=delivery.payload)
        return {"Content-Type": "application/json; charset=utf-8", "Appid": app_id, "Timestamp": stamp, "Sign": sign}

    def is_received(self, status: int, body: bytes) -> bool:
        return status == 200 and b"success" in body.lower()


def body(event: Event) -> dict[str, Any] | None:
    """What they would have posted; None for an event that they have no webhook for.

    A payment is told once it is final and counts on its invoice: when it is confirmed, or later, when a member has decided
    what it counts for or which invoice it belongs to.
    """
    invoice, transfer = event.facts.get("invoice"), event.facts.get("transfer")
    if event.kind in PAID and invoice and transfer and transfer["status"] == "final" and transfer["credit"] is not None:
        return _invoice(invoice, transfer)
    if event.kind in RETURNED:
        return _refund(RETURNED[event.kind], event.facts["invoice"], event.facts["refund"])
    return None


def _invoice(invoice: dict[str, Any], transfer: dict[str, Any]) -> dict[str, Any]:
    fiat_rate, token_rate = _rates(transfer)
    return {
        "pay_status": "success",
        "order_type": "Invoice",
        "record_id": _record_id(transfer),
        "order_id": str(invoice["id"]),
        "product_price": plain(invoice["total"]),
        "order_amount": _order_amount(invoice, transfer),
        "fiat_rate": fiat_rate,
        "denominated_currency": invoice["currency"],
        "paid_amount": plain(transfer["amount"]),
        "credit_amount": plain(transfer["amount"]),
        "token_rate": token_rate,
        "chain": chain(transfer["network"]),
        "contract": contract(transfer["asset"]),
        "crypto": transfer["symbol"],
        "txid": _txid(transfer["txid"]),
        "network_fee": "0",
        "service_fee": "0",
        "memo": "",
        "extend": {"invoice_id": invoice["number"] or "", "user_email": invoice["payer"]["email"]},
    }


def _refund(pay_status: str, invoice: dict[str, Any], refund: dict[str, Any]) -> dict[str, Any]:
    amount = plain(refund["asset_amount"] or "0")
    return {
        "pay_status": pay_status,
        "order_type": "Refund",
        "record_id": f"refund_{refund['id']}",
        "amount": amount,
        "net_receivable": amount,
        "network_fee": "0",
        "network_crypto": refund["symbol"],
        "network_coin_id": refund["asset"],
        "chain": chain(refund["network"]),
        "contract": contract(refund["asset"]),
        "crypto": refund["symbol"],
        "to_address": refund["address"] or "",
        "memo": "",
        "txid": _txid(refund["txid"] or ""),
        "merchant_order_id": str(invoice["id"]),
    }


def _record_id(transfer: dict[str, Any]) -> str:
    """One per payment, the same however often it is told. Events from before payments had a number in them have none."""
    return f"transfer_{transfer['id']}" if "id" in transfer else f"{transfer['txid']}_{transfer['place']}"


def _rates(transfer: dict[str, Any]) -> tuple[str, str]:
    """Units of the invoice's currency per USD, and USD per whole token: their product is the rate that counted. Where no price
    in USD was known then, the token's price is in the invoice's currency itself."""
    rate = transfer["rate"] or "0"
    per_usd = transfer.get("per_usd")
    return (plain(per_usd), _rounded(WIDE.divide(Decimal(rate), Decimal(per_usd)))) if per_usd else ("1", plain(rate))


def _order_amount(invoice: dict[str, Any], transfer: dict[str, Any]) -> str:
    """The whole invoice in the token of this payment, at the payment's rate, with no more decimals than the token has."""
    rate = Decimal(transfer["rate"] or "0")
    decimals = len(transfer["amount"].partition(".")[2])
    return _rounded(WIDE.divide(Decimal(invoice["total"]), rate), min(decimals, PLACES)) if rate else ""


def _rounded(value: Decimal, places: int = PLACES) -> str:
    return plain(str(WIDE.quantize(value, Decimal(1).scaleb(-places))))


def plain(amount: str) -> str:
    """A decimal string without the zeros at its end, as they write amounts: '10', '0.05'."""
    return format(Decimal(amount).normalize(WIDE), "f")


def chain(network: str) -> str:
    return CHAINS.get(network, network.upper())


def contract(asset_id: str) -> str:
    """The address of a token's contract; empty for a chain's own coin."""
    return "" if "/slip44:" in asset_id else asset_id.rpartition(":")[2]


def _txid(txid: str) -> str:
    """Empty for money that only a balance shows."""
    return "" if txid.startswith("balance:") else txid


def written(told: dict[str, Any]) -> str:
    return json.dumps(told, ensure_ascii=False, separators=(",", ":"))
