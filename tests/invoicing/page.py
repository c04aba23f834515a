"""What a browser sends from the page on which an invoice is written."""

from __future__ import annotations

from typing import Any

ROW = {"description": "Logo and wordmark", "quantity": "1", "unit_price": "1,800.00", "discount": "", "tax": ""}


def row(**cells: str) -> dict[str, str]:
    return {**ROW, **cells}


def sent(*rows: dict[str, str], **changes: Any) -> dict[str, Any]:
    """A whole invoice for Ana Duarte as it is posted; `changes` replace fields, None leaves one out."""
    data: dict[str, Any] = {
        "form_key": "f" * 43,
        "version": "0",
        "payer_name": "Ana Duarte",
        "payer_email": "ana@duarte.example",
        "payer_address": "",
        "payer_tax_id": "",
        "payer_reference": "",
        "merchant_name": "Harbour & Pine",
        "merchant_email": "studio@harbourpine.example",
        "title": "Brand identity, phase 2",
        "description": "Second of three phases.",
        "currency": "EUR",
        "prices_include_tax": "",
        "all_assets": "on",
        "issue_date": "",
        "issue_time": "",
        "due_date": "2026-12-01",
        "due_time": "18:00",
        "notify_email": "on",
        "remind": "on",
        **changes,
    }
    for number, cells in enumerate(rows or (ROW,)):
        data |= {f"lines-{number}-{name}": value for name, value in cells.items()}
    return {name: value for name, value in data.items() if value is not None}
