"""The JSON Schemas of what is posted to endpoints: `python -m tests.schemas` writes docs/schemas/ anew.

One file for each type of event, complete in itself, and two for the CCPayment format. Readers are told to expect new names; the
tests use `closed`, which allows none that is not written here.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

Schema = dict[str, Any]

FOLDER = Path(__file__).parent.parent / "docs" / "schemas"
DRAFT = "https://json-schema.org/draft/2020-12/schema"
TEXT: Schema = {"type": "string"}
FLAG: Schema = {"type": "boolean"}
COUNT: Schema = {"type": "integer", "minimum": 0}
MONEY: Schema = {"type": "string", "pattern": r"^-?\d+(\.\d+)?$", "description": "a decimal string"}
TIME: Schema = {"type": "string", "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$", "description": "ISO 8601 in UTC"}
DAY: Schema = {"type": "string", "pattern": r"^\d{4}-\d\d-\d\d$"}


def maybe(schema: Schema) -> Schema:
    return schema | {"type": [schema["type"], "null"], **({"enum": [*schema["enum"], None]} if "enum" in schema else {})}


def one_of(*values: str) -> Schema:
    return {"type": "string", "enum": list(values)}


def named(properties: dict[str, Schema], *, optional: tuple[str, ...] = (), **more: Any) -> Schema:
    return {"type": "object", "properties": properties, "required": [name for name in properties if name not in optional], **more}


PERSON = named({"name": TEXT, "email": TEXT})
INVOICE = named(
    {
        "id": COUNT,
        "number": maybe(TEXT),
        "status": one_of("draft", "scheduled", "open", "paid", "void", "missed"),
        "title": TEXT,
        "reference": maybe(TEXT),
        "currency": TEXT,
        **dict.fromkeys(("total", "credited", "pending", "due", "refunded", "returning", "written_off"), MONEY),
        **dict.fromkeys(("underpaid", "overpaid", "paid_late"), FLAG),
        "payer": PERSON,
        **dict.fromkeys(("issue_at", "due_at", "issued_at", "paid_at", "voided_at"), maybe(TIME)),
        "void_reason": maybe(TEXT),
    }
)
SEEN: dict[str, Schema] = {
    "id": COUNT,
    "network": TEXT | {"description": "CAIP-2"},
    "network_name": TEXT,
    "asset": TEXT | {"description": "CAIP-19"},
    "symbol": TEXT,
    "amount": MONEY,
    "txid": TEXT,
    "place": COUNT | {"description": "inside the transaction"},
    "status": one_of("seen", "final", "dropped"),
    "confirmations": COUNT,
}
TRANSFER = named(
    SEEN
    | {
        "credit": maybe(MONEY) | {"description": "what it counts for, in the invoice's currency; null while that is not decided"},
        "rate": maybe(MONEY) | {"description": "invoice currency for one whole token"},
        "rate_source": maybe(TEXT),
        "per_usd": maybe(MONEY) | {"description": "invoice currency for one US dollar then; null where that was not known"},
        "late": FLAG,
        "held": FLAG,
    }
)
LOOSE = named(SEEN | {"address": maybe(TEXT)})
PAYMENT = named({"id": COUNT, "way": one_of("bank", "cash", "card", "chain", "other"), "amount": MONEY, "paid_at": TIME})
REFUND = named(
    {
        "id": COUNT,
        "reference": TEXT,
        "status": one_of("requested", "claimed", "approved", "sent", "confirmed", "cancelled", "rejected", "failed", "expired"),
        "basis": one_of("paid", "today", "fiat", "surplus", "other"),
        "amount": MONEY | {"description": "in `currency`, the invoice's"},
        "currency": TEXT,
        "asset": TEXT,
        "symbol": TEXT,
        "network": TEXT,
        "network_name": TEXT,
        "asset_amount": maybe(MONEY) | {"description": "what goes out; null while it is fixed at approval only"},
        **dict.fromkeys(("rate", "rate_source", "reason", "address"), maybe(TEXT)),
        "address_by": maybe(one_of("member", "payer")),
        "txid": maybe(TEXT),
        "confirmations": COUNT,
        "credit_note": maybe(TEXT),
        "why": maybe(TEXT),
        "claim_until": maybe(TIME),
    }
)
SCHEDULE = named(
    {
        "id": COUNT,
        "status": one_of("draft", "active", "paused", "completed", "stopped"),
        "title": TEXT,
        "currency": TEXT,
        "total": MONEY,
        "payer": PERSON,
        "due_after_days": COUNT,
        "ends_after": maybe(COUNT),
        "ends_on": maybe(DAY),
        "next_at": maybe(TIME),
    }
)
OCCURRENCES: Schema = {"type": "array", "items": named({"n": COUNT, "planned_at": TIME})}
OMITTED = COUNT | {"description": "how many of `occurrences` were left out at its end; only where some were"}
ORIGIN = named({"schedule": COUNT, "title": TEXT, "k": COUNT}, description="only of an invoice that a schedule made")
REMINDER = named({"days": {"type": "integer", "description": "after the due day; before it, negative"}, "by_hand": FLAG})

ABOUT_MONEY = {"invoice": INVOICE, "transfer": TRANSFER}
ABOUT_EITHER = {"anyOf": [named(ABOUT_MONEY), named({"transfer": LOOSE})]}
DATA: dict[str, Schema] = {
    "invoice.issued": named({"invoice": INVOICE, "origin": ORIGIN}, optional=("origin",)),
    "invoice.reminded": named({"invoice": INVOICE, "reminder": REMINDER}),
    "payment.unassigned": named({"transfer": LOOSE}),
    "payment.dropped": ABOUT_EITHER,
    "payment.handled": ABOUT_EITHER,
    "payment.recorded": named({"invoice": INVOICE, "payment": PAYMENT}),
    "payment.reversed": named({"invoice": INVOICE, "payment": PAYMENT}),
    "payment.part_received": named({"invoice": INVOICE}),
    "payment.overpaid": named({"invoice": INVOICE}),
    "schedule.missed": named({"schedule": SCHEDULE, "occurrences": OCCURRENCES, "omitted": OMITTED}, optional=("omitted",)),
    "schedule.held": named({"schedule": SCHEDULE, "occurrences": OCCURRENCES}),
}
OF_ALL = {
    "invoice": named({"invoice": INVOICE}),
    "payment": named(ABOUT_MONEY),
    "refund": named({"invoice": INVOICE, "refund": REFUND}),
    "schedule": named({"schedule": SCHEDULE}),
}

CCPAYMENT: dict[str, Schema] = {
    "ccpayment.invoice": named(
        {
            "pay_status": {"const": "success"},
            "order_type": {"const": "Invoice"},
            **dict.fromkeys(("record_id", "order_id"), TEXT),
            "product_price": MONEY,
            "order_amount": {"type": "string", "pattern": r"^(\d+(\.\d+)?)?$"},
            "fiat_rate": MONEY,
            "denominated_currency": TEXT,
            **dict.fromkeys(("paid_amount", "credit_amount", "token_rate"), MONEY),
            **dict.fromkeys(("chain", "contract", "crypto", "txid"), TEXT),
            "network_fee": {"const": "0"},
            "service_fee": {"const": "0"},
            "memo": {"const": ""},
            "extend": named({"invoice_id": TEXT, "user_email": TEXT}),
            "test": {"const": True, "description": "only of a test"},
        },
        optional=("test",),
    ),
    "ccpayment.refund": named(
        {
            "pay_status": one_of("success", "failed"),
            "order_type": {"const": "Refund"},
            "record_id": TEXT,
            **dict.fromkeys(("amount", "net_receivable"), MONEY),
            "network_fee": {"const": "0"},
            **dict.fromkeys(("network_crypto", "network_coin_id", "chain", "contract", "crypto", "to_address"), TEXT),
            "memo": {"const": ""},
            **dict.fromkeys(("txid", "merchant_order_id"), TEXT),
            "test": {"const": True, "description": "only of a test"},
        },
        optional=("test",),
    ),
}


def of(kind: str) -> Schema:
    """What is posted of an event of `kind`."""
    body = named(
        {
            "type": {"const": kind},
            "timestamp": TIME | {"description": "when it happened, ISO 8601 in UTC"},
            "sequence": COUNT | {"description": "counts the merchant's events without a gap; 0 of a test"},
            "version": {"const": 1},
            "id": {"type": "string", "pattern": r"^evt_\d+$"},
            "data": DATA.get(kind) or OF_ALL[kind.partition(".")[0]],
            "test": {"const": True, "description": "only of a test"},
        },
        optional=("test",),
    )
    return {"$schema": DRAFT, "title": kind, **body}


def closed(schema: Any) -> Any:
    """The same, with no other names in any object."""
    if isinstance(schema, list):
        return [closed(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    found = {name: closed(part) for name, part in schema.items()}
    return found | {"additionalProperties": False} if "properties" in schema and schema.get("type") == "object" else found


def files() -> dict[str, str]:
    """The text of every file of the folder, by its name."""
    from notifications.webhooks.formats.standard import Standard

    schemas = {kind: of(kind) for kind in Standard().kinds()} | {name: {"$schema": DRAFT, "title": name, **body} for name, body in CCPAYMENT.items()}
    return {f"{name}.json": json.dumps(schema, indent=2, ensure_ascii=False) + "\n" for name, schema in schemas.items()}


def main() -> None:
    import os

    import django

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.test")
    django.setup()
    FOLDER.mkdir(exist_ok=True)
    wanted = files()
    for path in FOLDER.glob("*.json"):
        if path.name not in wanted:
            path.unlink()
    for name, text in wanted.items():
        (FOLDER / name).write_text(text)
    print(f"{len(wanted)} schemas in {FOLDER}")


if __name__ == "__main__":
    main()
