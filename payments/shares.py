"""What a refund takes from which payment, and what that is in the asset it goes out in.

One ledger, in the invoice's currency: a refund names the payments it goes back on and consumes their *credited* value, the
latest payment first. Never more than is left of it. What goes out is rounded down to the payable unit, unless it is just what
was paid.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Context, Decimal

from django.utils.translation import gettext as _

from invoicing.models import Invoice
from invoicing.money import digits
from merchants.assets import Asset
from payments import credit
from payments.models import LIVE, RecordedPayment, Refund, RefundShare, Transfer
from payments.rates import Rate

AS_CREDITED = "credited"  # the rate source of what goes back as it was paid
WHOLE_E4 = 10**6
Basis = Refund.Basis
Key = tuple[str, int]  # ('transfer' or 'payment', id)


class CannotRefund(Exception):
    """This cannot be refunded like this; the text says why, and what can be done, for members."""


@dataclass(frozen=True)
class Source:
    """A payment that money can go back on. Money in the invoice's currency; `units` of a transfer in its asset's smallest unit."""

    key: Key
    at: datetime
    credit_minor: int  # what it counts for now: 0 once its network took it back, or it was reversed, and before it is final
    taken_minor: int = 0  # by refunds that are live
    asset_id: str = ""  # empty for a payment recorded by hand
    units: int = 0

    @property
    def left_minor(self) -> int:
        return max(self.credit_minor - self.taken_minor, 0)

    @property
    def short_minor(self) -> int:
        """By how much more went back, or is to, than it counts for."""
        return max(self.taken_minor - self.credit_minor, 0)


@dataclass(frozen=True)
class Part:
    source: Source
    minor: int


@dataclass(frozen=True)
class Reckoned:
    """What a refund of these terms is. `units` is None where they are fixed at approval; `about_units` is then what they would be
    now, None without a rate."""

    basis_minor: int  # before the deduction
    amount_minor: int
    parts: tuple[Part, ...]
    units: int | None
    about_units: int | None
    rate: Rate | None


# --- pure -------------------------------------------------------------------------------------------------------------


def spread(minor: int, sources: Iterable[Source]) -> tuple[Part, ...]:
    """`minor` over what is left of `sources`, the latest first. CannotRefund when less is left."""
    parts, rest = [], minor
    for source in sorted(sources, key=lambda source: (source.at, source.key), reverse=True):
        took = min(rest, source.left_minor)
        if took > 0:
            parts.append(Part(source, took))
            rest -= took
    if rest > 0:
        raise CannotRefund(_("That is more than is left of these payments. Refund less, or choose more of them."))
    return tuple(parts)


def pro_rata(parts: Sequence[Part], asset: Asset) -> int:
    """What these parts were paid with, in `asset`, which they share: to the last unit for whole payments, else floored for each, and
    together down to the payable unit."""
    units = sum(part.source.units * part.minor // part.source.credit_minor for part in parts)
    is_whole = all(part.minor == part.source.credit_minor for part in parts)
    return units if is_whole else units - units % asset.payable_unit


def at_rate(minor: int, rate: Decimal, asset: Asset, *, currency: str) -> int:
    """`minor` of `currency` at `rate`, down to the asset's payable unit."""
    units = credit.units_at(minor, rate, decimals=asset.decimals, digits=digits(currency))
    return units - units % asset.payable_unit


def after_deduction(minor: int, deduction_e4: int) -> int:
    """Less `deduction_e4` (in 0.0001 %), floored."""
    return minor * (WHOLE_E4 - deduction_e4) // WHOLE_E4


def reckon(
    basis: str,
    sources: Sequence[Source],
    *,
    asset: Asset,
    currency: str,
    rate: Rate | None,
    over_minor: int,
    other_minor: int = 0,
    deduction_e4: int = 0,
) -> Reckoned:
    """What a refund of `basis` on `sources` is in `asset`: `rate` is today's, None without one; `over_minor` what the invoice has
    too much; `other_minor` the amount of Basis.OTHER. CannotRefund, with a sentence, for nothing, too much, or no rate."""
    left = sum(source.left_minor for source in sources)
    whole = {Basis.SURPLUS: min(over_minor, left), Basis.OTHER: other_minor}.get(Basis(basis), left)
    amount = after_deduction(whole, deduction_e4)
    if amount <= 0:
        raise CannotRefund(_("Nothing would go back. Choose another amount, or a smaller deduction."))
    parts = spread(amount, sources)
    if basis == Basis.PAID or (basis == Basis.SURPLUS and _is_all(asset, parts)):
        if not _is_all(asset, parts):
            raise CannotRefund(_("Not all of this was paid in %(asset)s. Choose payments in one token, or another basis.") % {"asset": asset.label})
        units = _some(pro_rata(parts, asset), asset)
        return Reckoned(whole, amount, parts, units, units, _as_paid(amount, units, asset, currency, parts))
    if rate is None:
        if basis != Basis.FIAT:
            raise CannotRefund(_("There is no price for %(asset)s now. Try again in some minutes, or choose another token.") % {"asset": asset.label})
        return Reckoned(whole, amount, parts, None, None, None)
    units = _some(at_rate(amount, rate.value, asset, currency=currency), asset)
    return Reckoned(whole, amount, parts, None if basis == Basis.FIAT else units, units, rate)


