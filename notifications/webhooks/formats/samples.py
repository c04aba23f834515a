"""Made-up facts of every type of event, for a test of an endpoint and for the documentation. No row is behind them."""

from __future__ import annotations

from typing import Any

INVOICE: dict[str, Any] = {
    "id": 0,
    "number": "INV-000000",
    "status": "open",
    "title": "Example: brand identity, phase 2",
    "reference": None,
    "currency": "EUR",
    "total": "100.00",
    "credited": "0.00",
    "pending": "0.00",
    "due": "100.00",
    "refunded": "0.00",
    "returning": "0.00",
    "written_off": "0.00",
    "underpaid": False,
    "overpaid": False,
    "paid_late": False,
    "payer": {"name": "Ana Duarte", "email": "ana@duarte.example"},
    "issue_at": "2026-11-17T10:00:00Z",
    "due_at": "2026-12-01T10:00:00Z",
    "issued_at": "2026-11-17T10:00:00Z",
    "paid_at": None,
    "voided_at": None,
    "void_reason": None,
}
TRANSFER: dict[str, Any] = {
    "id": 0,
    "network": "eip155:8453",
    "network_name": "Base",
    "asset": "eip155:8453/erc20:0x833589fCD6eDb6E08f4c7C32D4f71b54bdA02913",
    "symbol": "USDC",
    "amount": "108.600000",
    "txid": "0x" + "00" * 32,
    "place": 0,
    "status": "final",
    "confirmations": 12,
}
CREDITED: dict[str, Any] = TRANSFER | {
    "credit": "100.00",
    "rate": "0.920810313075506446",
    "rate_source": "Kraken, Coinbase",
    "per_usd": "0.920810313075506446",
    "late": False,
    "held": False,
}
PAYMENT: dict[str, Any] = {"id": 0, "way": "bank", "amount": "100.00", "paid_at": "2026-11-18T09:00:00Z"}
REFUND: dict[str, Any] = {
    "id": 0,
    "reference": "F-000000",
    "status": "confirmed",
    "basis": "surplus",
    "amount": "10.00",
    "currency": "EUR",
    "asset": "eip155:8453/erc20:0x833589fCD6eDb6E08f4c7C32D4f71b54bdA02913",
    "symbol": "USDC",
    "network": "eip155:8453",
    "network_name": "Base",
    "asset_amount": "10.860000",
    "rate": "0.920810313075506446",
    "rate_source": "credited",
    "reason": "You sent more than the invoice asked for.",
    "address": "0x4f2B7c1EaD93b0C5e1d08A7724fCbb19C0A6d3e8",
    "address_by": "payer",
    "txid": "0x" + "00" * 32,
    "confirmations": 12,
    "credit_note": None,
    "why": None,
    "claim_until": None,
}
SCHEDULE: dict[str, Any] = {
    "id": 0,
    "status": "active",
    "title": "Example: studio retainer",
    "currency": "EUR",
    "total": "2400.00",
    "payer": {"name": "Marlow Yachts Ltd", "email": "accounts@marlow.example"},
    "due_after_days": 14,
    "ends_after": None,
    "ends_on": None,
    "next_at": "2026-12-31T09:00:00Z",
}
OCCURRENCE: dict[str, Any] = {"n": 3, "planned_at": "2026-11-30T09:00:00Z"}

# What differs, by the kind of event.
PAID = {"status": "paid", "credited": "100.00", "due": "0.00", "paid_at": "2026-11-18T09:00:00Z"}
INVOICES: dict[str, dict[str, Any]] = {
    "payment.detected": {"pending": "100.00"},
    "payment.confirmed": {"credited": "100.00", "due": "0.00"},
    "payment.part_received": {"credited": "40.00", "due": "60.00", "underpaid": True},
    "payment.overpaid": PAID | {"credited": "110.00", "overpaid": True},
    "payment.recorded": {"credited": "100.00", "due": "0.00"},
    "invoice.paid": PAID,
    "invoice.voided": {"status": "void", "due": "0.00", "voided_at": "2026-11-18T09:00:00Z", "void_reason": "Agreed by telephone"},
    "invoice.missed": {"status": "missed", "number": None, "issued_at": None},
}
REFUNDS = {
    "refund.requested": "requested",
    "refund.renewed": "requested",
    "refund.address_given": "requested",
    "refund.restarted": "requested",
    "refund.changed": "claimed",
    "refund.claimed": "claimed",
    "refund.approved": "approved",
    "refund.unsent": "approved",
    "refund.sent": "sent",
    "refund.reopened": "sent",
    "refund.confirmed": "confirmed",
    "refund.rejected": "rejected",
    "refund.cancelled": "cancelled",
    "refund.failed": "failed",
    "refund.expired": "expired",
}
SCHEDULES = {"schedule.paused": "paused", "schedule.stopped": "stopped", "schedule.completed": "completed"}


def facts(kind: str) -> dict[str, Any]:
    """What an event of this kind may say."""
    invoice = {"invoice": INVOICE | INVOICES.get(kind, {})}
    match kind.partition("."):
        case "refund", _dot, _rest:
            return {"invoice": INVOICE | PAID, "refund": _refund(REFUNDS[kind])}
        case "schedule", _dot, told:
            occurrences = {"occurrences": [OCCURRENCE]} if told in ("missed", "held") else {}
            return {"schedule": SCHEDULE | {"status": SCHEDULES.get(kind, "active")}, **occurrences}
        case "payment", _dot, "unassigned":
            return {"transfer": TRANSFER | {"address": "0x4f2B7c1EaD93b0C5e1d08A7724fCbb19C0A6d3e8"}}
        case "payment", _dot, "recorded" | "reversed":
            return invoice | {"payment": PAYMENT}
        case "payment", _dot, "part_received" | "overpaid":
            return invoice
        case "payment", _dot, told:
            return invoice | {"transfer": _transfer(told)}
        case "invoice", _dot, "reminded":
            return invoice | {"reminder": {"days": 7, "by_hand": False}}
    return invoice


def _transfer(told: str) -> dict[str, Any]:
    match told:
        case "detected":
            return CREDITED | {"status": "seen", "confirmations": 0}
        case "dropped":
            return CREDITED | {"status": "dropped", "confirmations": 0}
        case "late" | "handled":
            return CREDITED | {"credit": None, "rate": None, "rate_source": None, "per_usd": None, "late": True, "held": True}
    return CREDITED


def _refund(status: str) -> dict[str, Any]:
    told = REFUND | {"status": status}
    if status not in ("sent", "confirmed", "failed"):
        told |= {"txid": None, "confirmations": 0}
    if status == "requested":
        told |= {"address": None, "address_by": None, "claim_until": "2026-12-17T10:00:00Z"}
    return told
