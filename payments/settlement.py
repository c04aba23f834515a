"""The money on an invoice: stored credits are added up, and the lifecycle moves. Nothing old is recomputed.

Any hint (a block, a timer, a click) only leads here; twice, late and out of order are all fine.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db import transaction

from invoicing import facts, lifecycle, shelves, snapshot
from invoicing.lifecycle import Money
from invoicing.models import Invoice, Status
from invoicing.money import ceil_ratio, digits, plain
from merchants.assets import UnknownAsset
from merchants.events import record
from merchants.models import User
from payments import quotes, rates, shares
from payments.models import RecordedPayment, Transfer

OVER_E4 = 5_000  # 0.5 %: less than this too much is not called overpaid
SCALE = 10**6


@dataclass(frozen=True)
class Counted:
    """What one payment brings to the sum. `unit_minor` is what its asset's payable unit is worth, rounded up; 0 for money
    that was recorded by hand."""

    minor: int
    is_final: bool
    is_late: bool
    unit_minor: int


@dataclass(frozen=True)
class Returned:
    """What of the credits goes back, all in the invoice's currency."""

    refunded_minor: int = 0  # confirmed on its chain
    returning_minor: int = 0  # decided on, and not confirmed yet
    shortfall_minor: int = 0  # of both: beyond what the payments behind it still count for


