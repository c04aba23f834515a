"""What a refund could be, while a member chooses: every way of reckoning it with its amount now, and what the chosen one comes to."""

from __future__ import annotations

from collections.abc import Iterable
from copy import copy
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _l

from invoicing.models import Invoice, Status
from invoicing.money import format_minor
from invoicing.pdf.paper import rate_words
from merchants import assets
from merchants.assets import Asset
from merchants.models import Merchant
from payments import addresses, approvals, refunds, shares
from payments.forms_refunds import RefundForm, text_of
from payments.models import LIVE, RecordedPayment, Refund
from payments.shares import CannotRefund, Reckoned, Source

Basis = Refund.Basis
WORDS: dict[str, str | Promise] = {
    Basis.SURPLUS: _l("What was paid too much"),
    Basis.PAID: _l("What was paid, in the token"),
    Basis.TODAY: _l("Its value today"),
    Basis.FIAT: _l("The amount in %(currency)s"),
    Basis.OTHER: _l("Another amount"),
}


@dataclass(frozen=True)
class Offer:
    """One way of reckoning, with what it comes to; `trouble` says why it comes to nothing."""

    basis: str
    word: str
    hint: str
    is_chosen: bool
    asset: Asset | None
    found: Reckoned | None
    trouble: str

    @property
    def is_fixed_later(self) -> bool:
        return self.basis == Basis.FIAT

    @property
    def has_input(self) -> bool:
        return self.basis == Basis.OTHER


@dataclass(frozen=True)
class Outcome:
    """What the chosen way comes to: money in the invoice's currency."""

    offer: Offer
    kept_minor: int  # by the deduction
    left_minor: int  # on the invoice, after it
    rate: str
    moves_network: str  # where the payer did not pay from, when that is so
    needs_second: str  # the limit, where it is above


@dataclass(frozen=True)
class Payment:
    """A payment that can be chosen."""

    key: str
    source: Source
    asset: Asset | None
    way: str
    is_chosen: bool


def tokens(merchant: Merchant, sources: Iterable[Source]) -> list[Asset]:
    """What a refund may go out in: what was paid with first, then whatever the merchant can receive."""
    usable = {asset.id: asset for asset in assets.usable_by(merchant)}
    ways = addresses.receiving(merchant)
    paid = [usable[source.asset_id] for source in sources if source.asset_id in usable]
    return list(dict.fromkeys([*paid, *(asset for asset in usable.values() if addresses.is_received(asset, ways))]))


def payments(form: RefundForm) -> list[Payment]:
    """The choice of payments, the latest first."""
    by_hand = [source.key[1] for source in form.sources if source.key[0] == "payment"]
    ways = {payment.pk: payment.get_way_display() for payment in RecordedPayment.objects.filter(pk__in=by_hand)} if by_hand else {}
    chosen = {source.key for source in form.chosen}
    return [
        Payment(
            text_of(source.key),
            source,
            assets.catalogue().assets.get(source.asset_id),
            ways.get(source.key[1], "") if source.key[0] == "payment" else "",
            source.key in chosen,
        )
        for source in form.sources
    ]


def offers(form: RefundForm, *, now: datetime, but: Refund | None = None) -> list[Offer]:
    """Every way that goes with this invoice; `but` is the refund that is to be changed."""
    return [_offer(form, basis, now=now, but=but) for basis in _bases(form, but)]


def _bases(form: RefundForm, but: Refund | None) -> list[str]:
    found: list[str] = [Basis.TODAY, Basis.FIAT, Basis.OTHER]
    if any(source.asset_id for source in form.sources):
        found.insert(0, Basis.PAID)
    is_over = form.invoice.over_minor > 0 or (but is not None and but.basis == Basis.SURPLUS)
    return [Basis.SURPLUS, *found] if is_over and form.invoice.status != Status.VOID else found


def _offer(form: RefundForm, basis: str, *, now: datetime, but: Refund | None) -> Offer:
    found, trouble, asset = None, "", None
    try:
        terms = form.terms_of(basis)
        asset = terms.asset
        found = refunds.reckon(form.invoice, terms, now=now, but=but)
    except CannotRefund as reason:
        trouble = str(reason)
    currency = form.invoice.currency
    word = str(WORDS[basis]) % {"currency": currency} if basis == Basis.FIAT else str(WORDS[basis])
    return Offer(basis, word, _hint(form, basis, asset, found), form["basis"].value() == basis, asset, found, trouble)


def _hint(form: RefundForm, basis: str, asset: Asset | None, found: Reckoned | None) -> str:
    """What stands under the way's name."""
    currency = form.invoice.currency
    money = f"{format_minor(found.amount_minor, currency)} {currency}" if found else ""
    if basis == Basis.PAID:
        return _("as it arrived on %(network)s") % {"network": asset.network.name} if found and asset else _("as it arrived")
    if basis == Basis.FIAT:
        return _("in %(token)s, at the rate when it is approved") % {"token": asset.label if asset else _("a token")}
    if basis == Basis.OTHER:
        left = sum(source.left_minor for source in form.chosen)
        return _("up to %(money)s") % {"money": f"{format_minor(left, currency)} {currency}"}
    if basis == Basis.SURPLUS and found and found.rate and found.rate.source == shares.AS_CREDITED:
        return _("%(money)s, as it was paid") % {"money": money}
    return _("%(money)s at today’s rate") % {"money": money} if money else _("at today’s rate")


def outcome(form: RefundForm, found: Iterable[Offer], *, now: datetime, but: Refund | None = None) -> Outcome | None:
    """What the chosen one of these offers comes to; None while it comes to nothing."""
    offer = next((offer for offer in found if offer.is_chosen and offer.found), None)
    if offer is None or offer.found is None or offer.asset is None:
        return None
    invoice, reckoned = form.invoice, offer.found
    before = but.amount_minor if but is not None and but.status in LIVE else 0
    paid_on = {source.asset_id.partition("/")[0] for source in form.chosen if source.asset_id}
    network = offer.asset.network
    return Outcome(
        offer,
        reckoned.basis_minor - reckoned.amount_minor,
        max(invoice.left_minor + before - reckoned.amount_minor, 0),
        _rate(reckoned, offer.asset, invoice.currency),
        network.name if paid_on and network.id not in paid_on else "",
        approvals.limit_words(invoice.merchant) if _is_above_limit(invoice, offer, before, now=now) else "",
    )


def _is_above_limit(invoice: Invoice, offer: Offer, before: int, *, now: datetime) -> bool:
    """As approvals.Limit will say of it once it is asked for: with all else that goes back on the invoice, of which `before` is what
    it takes the place of."""
    if offer.found is None or offer.asset is None:
        return False
    found = offer.found
    without = copy(invoice)
    without.returning_minor -= before
    planned = Refund(invoice=without, status=Refund.State.EXPIRED, asset_id=offer.asset.id, amount_minor=found.amount_minor, amount_units=found.units)
    return approvals.Limit(invoice.merchant, now=now).is_above(planned)


def _rate(reckoned: Reckoned, asset: Asset, currency: str) -> str:
    """'1 EUR = 1.0860 USDT'; empty without a rate, and for what goes back as it was paid."""
    if reckoned.rate is None or reckoned.rate.source == shares.AS_CREDITED:
        return ""
    return rate_words(format(reckoned.rate.value, "f"), asset.symbol, currency, "en")


def context(form: RefundForm, *, now: datetime, but: Refund | None = None) -> dict[str, Any]:
    """All that the page shows beside the fields."""
    found = offers(form, now=now, but=but)
    return {"offers": found, "outcome": outcome(form, found, now=now, but=but), "payments": payments(form)}