def _some(units: int, asset: Asset) -> int:
    if units < max(asset.minimum_units, 1):
        raise CannotRefund(_("That is less than can be sent in %(asset)s.") % {"asset": asset.label})
    return units


def _is_all(asset: Asset, parts: Iterable[Part]) -> bool:
    return all(part.source.asset_id == asset.id for part in parts)


def _as_paid(minor: int, units: int, asset: Asset, currency: str, parts: Sequence[Part]) -> Rate:
    """What one whole token counted for when it came; rounded to 18 digits that count."""
    value = Context(prec=18).divide(Decimal(minor).scaleb(-digits(currency)), Decimal(max(units, 1)).scaleb(-asset.decimals))
    return Rate(value, currency, AS_CREDITED, max(part.source.at for part in parts))


# --- what there is ------------------------------------------------------------------------------------------------------


def sources(invoice: Invoice, *, but: Refund | None = None) -> list[Source]:
    """Every payment of `invoice` that counts, or that a live refund goes back on; the latest first. What `but` takes is not
    counted as taken."""
    taken = _taken(invoice, but)
    found = []
    for transfer in Transfer.objects.filter(invoice=invoice):
        is_final = transfer.status == Transfer.State.FINAL
        key = ("transfer", transfer.pk)
        credited = (transfer.credit_minor or 0) if is_final else 0
        found.append(Source(key, transfer.first_seen_at, credited, taken[key], transfer.asset_id, transfer.amount_units))
    for payment in RecordedPayment.objects.filter(invoice=invoice):
        key = ("payment", payment.pk)
        found.append(Source(key, payment.paid_at, 0 if payment.reversed_at else payment.amount_minor, taken[key]))
    found = [source for source in found if source.credit_minor or source.taken_minor]
    return sorted(found, key=lambda source: (source.at, source.key), reverse=True)


def _taken(invoice: Invoice, but: Refund | None) -> Counter[Key]:
    taken: Counter[Key] = Counter()
    rows = RefundShare.objects.filter(refund__invoice=invoice, refund__status__in=LIVE)
    if but is not None:
        rows = rows.exclude(refund=but.pk)
    for share in rows:
        taken[key_of(share)] += share.minor
    return taken


def key_of(share: RefundShare) -> Key:
    return ("transfer", share.transfer_id) if share.transfer_id else ("payment", share.payment_id or 0)


def returned(invoice: Invoice) -> dict[str, int]:
    """The columns of settlement.Returned."""
    live = Refund.objects.filter(invoice=invoice, status__in=LIVE).values_list("status", "amount_minor")
    if not live:
        return {}
    refunded = sum(minor for status, minor in live if status == Refund.State.CONFIRMED)
    return {
        "refunded_minor": refunded,
        "returning_minor": sum(minor for _status, minor in live) - refunded,
        "shortfall_minor": sum(source.short_minor for source in sources(invoice)),
    }


def keep(refund: Refund, parts: Iterable[Part]) -> None:
    """Write which payments `refund` goes back on, in place of what was written."""
    RefundShare.objects.filter(refund=refund).delete()
    RefundShare.objects.bulk_create(
        RefundShare(refund=refund, minor=part.minor, **{f"{part.source.key[0]}_id": part.source.key[1]}) for part in parts
    )


def move_over(was: Transfer, to: Transfer) -> None:
    """`was` has given a part of its credit up to `to`, which is the same money: what goes back on it beyond what it still counts
    for goes back on `to`."""
    taking = list(RefundShare.objects.filter(transfer=was, refund__status__in=LIVE).order_by("-id"))
    over = sum(share.minor for share in taking) - (was.credit_minor or 0)
    for share in taking:
        moved = min(over, share.minor)
        if moved <= 0:
            return
        over -= moved
        RefundShare.objects.create(refund_id=share.refund_id, transfer=to, minor=moved)
        rest = RefundShare.objects.filter(pk=share.pk)
        if moved == share.minor:
            rest.delete()
        else:
            rest.update(minor=share.minor - moved)


def is_short(refund: Refund, invoice: Invoice) -> bool:
    """Whether a payment that `refund` goes back on counts for less by now than goes back on it."""
    mine = {key_of(share) for share in RefundShare.objects.filter(refund=refund)}
    return any(source.short_minor for source in sources(invoice) if source.key in mine)