def add_up(counted: list[Counted], *, total_minor: int, tolerance_minor: int, returned: Returned = Returned()) -> Money:
    """Pure. Overpaid is only what exceeds max(0.5 % of the total, one payable unit) and was not refunded; underpaid means
    something final came, nothing is on its way, and it is not enough; paid late, that what came in time was not enough. What
    is refunded makes nothing due again."""
    credited = sum(part.minor for part in counted if part.is_final)
    in_time = sum(part.minor for part in counted if part.is_final and not part.is_late)
    pending = sum(part.minor for part in counted if not part.is_final)
    slack = max(total_minor * OVER_E4 // SCALE, *(part.unit_minor for part in counted), 0)
    return Money(
        credited_minor=credited,
        pending_minor=pending,
        is_underpaid=0 < credited < total_minor - tolerance_minor and not pending,
        is_overpaid=credited - returned.refunded_minor - total_minor > slack,
        is_paid_late=in_time < min(credited, total_minor - tolerance_minor),
        **vars(returned),
    )


def _counted(transfer: Transfer, currency: str) -> Counted:
    return Counted(transfer.credit_minor or 0, transfer.status == Transfer.State.FINAL, transfer.is_late, _unit_minor(transfer, currency))


def _unit_minor(transfer: Transfer, currency: str) -> int:
    """0 for an asset that has left the catalogue: what was credited in it still counts."""
    try:
        asset = transfer.asset
    except UnknownAsset:
        return 0
    top, bottom = Decimal(transfer.credit_rate).as_integer_ratio()
    return ceil_ratio(asset.payable_unit * top * 10 ** digits(currency), bottom * 10**asset.decimals)


def reconsider(invoice_id: int, *, now: datetime) -> Invoice:
    """Read all the money of an invoice, under its lock, and decide. Idempotent."""
    with transaction.atomic():
        return settle(lifecycle.locked(invoice_id), now=now)


def settle(invoice: Invoice, *, now: datetime, because: str = "") -> Invoice:
    """`reconsider` for an invoice that is already locked in this transaction. `because` is told with a reopening."""
    was_over, was_under, had = invoice.is_overpaid, invoice.is_underpaid, invoice.credited_minor
    invoice = lifecycle.account(invoice, _money(invoice), now=now, because=because)
    shelves.bring_back(invoice, now=now)
    quotes.close_stale(invoice)
    if invoice.is_overpaid and not was_over and invoice.credited_minor > had:
        tell("payment.overpaid", invoice, now=now)
    # Also when nothing new came, but what was on its way beside it, or had paid the rest, was lost.
    if invoice.is_underpaid and invoice.status == Status.OPEN and (invoice.credited_minor > had or not was_under):
        tell("payment.part_received", invoice, now=now)
    return invoice


def _money(invoice: Invoice) -> Money:
    counting = Transfer.objects.filter(invoice=invoice, credit_minor__isnull=False).exclude(status=Transfer.State.DROPPED)
    counted = [_counted(transfer, invoice.currency) for transfer in counting]
    recorded = RecordedPayment.objects.filter(invoice=invoice, reversed_at=None).values_list("amount_minor", flat=True)
    counted += [Counted(minor, is_final=True, is_late=False, unit_minor=0) for minor in recorded]
    returned = shares.returned(invoice)
    return add_up(counted, total_minor=invoice.total_minor, tolerance_minor=invoice.tolerance_minor, returned=Returned(**returned))


def tell(
    kind: str,
    invoice: Invoice,
    *,
    now: datetime,
    transfer: Transfer | None = None,
    payment: RecordedPayment | None = None,
    by: User | None = None,
) -> None:
    """Record a payment event about `invoice`, with the transfer or recorded payment it is about and the member who did it.

    The invoice is told with this money already in its sums, though `settle` writes them only after the event.
    """
    is_about_all = transfer is None and payment is None
    about: dict[str, object] = {"invoice": facts.of_invoice(invoice if is_about_all else _with_money(invoice))}
    if transfer is not None:
        about["transfer"] = facts_of(transfer, invoice, now=now)
    if payment is not None:
        about["payment"] = facts_of_recorded(payment, invoice)
    record(kind, merchant=invoice.merchant, subject=invoice, now=now, by=by, facts=about)


def tell_of_unassigned(kind: str, transfer: Transfer, *, now: datetime, by: User | None = None) -> None:
    """Record an event about money that belongs to no invoice."""
    if transfer.receive_address is None:
        raise ValueError("Nobody's money at no address: there is no one to tell.")
    merchant = transfer.receive_address.wallet.merchant
    record(kind, merchant=merchant, subject=transfer, now=now, by=by, facts={"transfer": facts_of_unassigned(transfer)})


def _with_money(invoice: Invoice) -> Invoice:
    """A copy of `invoice` with the sums of this moment, to read from; nothing is stored."""
    found = copy.copy(invoice)
    for name, value in vars(_money(invoice)).items():
        setattr(found, name, value)
    return found


def facts_of(transfer: Transfer, invoice: Invoice, *, now: datetime) -> dict[str, object]:
    """A transfer in an event: amounts as decimal strings, the asset's by its own decimals, as the invoice froze them. `per_usd`
    is how much of the invoice's currency a US dollar was at `now`, None where that was not known."""
    asset = snapshot.document(invoice).asset(transfer.asset_id) or _from_catalogue(transfer)
    return {
        **_seen(transfer, asset),
        "credit": None if transfer.credit_minor is None else plain(transfer.credit_minor, digits(invoice.currency)),
        "rate": transfer.credit_rate or None,
        "rate_source": transfer.credit_source or None,
        "per_usd": rates.per_usd(invoice.merchant, invoice.currency, now=now) if transfer.credit_rate else None,
        "late": transfer.is_late,
        "held": transfer.is_held,
    }


def facts_of_unassigned(transfer: Transfer) -> dict[str, object]:
    """The same of money without an invoice: what the chain says, where it came, and the number under which it is decided on."""
    return {**_seen(transfer, _from_catalogue(transfer)), "address": transfer.receive_address and transfer.receive_address.address}


def _from_catalogue(transfer: Transfer) -> dict[str, Any]:
    """The asset of money that no invoice offered; by its bare id, in smallest units, once it has left the catalogue."""
    try:
        return transfer.asset.frozen()
    except UnknownAsset:
        return {"symbol": transfer.asset_id, "network": transfer.network, "decimals": 0}


def _seen(transfer: Transfer, asset: dict[str, Any]) -> dict[str, object]:
    return {
        "id": transfer.pk,
        "network": transfer.network,
        "network_name": asset["network"],
        "asset": transfer.asset_id,
        "symbol": asset["symbol"],
        "amount": plain(transfer.amount_units, asset["decimals"]),
        "txid": transfer.txid,
        "place": transfer.place,
        "status": transfer.status,
        "confirmations": transfer.confirmations,
    }


def facts_of_recorded(payment: RecordedPayment, invoice: Invoice) -> dict[str, object]:
    """A payment recorded by hand in an event. Its note is the team's own and is told to nobody else."""
    return {
        "id": payment.pk,
        "way": payment.way,
        "amount": plain(payment.amount_minor, digits(invoice.currency)),
        "paid_at": facts.moment(payment.paid_at),
    }
