"""What is frozen when an invoice is issued, and the one way to read it afterwards.

`Document` is what every surface shows (page, checkout, mail, PDF, CSV). Of an issued invoice it is built from the
invoice's own columns alone; of a draft it is built from what is true now, as a preview of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from invoicing.models import Invoice
from invoicing.totals import PERCENT_SCALE
from merchants import assets
from merchants.models import Logo, Merchant


def assets_for(invoice: Invoice) -> list[assets.Asset]:
    """The assets a not yet issued invoice can be paid with: chosen on it, and still accepted by the merchant."""
    accepted = assets.accepted_by(invoice.merchant)
    return accepted if invoice.all_assets else assets.among(accepted, invoice.asset_ids)


def terms_of(merchant: Merchant, chosen: list[assets.Asset]) -> dict[str, Any]:
    return {
        "merchant": {"address": merchant.address, "tax_id": merchant.tax_id, "initials": merchant.initials},
        "brand_color": merchant.brand_color,
        "paper": merchant.paper,
        "footer": merchant.footer,
        "is_test": merchant.is_test,
        "assets": [asset.frozen() for asset in chosen],
    }


def freeze(invoice: Invoice, *, now: datetime) -> dict[str, Any]:
    """The columns that issuing fills. The tolerance is a share of the total, rounded down."""
    merchant = invoice.merchant
    chosen = assets_for(invoice)
    return {
        "terms": terms_of(merchant, chosen),
        "brand_logo_id": merchant.logo_id,
        "asset_ids": [asset.id for asset in chosen],
        "merchant_name": invoice.merchant_name or merchant.name,
        "merchant_email": invoice.merchant_email or merchant.email,
        "time_zone": merchant.time_zone,
        "issue_at": invoice.issue_at or now,
        "tolerance_minor": invoice.total_minor * merchant.tolerance_e4 // PERCENT_SCALE,
        "late_policy": merchant.late_policy,
    }


@dataclass(frozen=True)
class Party:
    name: str
    email: str
    address: str
    tax_id: str


@dataclass(frozen=True)
class Document:
    """An invoice as a reader sees it. Money is in minor units of `currency`; times are aware, shown in `time_zone`."""

    invoice: Invoice
    sender: Party
    recipient: Party
    initials: str
    brand_color: str
    has_logo: bool
    paper: str
    footer: str
    is_test: bool
    assets: list[dict[str, Any]]  # see Asset.frozen
    time_zone: str

    @property
    def symbols(self) -> list[str]:
        """The tokens without their networks, each once: ['USDT', 'ETH']."""
        return list(dict.fromkeys(asset["symbol"] for asset in self.assets))

    def asset(self, asset_id: str) -> dict[str, Any] | None:
        return next((asset for asset in self.assets if asset["id"] == asset_id), None)


def logo_of(invoice: Invoice) -> Logo | None:
    """The merchant's logo as it was at issue; of a draft, as it is now."""
    return invoice.brand_logo if invoice.is_issued else invoice.merchant.logo


def document(invoice: Invoice) -> Document:
    if invoice.is_issued:
        terms, zone = invoice.terms, invoice.time_zone
        name, email = invoice.merchant_name, invoice.merchant_email
    else:
        merchant = invoice.merchant
        terms, zone = terms_of(merchant, assets_for(invoice)), merchant.time_zone
        name, email = invoice.merchant_name or merchant.name, invoice.merchant_email or merchant.email
    return Document(
        invoice=invoice,
        sender=Party(name, email, terms["merchant"]["address"], terms["merchant"]["tax_id"]),
        recipient=Party(invoice.payer_name, invoice.payer_email, invoice.payer_address, invoice.payer_tax_id),
        initials=terms["merchant"]["initials"],
        brand_color=terms["brand_color"],
        has_logo=(invoice.brand_logo_id if invoice.is_issued else invoice.merchant.logo_id) is not None,
        paper=terms["paper"],
        footer=terms["footer"],
        is_test=terms["is_test"],
        assets=terms["assets"],
        time_zone=zone,
    )
